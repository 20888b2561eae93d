"""What a user is told before a file is written."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from freeride_core.cli.group import app

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and links are those of Unix")


def bind(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bind", *arguments])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path(os.environ["HOME"]) / ".aider.conf.yml"
    path.write_text("dark-mode: true\n", "utf-8")
    return path


def test_a_read_only_file_stays_as_it_is(config: Path) -> None:
    config.chmod(0o400)
    for options in ([], ["--dry-run"], ["--force"]):
        ran = bind("aider", *options)
        assert (ran.exit_code, ran.stdout) == (1, "")
        assert f"{config} is read-only, so it stays as it is: chmod u+w {config}" in ran.stderr
    assert config.read_text("utf-8") == "dark-mode: true\n"


def test_a_hard_link_is_told_before_it_is_broken(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "dotfiles.yml"
    other.hardlink_to(config)
    ran = bind("aider")
    assert ran.exit_code == 1
    assert "has another name (a hard link)" in ran.stderr
    assert config.samefile(other)
    dry = json.loads(bind("aider", "--dry-run", "--json").stdout)
    assert "hard link" in dry["warning"]
    assert bind("aider", "--force").exit_code == 0
    assert other.read_text("utf-8") == "dark-mode: true\n"
    assert "openai-api-base" in config.read_text("utf-8")


def test_a_token_is_not_written_into_a_repository_unasked(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotfiles = tmp_path / "dotfiles"
    (dotfiles / ".git").mkdir(parents=True)
    config.rename(dotfiles / "aider.yml")
    config.symlink_to(dotfiles / "aider.yml")
    assert bind("aider").exit_code == 0, "the usual key is no secret"
    assert bind("--undo", "aider").exit_code == 0
    monkeypatch.setenv("FREERIDE_TOKEN", "a-token-of-my-own")
    ran = bind("aider")
    assert ran.exit_code == 1
    assert f"is in the git repository {dotfiles}" in ran.stderr
    assert "freeride run aider" in ran.stderr
    assert "a-token" not in (dotfiles / "aider.yml").read_text("utf-8")
    assert bind("aider", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("agent", "file"),
    [
        ("crush", ".config/crush/crush.json"),
        ("cline", ".cline/data/settings/providers.json"),
        ("goose", ".config/goose/custom_providers/freeride.json"),
    ],
)
def test_a_file_that_the_agent_itself_cannot_read_is_refused(agent: str, file: str) -> None:
    path = Path(os.environ["HOME"]) / file
    path.parent.mkdir(parents=True)
    path.write_text('{ "a": 1, } // mine\n', "utf-8")
    ran = bind(agent)
    assert ran.exit_code == 1
    assert "it is not plain JSON" in ran.stderr
    assert path.read_text("utf-8") == '{ "a": 1, } // mine\n'
