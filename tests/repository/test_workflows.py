"""Workflows, templates and hooks fit the schemas of those who read them, and run only what is there. It asks no server."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from repository import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
HOOKS = ROOT / ".pre-commit-config.yaml"
SCHEMAS: dict[str, list[Path]] = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
}


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def check(schema: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    return run("check_jsonschema", "--no-cache", "--builtin-schema", schema, *paths)


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text("utf-8"))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_file_fits_its_schema(schema: str) -> None:
    assert SCHEMAS[schema]
    result = check(schema, *SCHEMAS[schema])
    assert result.returncode == 0, result.stdout


def test_a_file_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "ci.yml"
    wrong.write_text(WORKFLOWS[0].read_text("utf-8").replace("runs-on:", "run-on:"), "utf-8")
    assert check("vendor.github-workflows", wrong).returncode == 1


def test_the_hooks_are_valid_and_a_wrong_one_is_noticed(tmp_path: Path) -> None:
    assert run("pre_commit", "validate-config", HOOKS).returncode == 0
    wrong = tmp_path / "config.yaml"
    wrong.write_text(HOOKS.read_text("utf-8").replace("language: system", "language: klingon", 1), "utf-8")
    assert run("pre_commit", "validate-config", wrong).returncode == 1


def commands() -> list[str]:
    steps = [step for path in WORKFLOWS for job in read(path)["jobs"].values() for step in job["steps"]]
    hooks = [hook for repo in read(HOOKS)["repos"] for hook in repo["hooks"]]
    return [*(step["run"] for step in steps if "run" in step), *(hook["entry"] for hook in hooks)]


def test_every_script_that_is_run_is_there() -> None:
    named = {name for command in commands() for name in re.findall(r"(?:scripts|\.ci)/\w+", command)}
    assert {"scripts/check", "scripts/test", "scripts/uv", "scripts/prose", ".ci/run"} <= named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_oldest_python_of_the_matrix_is_the_oldest_that_is_supported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    matrix = read(GITHUB / "workflows" / "ci.yml")["jobs"]["quick"]["strategy"]["matrix"]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_only_the_job_that_publishes_may_ask_for_an_identity() -> None:
    for path in WORKFLOWS:
        workflow = read(path)
        assert workflow["permissions"] == {"contents": "read"}
        trusted = [name for name, job in workflow["jobs"].items() if "permissions" in job]
        assert trusted == (["publish"] if path.stem == "release" else [])
    publish = read(GITHUB / "workflows" / "release.yml")["jobs"]["publish"]
    assert (publish["needs"], publish["environment"], publish["permissions"]) == (
        "build",
        "pypi",
        {"id-token": "write"},
    )
    assert "secrets." not in "".join(path.read_text("utf-8") for path in WORKFLOWS)
