"""`freeride bind` in a project, which others may have filled and whose files a commit takes along."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from freeride_core.binder import Place
from freeride_core.cli.group import freeride
from freeride_core.gateway.protocols.registry import SERVED
from freeride_core.plugins.discovery import load_plugins
from freeride_core.system.ownership import risk_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its modes and owners say nothing")

TOKEN = "token-0123456789abcdef"
BINDERS = load_plugins(("binder",)).binders.values()
PROJECTS = [binder for binder in BINDERS if Place.PROJECT in binder.scopes and binder.needs in SERVED]
REFERENCES = {"opencode": "{env:FREERIDE_TOKEN}", "crush": "$FREERIDE_TOKEN"}
SOMEBODY_ELSE = 54321
"""A user's number that no account has."""

by_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file to another user"
)


@pytest.fixture(params=["cwd", "git"])
def scope(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cloned repository, in which the user works."""
    project = tmp_path / "cloned"
    (project / ".git").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def bind(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Gives exit code, stdout and stderr."""

    def bind(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            freeride.main(["bind", *arguments], prog_name="freeride")
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return bind


Bind = Callable[..., tuple[int, str, str]]


def test_a_link_that_leads_out_of_the_project_is_refused_by_its_target(
    scope: str, project: Path, bind: Bind, tmp_path: Path
) -> None:
    own = tmp_path / "settings.json"
    own.write_text('{"theme": "mine"}', "utf-8")
    (project / "opencode.json").symlink_to("../settings.json")
    for options in ([], ["--dry-run"], ["--json"]):
        code, out, err = bind("opencode", "--scope", scope, *options)
        assert (code, out) == (1, "")
        assert f"{project / 'opencode.json'} leads out of the project, to {own}" in err
    assert own.read_text("utf-8") == '{"theme": "mine"}'


def test_a_folder_that_leads_out_of_the_project_is_refused_too(project: Path, bind: Bind, tmp_path: Path) -> None:
    """As `.crush.json` in a project would, were it in a folder."""
    (tmp_path / "elsewhere").mkdir()
    (project / "src").symlink_to(tmp_path / "elsewhere")
    os.chdir(project / "src")
    # The folder that the user is in is the project, wherever a link has led to it.
    assert bind("opencode", "--scope", "cwd")[0] == 0
    assert (tmp_path / "elsewhere" / "opencode.json").exists()


def test_a_link_within_the_project_is_followed(scope: str, project: Path, bind: Bind) -> None:
    (project / "settings").mkdir()
    (project / "settings" / "all.json").write_text("{}", "utf-8")
    (project / "opencode.json").symlink_to("settings/all.json")
    assert bind("opencode", "--scope", scope)[0] == 0
    assert "11343" in (project / "settings" / "all.json").read_text("utf-8")
    assert bind("--undo", "opencode", "--scope", scope)[0] == 0
    assert (project / "settings" / "all.json").read_text("utf-8") == "{}"


def test_a_link_of_a_project_undoes_no_binding_of_the_home_folder(project: Path, bind: Bind) -> None:
    assert bind("opencode")[0] == 0
    own = Path(os.environ["HOME"], ".config", "opencode", "opencode.json")
    (project / "opencode.json").symlink_to(own)
    code, _, err = bind("--undo", "opencode", "--scope", "cwd")
    assert (code, own.exists()) == (1, True)
    assert "leads out of the project" in err
    assert bind("--undo", "opencode")[0] == 0


def test_what_was_bound_by_a_link_before_can_still_be_undone(project: Path, bind: Bind, tmp_path: Path) -> None:
    """As an earlier version did."""
    own = tmp_path / "settings.json"
    assert bind("opencode", "--scope", "cwd")[0] == 0
    (project / "opencode.json").rename(own)
    (project / "opencode.json").symlink_to(own)
    [record] = Path(os.environ["FREERIDE_HOME"], "backups").glob("*.json")
    from freeride_core.binding.backups import Backups

    moved = Backups(Path(os.environ["FREERIDE_HOME"]))._record_path(own)
    record.rename(moved)
    moved.write_text(json.dumps(json.loads(moved.read_text("utf-8")) | {"target": str(own)}), "utf-8")
    code, _, err = bind("--undo", "opencode", "--scope", "cwd")
    assert (code, own.exists()) == (0, False), err


@pytest.mark.parametrize("name", ["folder", "file"])
def test_what_other_users_can_write_is_refused(name: str, scope: str, project: Path, bind: Bind) -> None:
    (project / "opencode.json").write_text("{}", "utf-8")
    open_to_all = {"folder": project, "file": project / "opencode.json"}[name]
    open_to_all.chmod(0o777 if name == "folder" else 0o666)
    code, out, err = bind("opencode", "--scope", scope)
    assert (code, out) == (1, "")
    assert f"{open_to_all}: other users can write to it, so opencode.json stays as it is" in err
    assert "chmod go-w" in err
    assert (project / "opencode.json").read_text("utf-8") == "{}"


@by_root
@pytest.mark.parametrize("name", [".", ".git", "opencode.json"])
def test_what_belongs_to_another_user_is_refused(name: str, project: Path, bind: Bind) -> None:
    (project / "opencode.json").write_text("{}", "utf-8")
    os.chown(project / name, SOMEBODY_ELSE, -1)
    (project / "below").mkdir()
    os.chdir(project / "below")
    code, out, err = bind("opencode", "--scope", "git")
    assert (code, out) == (1, "")
    assert f"{project / name}: it belongs to another user ({SOMEBODY_ELSE}), so opencode.json stays as it is" in err
    assert (project / "opencode.json").read_text("utf-8") == "{}"


@by_root
def test_behind_sudo_the_user_s_own_files_are_no_stranger_s(
    project: Path, bind: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(project, SOMEBODY_ELSE, -1)
    assert bind("opencode", "--scope", "cwd")[0] == 1
    monkeypatch.setenv("SUDO_UID", str(SOMEBODY_ELSE))
    assert bind("opencode", "--scope", "cwd")[0] == 0


@by_root
def test_a_group_of_the_user_alone_may_write_and_another_may_not(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o664)
    assert risk_of(file) is None
    os.chown(file, -1, 1)  # the group `daemon`, which every system has
    assert risk_of(file) == "other users can write to it"
    file.chmod(0o644)
    assert risk_of(file) is None
    assert risk_of(tmp_path / "missing") is None


@pytest.mark.parametrize("binder", PROJECTS, ids=lambda binder: binder.name)
def test_a_token_is_in_no_file_of_a_project(
    binder: object, scope: str, project: Path, bind: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    name: str = binder.name  # type: ignore[attr-defined]
    monkeypatch.setenv("FREERIDE_TOKEN", TOKEN)
    code, out, err = bind(name, "--scope", scope)
    written = "".join(path.read_text("utf-8") for path in project.iterdir() if path.is_file())
    assert TOKEN not in written + out + err
    if name not in REFERENCES:
        assert (code, written) == (1, "")
        assert "FREERIDE_TOKEN would be written into the project" in err
        assert f"use --scope home, or start it with `freeride run {name}`" in err
        return
    assert code == 0, err
    assert REFERENCES[name] in written
    assert "Set FREERIDE_TOKEN where it is started: its file names the variable." in err
    rows = {(row["name"], row["scope"]): row for row in json.loads(bind("--json")[1])}
    assert rows[name, "cwd"]["state"] == "bound"
    assert bind(name, "--scope", scope)[2].count("is bound to http://127.0.0.1:11343 already") == 1
    assert bind("--undo", name, "--scope", scope)[0] == 0


def test_without_a_token_the_key_that_everybody_knows_is_written(project: Path, bind: Bind) -> None:
    for binder in PROJECTS:
        assert bind(binder.name, "--scope", "cwd")[0] == 0
    assert (project / ".aider.conf.yml").read_text("utf-8").count("freeride-local") == 1


def test_at_home_a_token_is_written_and_a_link_is_followed(
    project: Path, bind: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREERIDE_TOKEN", TOKEN)
    (tmp_path / "dotfiles.json").write_text("{}", "utf-8")
    own = Path(os.environ["HOME"], ".config", "opencode", "opencode.json")
    own.parent.mkdir(parents=True)
    own.symlink_to(tmp_path / "dotfiles.json")
    assert bind("opencode")[0] == 0
    assert TOKEN in (tmp_path / "dotfiles.json").read_text("utf-8")


@pytest.mark.parametrize("what", ["device", "pipe", "large"])
def test_a_project_s_file_that_has_no_end_stops_no_command(
    what: str, project: Path, bind: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`freeride bind` lists it, and `doctor` looks at it."""
    from freeride_core.cli.agent_requests import AgentRequests
    from freeride_core.cli.checks.agents import check_agents
    from freeride_core.settings.resolver import load_settings

    file = project / "opencode.json"
    if what == "device":
        file.symlink_to("/dev/zero")
    elif what == "pipe":
        os.mkfifo(file)
    else:
        with file.open("wb") as sparse:
            sparse.truncate(2**40)
    assert bind()[0] == 0
    settings = load_settings()
    plugins, requests = load_plugins(("binder",)), AgentRequests.read(settings)
    found = list(check_agents(settings, plugins, requests, "http://127.0.0.1:9", "freeride-local"))
    reasons = {"large": "is larger than 1024 KiB"}
    assert any(reasons.get(what, "is not a regular file") in finding.text for finding in found)
