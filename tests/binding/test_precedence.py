"""Bound means used: `freeride bind` edits what the agent goes by, and names what outranks it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from freeride_core.binding.prompts import front_matter_model
from freeride_core.cli.group import app

ELSEWHERE = '{"model": "anthropic/claude-sonnet-4-5"}\n'
PROMPT = "---\ndescription: mine\nmodel: anthropic/claude-sonnet-4-5\n---\nBuild it.\n"


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the user is in, in a repository."""
    folder = tmp_path / "project" / "inner"
    folder.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(folder)
    return folder


def bind(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bind", *arguments])


def said(*arguments: str) -> dict[str, Any]:
    ran = bind(*arguments, "--json")
    assert ran.exit_code == 0, ran.stderr
    shown: dict[str, Any] = json.loads(ran.stdout)
    return shown


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("agent", "there", "edited"),
    [
        ("opencode", ["opencode.json", "opencode.jsonc"], "opencode.jsonc"),
        ("opencode", ["opencode.jsonc"], "opencode.jsonc"),
        ("opencode", ["opencode.json"], "opencode.json"),
        ("opencode", [], "opencode.json"),
        ("kilo", ["kilo.json", "kilo.jsonc"], "kilo.jsonc"),
    ],
)
def test_of_merged_files_the_strongest_is_edited(agent: str, there: list[str], edited: str, home: Path) -> None:
    folder = home / ".config" / agent
    before = {write(folder / name, ELSEWHERE): ELSEWHERE for name in there}
    shown = said(agent)
    assert (shown["path"], shown["elsewhere"]) == (str(folder / edited), [])
    assert json.loads((folder / edited).read_text("utf-8"))["model"] == "freeride/auto"
    assert bind("--undo", agent).exit_code == 0
    assert {path: path.read_text("utf-8") for path in folder.glob("*")} == before


def test_an_agent_of_a_weaker_merged_file_is_named(home: Path) -> None:
    folder = home / ".config" / "opencode"
    weaker = write(folder / "opencode.json", '{"model": "a/b", "agent": {"build": {"model": "openai/gpt-5"}}}')
    write(folder / "opencode.jsonc", "{}")
    [row] = said("opencode")["elsewhere"]
    assert row == {"setting": "agent.build.model", "model": "openai/gpt-5", "path": str(weaker)}


@pytest.mark.parametrize(
    ("agent", "file", "text", "setting", "model"),
    [
        ("aider", ".aider.conf.yml", "model: gpt-5\n", "model", "gpt-5"),
        ("opencode", "opencode.json", ELSEWHERE, "model", "anthropic/claude-sonnet-4-5"),
        ("opencode", ".opencode/opencode.jsonc", ELSEWHERE, "model", "anthropic/claude-sonnet-4-5"),
        ("opencode", ".opencode/agent/build.md", PROMPT, "model", "anthropic/claude-sonnet-4-5"),
        ("opencode", ".opencode/commands/team/review.md", PROMPT, "model", "anthropic/claude-sonnet-4-5"),
        ("kilo", ".kilo/agents/code.md", PROMPT, "model", "anthropic/claude-sonnet-4-5"),
        ("qwen", ".qwen/settings.json", '{"model": {"name": "qwen3"}}', "model.name", "qwen3"),
        ("vibe", ".vibe/config.toml", 'active_model = "devstral"\n', "active_model", "devstral"),
        ("pi", ".pi/settings.json", '{"defaultProvider": "x", "defaultModel": "y"}', "defaultModel", "x/y"),
        ("crush", ".crush.json", '{"models": {"large": {"provider": "x", "model": "y"}}}', "models.large", "x/y"),
    ],
)
@pytest.mark.parametrize("depth", ["folder", "repository"])
def test_a_projects_file_that_outranks_the_users_is_named(
    agent: str, file: str, text: str, setting: str, model: str, depth: str, project: Path
) -> None:
    path = write((project if depth == "folder" else project.parent) / file, text)
    [row] = said(agent)["elsewhere"]
    assert row == {"setting": setting, "model": model, "path": str(path)}
    ran = bind(agent)
    rank = "" if path.suffix == ".md" else ", and that file outranks"
    assert f"Warning: `{setting}` in {path} asks {model}, past the gateway{rank}" in ran.stderr


@pytest.mark.parametrize(
    ("agent", "file", "text", "setting", "model"),
    [
        ("opencode", ".config/opencode/agent/build.md", PROMPT, "model", "anthropic/claude-sonnet-4-5"),
        ("opencode", ".opencode/opencode.json", ELSEWHERE, "model", "anthropic/claude-sonnet-4-5"),
        ("goose", ".config/goose/config.yaml", "GOOSE_PROVIDER: x\nGOOSE_MODEL: y\n", "GOOSE_PROVIDER", "x/y"),
    ],
)
def test_another_file_of_the_users_that_outranks_the_bound_one_is_named(
    agent: str, file: str, text: str, setting: str, model: str, home: Path
) -> None:
    path = write(home / file, text)
    assert said(agent)["elsewhere"] == [{"setting": setting, "model": model, "path": str(path)}]


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("---\nmodel: a/b\n---\nBuild.\n", "a/b"),
        ("\ufeff---\r\ndescription: x\r\nmodel:   'a/b'   # mine\r\n---\r\n", "a/b"),
        ('---\nmodel: "a/b c"\n', "a/b c"),
        ("---\nmode: primary\n---\nmodel: a/b\n", None),
        ("---\n  model: a/b\n---\n", None),
        ("---\nmodel:\n---\n", None),
        ("---\nmodel: # none\n---\n", None),
        ("model: a/b\n", None),
        ("", None),
    ],
)
def test_the_model_of_a_markdown_file_stands_in_its_front_matter(text: str, model: str | None) -> None:
    assert front_matter_model(text) == model


def test_a_file_of_the_agents_own_choices_is_named(home: Path) -> None:
    path = write(
        home / ".local" / "share" / "crush" / "crush.json", '{"models": {"large": {"provider": "x", "model": "y"}}}'
    )
    assert [row["path"] for row in said("crush")["elsewhere"]] == [str(path)]


def test_agents_of_the_same_file_are_named(home: Path) -> None:
    path = write(
        home / ".openclaw" / "openclaw.json",
        '{agents: {defaults: {}, list: [{id: "main", model: "openai/gpt-5.2"}, {id: "notes"}]}}',
    )
    ran = bind("openclaw")
    assert ran.exit_code == 0
    assert f"`agents.list.main.model` in {path} asks openai/gpt-5.2, past the gateway: change" in ran.stderr


@pytest.mark.parametrize(
    ("agent", "variable"),
    [
        ("aider", "AIDER_MODEL"),
        ("hermes", "CUSTOM_BASE_URL"),
        ("opencode", "OPENCODE_CONFIG"),
        ("vibe", "VIBE_ACTIVE_MODEL"),
    ],
)
def test_a_variable_that_outranks_the_file_is_named_at_once(
    agent: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "elsewhere")
    assert said(agent)["elsewhere"] == [{"setting": variable, "model": None, "path": None}]


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--json",)])
@pytest.mark.parametrize("older", ["config.json", "config.ts"])
def test_a_new_file_that_would_retire_an_older_one_is_not_made(
    older: str, options: tuple[str, ...], home: Path
) -> None:
    path = write(home / ".continue" / older, "{}")
    ran = bind("continue", *options)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert f"Continue stops reading {path} once there is a config.yaml" in ran.stderr
    assert [each.name for each in path.parent.iterdir()] == [older]
    path.with_name("config.yaml").write_text("name: mine\nversion: 1.0.0\nschema: v1\n", "utf-8")
    assert bind("continue").exit_code == 0, "it reads the older one no more anyway"


def test_an_older_layout_is_refused_with_what_to_do(home: Path) -> None:
    text = '{"theme": "GitHub", "excludeTools": ["run_shell_command"]}'
    path = write(home / ".qwen" / "settings.json", text)
    ran = bind("qwen")
    assert ran.exit_code == 1
    assert "start it once, then bind again" in ran.stderr
    assert path.read_text("utf-8") == text


def test_a_project_that_is_bound_itself_is_not_named(project: Path) -> None:
    assert bind("opencode", "--scope", "cwd").exit_code == 0
    assert (project / "opencode.json").exists()
    assert said("opencode")["elsewhere"] == []


def test_the_list_says_which_model_a_bound_agent_asks_and_what_outranks_it(project: Path) -> None:
    assert bind("aider").exit_code == 0
    assert bind("zed").exit_code == 0
    path = write(project / ".aider.conf.yml", "weak-model: deepseek\n")
    rows = {row["name"]: row for row in json.loads(bind("--json").stdout) if row["scope"] == "home"}
    assert (rows["zed"]["state"], rows["zed"]["model"], rows["zed"]["elsewhere"]) == ("bound", "auto", [])
    assert (rows["aider"]["state"], rows["aider"]["model"]) == ("bound, but outranked", "auto")
    [sentence] = rows["aider"]["elsewhere"]
    assert f"`weak-model` in {path} asks deepseek" in sentence
    assert f"aider: {sentence}" in bind().stderr
