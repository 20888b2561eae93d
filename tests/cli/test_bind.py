"""`freeride bind`, as a user types it, with the binders that are installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from freeride_core.cli.group import freeride
from freeride_core.cli.terminal import fault_of
from freeride_core.plugins import discovery
from repository import ROOT

BINDERS = ROOT / "freeride_binders"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            freeride.main(["bind", *arguments], prog_name="freeride")
        shown = capsys.readouterr()
        return Ran(int(ended.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


@pytest.fixture
def config(home: Path) -> Path:
    return home / ".aider.conf.yml"


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And on a machine without agents."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path / "project")


def test_it_binds_shows_the_difference_and_says_what_comes_next(run: Run, config: Path) -> None:
    config.write_text("model: mine # my model\n", encoding="utf-8")
    ran = run("aider")
    assert ran.code == 0
    assert "-model: mine # my model\n+model: openai/auto # my model\n" in ran.out
    assert "openai-api-base: http://127.0.0.1:11343/v1\n" in config.read_text(encoding="utf-8")
    assert "Restart aider to apply the change." in ran.err
    assert "freeride bind --undo aider\n" in ran.err
    assert "freeride bind" not in ran.out


def test_an_agent_that_keeps_its_files_elsewhere_is_bound_there(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "elsewhere"))
    ran = run("hermes")
    assert (ran.code, [*home.glob(".hermes*")]) == (0, [])
    assert "http://127.0.0.1:11343/v1" in (tmp_path / "elsewhere" / "config.yaml").read_text()
    row = next(row for row in json.loads(run("--json").out) if row["name"] == "hermes")
    assert (row["state"], row["path"]) == ("bound", str(tmp_path / "elsewhere" / "config.yaml"))
    assert run("--undo", "hermes").code == 0
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("value", ["{elsewhere}", "relative"])
def test_what_was_bound_before_the_variable_was_set_is_still_undone(
    value: str, run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("hermes").code == 0
    monkeypatch.setenv("HERMES_HOME", value.format(elsewhere=tmp_path / "elsewhere"))
    ran = run("--undo", "hermes")
    assert ran.code == 0, ran.err
    assert not (home / ".hermes").exists()


def test_an_agent_whose_files_nobody_can_find_is_not_bound(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERMES_HOME", "elsewhere")
    ran = run("hermes")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("freeride: HERMES_HOME is set to 'elsewhere': write a whole path")
    assert not Path("elsewhere").exists()
    row = next(row for row in json.loads(run("--json").out) if row["name"] == "hermes")
    assert (row["state"], row["path"]) == ("unreadable", None)
    assert "HERMES_HOME" in row["reason"]


def test_an_undo_gives_back_the_bytes(run: Run, config: Path) -> None:
    before = b"\xef\xbb\xbf# mine\r\nmodel: 'mine'\r\n\r\n# end"
    config.write_bytes(before)
    assert run("aider").code == 0
    assert run("aider", "--url", "http://127.0.0.1:9", "--model", "freeride/fast").code == 0
    ran = run("--undo", "aider")
    assert (ran.code, config.read_bytes()) == (0, before)
    assert "+model: 'mine'" in ran.out


def test_an_undo_removes_the_file_that_was_new(run: Run, home: Path) -> None:
    path = home / ".continue" / "config.yaml"
    assert run("continue").code == 0
    assert path.exists()
    assert (
        "continue/config.yaml was removed: it did not exist before Continue was bound." in run("--undo", "continue").err
    )
    assert not path.exists()


def test_an_undo_needs_no_binder(run: Run, config: Path, home: Path) -> None:
    """It may have been uninstalled since."""
    config.write_text("dark-mode: true\n", encoding="utf-8")
    assert run("aider").code == 0
    for record in (home / ".freeride" / "backups").glob("*.json"):
        record.write_text(record.read_text().replace('"binder": "aider"', '"binder": "uninstalled"'))
    assert run("uninstalled").code == 1
    assert run("--undo", "uninstalled").code == 0
    assert config.read_text(encoding="utf-8") == "dark-mode: true\n"
    assert "no binder for 'uninstalled'" in run("--undo", "uninstalled").err


def test_a_dry_run_shows_the_same_and_writes_nothing(run: Run, config: Path, home: Path) -> None:
    config.write_text("dark-mode: true\n", encoding="utf-8")
    dry = run("aider", "--dry-run")
    assert dry.code == 0
    assert "Nothing was written." in dry.err
    assert config.read_text(encoding="utf-8") == "dark-mode: true\n"
    assert not (home / ".freeride" / "backups").exists()
    assert run("aider").out == dry.out
    bound = config.read_text(encoding="utf-8")
    assert "-openai-api-base" in run("--undo", "aider", "--dry-run").out
    assert config.read_text(encoding="utf-8") == bound


def test_what_is_bound_already_is_not_written_again(run: Run, config: Path) -> None:
    run("aider")
    first = config.stat().st_mtime_ns
    ran = run("aider")
    assert (ran.code, ran.out) == (0, "")
    assert "is bound to http://127.0.0.1:11343 already" in ran.err
    assert config.stat().st_mtime_ns == first


def test_the_project_has_a_file_of_its_own(run: Run, config: Path) -> None:
    ran = run("aider", "--scope", "cwd")
    assert "freeride bind --undo aider --scope cwd" in ran.err
    assert Path(".aider.conf.yml").exists()
    assert not config.exists()
    elsewhere = run("--undo", "aider")
    assert elsewhere.code == 1
    assert str(Path(".aider.conf.yml").absolute()) in elsewhere.err
    assert run("--undo", "aider", "--scope", "cwd").code == 0
    assert not Path(".aider.conf.yml").exists()


def test_the_repository_has_one_for_all_its_folders(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "in no git repository" in run("aider", "--scope", "git").err
    root, below = Path.cwd(), Path.cwd() / "src" / "deep"
    below.mkdir(parents=True)
    (root / ".git").mkdir()
    monkeypatch.chdir(below)
    assert listed(run)["aider", "git"]["path"] == str(root / ".aider.conf.yml")
    assert "freeride bind --undo aider --scope git" in run("aider", "--scope", "git").err
    assert (root / ".aider.conf.yml").exists()
    assert listed(run)["aider", "git"]["state"] == "bound"
    assert not config.exists()
    assert not (below / ".aider.conf.yml").exists()
    assert run("--undo", "aider", "--scope", "git").code == 0
    assert not (root / ".aider.conf.yml").exists()
    monkeypatch.chdir(root)
    assert ("aider", "git") not in listed(run), "it is the folder's own"


def test_a_scope_that_the_binder_lacks_is_refused(run: Run) -> None:
    assert run("continue", "--scope", "cwd") == Ran(1, "", "freeride: continue has no scope 'cwd'; it has: home\n")
    assert run("continue", "--scope", "galaxy").code == 2


def test_the_name_that_is_there_is_edited(run: Run, home: Path) -> None:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text("{} // mine\n")
    assert run("opencode").code == 0
    assert "// mine" in (folder / "opencode.jsonc").read_text()
    assert not (folder / "opencode.json").exists()
    assert run("--undo", "opencode").code == 0
    assert (folder / "opencode.jsonc").read_text() == "{} // mine\n"


@pytest.mark.parametrize("is_kept", [True, False])
def test_an_undo_finds_the_name_that_was_bound(run: Run, home: Path, is_kept: bool) -> None:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text("{} // mine\n")
    assert run("opencode").code == 0
    if is_kept:
        (folder / "opencode.json").write_text("{}")
        assert run("--undo", "opencode").code == 0
        assert (folder / "opencode.json").read_text() == "{}"
    else:
        (folder / "opencode.jsonc").unlink()
        assert "--force" in run("--undo", "opencode").err
        assert run("--undo", "opencode", "--force").code == 0
    assert (folder / "opencode.jsonc").read_text() == "{} // mine\n"
    assert "nothing to undo" in run("--undo", "opencode").err


def test_an_undo_of_one_name_is_not_stopped_by_the_damaged_record_of_another(run: Run, home: Path) -> None:
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    assert run("opencode").code == 0
    (record,) = (home / ".freeride" / "backups").glob("*.json")
    record.write_text("{")
    assert f"{record} is damaged" in run("--undo", "opencode").err
    (folder / "opencode.json").unlink()
    (folder / "opencode.jsonc").write_text("{}")
    assert run("opencode").code == 0
    assert run("--undo", "opencode").code == 0
    assert (folder / "opencode.jsonc").read_text() == "{}"
    assert run("aider").code == 0
    assert run("--undo", "aider").code == 0


def test_it_warns_where_no_gateway_answers(run: Run, config: Path) -> None:
    ran = run("aider", "--url", "http://127.0.0.1:9")
    assert (ran.code, config.exists()) == (0, True), "it is bound all the same"
    assert "Warning: The gateway is not running at http://127.0.0.1:9. Start it with: freeride serve" in ran.err
    assert "not running" in json.loads(run("aider", "--url", "http://127.0.0.1:9", "--json").out)["warning"]


def test_it_says_whether_a_running_agent_must_be_restarted(run: Run) -> None:
    aider, extension = (json.loads(run(name, "--json").out) for name in ("aider", "continue"))
    assert (aider["reloads"], aider["next"]) == (False, "Restart aider to apply the change.")
    assert extension["reloads"] is True
    assert extension["next"].startswith("Choose FreeRide")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("acme", "installed: "),
        ("acme; rm", "installed: "),
        ("aidr", "did you mean aider?"),
        ("Aider", "did you mean aider?"),
        ("opncode", "did you mean opencode?"),
        ("continu", "did you mean continue?"),
    ],
)
def test_an_unknown_binder_is_named_with_the_installed_ones(run: Run, name: str, advice: str) -> None:
    ran = run(name)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    for word in (repr(name), "aider, ", "continue, ", advice):
        assert word in ran.err
    assert "pip install" not in ran.err, "nothing that may not be there, or not be ours"


def test_a_file_that_cannot_be_read_is_left_alone(run: Run, config: Path) -> None:
    config.write_text("model: [a\nb: c\n", encoding="utf-8")
    ran = run("aider")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"{config} stays as it is" in ran.err
    assert "line 2, column " in ran.err
    assert config.read_text(encoding="utf-8") == "model: [a\nb: c\n"


def test_an_undo_over_somebody_elses_change_wants_force(run: Run, config: Path) -> None:
    config.write_text("dark-mode: true\n", encoding="utf-8")
    run("aider")
    text = config.read_text(encoding="utf-8").replace("openai/auto", "gpt-5") + "# a thought\n"
    config.write_text(text, encoding="utf-8")
    refused = run("--undo", "aider")
    assert (refused.code, refused.out) == (1, "")
    assert "has changed since it was bound, `model` too" in refused.err
    assert config.read_text(encoding="utf-8") == text
    changed = config.read_text(encoding="utf-8")
    forced = run("--undo", "aider", "--force")
    assert forced.code == 0
    assert config.read_text(encoding="utf-8") == "dark-mode: true\n"
    copy = Path(forced.err.rstrip("\n").rpartition(" is kept in ")[2])
    assert copy.read_text(encoding="utf-8") == changed
    assert run("--undo", "aider").code == 1


def test_what_was_added_to_a_new_file_outlives_an_undo_by_force(run: Run, home: Path) -> None:
    path = home / ".config" / "zed" / "settings.json"
    assert run("zed").code == 0
    path.write_text(path.read_text() + "// hours of work\n")
    shown = json.loads(run("--undo", "zed", "--force", "--json").out)
    assert not path.exists()
    assert "// hours of work\n" in Path(shown["backup"]).read_text(encoding="utf-8")


def test_after_an_undo_an_agent_that_was_not_there_is_not_there_again(run: Run) -> None:
    assert listed(run)["zed", "home"]["state"] == "not found"
    run("zed")
    run("--undo", "zed")
    assert listed(run)["zed", "home"]["state"] == "not found"


def test_json_says_what_was_done(run: Run, config: Path) -> None:
    config.write_text("dark-mode: true\n", encoding="utf-8")
    shown = json.loads(run("aider", "--json").out)
    assert shown["changed"] is True
    assert shown["path"] == str(config)
    assert (shown["name"], shown["scope"], shown["dry_run"]) == ("aider", "home", False)
    assert Path(shown["backup"]).read_text(encoding="utf-8") == "dark-mode: true\n"
    assert "+model: openai/auto" in shown["diff"]
    again = json.loads(run("aider", "--json").out)
    assert (again["changed"], again["diff"], again["backup"]) == (False, "", None)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://127.0.0.1:9/", "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/"]
)
def test_the_url_may_be_written_as_agents_write_it(run: Run, config: Path, url: str) -> None:
    run("aider", "--url", url)
    assert "openai-api-base: http://127.0.0.1:9/v1\n" in config.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ("aider", "--url", "127.0.0.1:11343"),
        ("aider", "--url", "ftp://127.0.0.1"),
        ("aider", "--url", "http://127.0.0.1:99999"),
        ("aider", "--url", "http://me:secret@127.0.0.1"),
        ("aider", "--url", "http://[::1"),
        ("aider", "--url", "http://127.0.0.1\n#"),
        ("aider", "--model", ""),
        ("aider", "--model", "two words"),
        ("--force",),
        ("--undo",),
        ("--dry-run",),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(run: Run, config: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).code == 2
    assert not config.exists()


def test_a_token_of_the_gateway_is_bound_and_never_shown(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREERIDE_TOKEN", "token-0123456789")
    ran = run("aider")
    assert "openai-api-key: token-0123456789\n" in config.read_text(encoding="utf-8")
    assert "01234567" not in ran.out + ran.err
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="its modes say nothing")
def test_it_warns_where_others_can_read_the_token(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("dark-mode: true\n", encoding="utf-8")
    config.chmod(0o644)
    assert "others on this machine" not in run("aider").err, "everybody knows the usual key"
    monkeypatch.setenv("FREERIDE_TOKEN", "token-0123456789")
    for _ in ("now", "already"):
        ran = run("aider")
        assert f"Warning: others on this machine can read FREERIDE_TOKEN in {config}: chmod go-rwx {config}" in ran.err
    assert "chmod go-rwx" in json.loads(run("aider", "--json").out)["warning"]
    config.chmod(0o600)
    assert "others on this machine" not in run("aider").err


def test_a_key_that_has_no_place_in_the_file_is_told_but_a_token_is_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "`FREERIDE_API_KEY=freeride-local zed`" in run("zed").err
    monkeypatch.setenv("FREERIDE_TOKEN", "token-0123456789")
    told = run("zed", "--model", "freeride/fast")
    assert "FREERIDE_API_KEY=" in told.err
    assert "01234567" not in told.out + told.err
    assert "01234567" not in run("zed", "--model", "freeride/coding", "--json").out


def test_a_known_key_is_not_shown_wherever_it_stands(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY_2", "gsk-0123456789abcdef")
    config.write_text("# old: gsk-0123456789abcdef\nmodel: mine\n", encoding="utf-8")
    for arguments in (["aider", "--json"], ["--undo", "aider"], ["aider", "--dry-run"]):
        ran = run(*arguments)
        assert "model: openai/auto" in ran.out
        assert "01234567" not in ran.out + ran.err


def listed(run: Run, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    ran = run("--json", *arguments)
    assert ran.code == 0
    return {(row["name"], row["scope"]): row for row in json.loads(ran.out)}


def test_without_a_name_it_lists_what_can_be_bound(run: Run, config: Path, home: Path) -> None:
    states = {key: row["state"] for key, row in listed(run).items()}
    assert {key: state for key, state in states.items() if key[0] in ("aider", "continue")} == {
        ("aider", "home"): "not found",
        ("aider", "cwd"): "not found",
        ("continue", "home"): "not found",
    }
    assert {name for name, _ in states} == {
        path.name for path in BINDERS.iterdir() if (path / "pyproject.toml").exists()
    }
    program = Path(os.environ["PATH"]) / "aider"
    program.touch(0o755)
    assert listed(run)["aider", "home"]["state"] == "installed"
    assert listed(run)["continue", "home"]["installed"] is False
    run("aider", "--url", "http://127.0.0.1:9")
    (home / ".continue").mkdir()
    (home / ".continue" / "config.yaml").write_text("models: [\n")
    rows = listed(run)
    assert (rows["aider", "home"]["state"], rows["aider", "home"]["url"]) == ("bound", "http://127.0.0.1:9")
    assert rows["aider", "home"]["path"] == str(config)
    assert rows["aider", "home"]["distribution"] == "freeride-binder-aider"
    assert rows["continue", "home"]["state"] == "unreadable"
    assert "line 2" in rows["continue", "home"]["reason"]
    config.write_text("model: another\n", encoding="utf-8")
    assert listed(run)["aider", "home"]["state"] == "changed since it was bound"
    table = run()
    assert table.code == 0
    assert table.out.splitlines()[0].split() == ["NAME", "TITLE", "SCOPE", "STATE", "MODEL", "ASKED", "URL", "PATH"]
    assert "changed since it was bound" in table.out


def test_a_folder_that_cannot_be_looked_into_is_a_row_and_the_others_are_listed(run: Run, home: Path) -> None:
    """Its name is too long, which fails like a missing permission and does so for root as well."""
    (home / ".config").mkdir()
    (home / ".config" / "opencode").symlink_to("x" * 300)
    rows = listed(run)
    assert rows["opencode", "home"]["state"] == "unreadable"
    assert rows["opencode", "home"]["path"] == str(home / ".config" / "opencode" / "opencode.json")
    assert "opencode.json cannot be read: File name too long" in rows["opencode", "home"]["reason"]
    assert rows["opencode", "cwd"]["state"] == "not found"
    assert rows["aider", "home"]["state"] == "not found"
    ran = run("opencode")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)


def test_a_damaged_record_is_the_matter_of_one_row(run: Run, home: Path) -> None:
    run("aider")
    (record,) = (home / ".freeride" / "backups").glob("*.json")
    record.write_text("{")
    run("continue")
    rows = listed(run)
    assert (rows["aider", "home"]["state"], rows["continue", "home"]["state"]) == ("unreadable", "bound")
    assert str(record) in rows["aider", "home"]["reason"]
    assert run("--undo", "continue").code == 0
    assert "nothing to undo" in run("--undo", "zed").err
    assert "there is no binder for 'uninstalled'" in run("--undo", "uninstalled").err


def test_in_a_folder_that_is_gone_there_is_still_a_home(run: Run, config: Path) -> None:
    Path.cwd().rmdir()
    assert {scope for _, scope in listed(run)} == {"home", None}, "None: an agent without a file"
    assert run("aider").code == 0
    assert run("--undo", "aider").code == 0
    assert run("aider", "--scope", "cwd") == Ran(
        1, "", "freeride: the current folder does not exist any more; change to another one\n"
    )


def test_who_has_read_enough_hears_no_complaint(config: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = "from freeride_core.cli import main; import sys; sys.argv = ['freeride', 'bind']; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert ended.stderr == ""


def test_a_fault_without_a_file_is_told_without_one() -> None:
    assert fault_of(OSError(28, "No space left on device")) == "No space left on device"
    assert fault_of(OSError(28, "No space left on device", "/h/a")) == "/h/a: No space left on device"


def test_a_broken_binder_is_a_row_and_the_others_are_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    load = discovery.load_plugins
    broken = discovery.PluginRow("binder", "acme", "freeride-binder-acme", "1.0", None, "broken", "ImportError: gone")

    def load_with_a_broken_one(kinds: Any) -> discovery.Plugins:
        found = load(kinds)
        hooks, modules = found.hooks, found.modules
        return discovery.Plugins(found.providers, found.binders, (*found.rows, broken), hooks, modules)

    monkeypatch.setattr(discovery, "load_plugins", load_with_a_broken_one)
    assert listed(run)["acme", None]["reason"] == "ImportError: gone"  # type: ignore[index] # it has no scope
    table = run()
    assert "acme: ImportError: gone\n" in table.err
    assert "aider" in table.out


def test_without_any_binder_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Mapping[str, Any] = MappingProxyType({})
    hooks = discovery.load_plugins(()).hooks
    monkeypatch.setattr(
        discovery, "load_plugins", lambda kinds: discovery.Plugins(nothing, nothing, (), hooks, nothing)
    )
    ran = run()
    assert ran.code == 1
    assert "pip install freeride-gateway" in ran.err


def test_a_setting_that_cannot_be_used_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREERIDE_MAX_BODY", "much")
    ran = run("aider")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "FREERIDE_MAX_BODY" in ran.err


def test_a_folder_that_cannot_be_used_is_one_line(run: Run, home: Path) -> None:
    (home / ".continue").write_text("a file where a folder belongs")
    ran = run("continue")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert str(home / ".continue") in ran.err


def test_the_whole_command_imports_no_http(config: Path) -> None:
    program = (
        "import sys\n"
        "from freeride_core.cli.group import freeride\n"
        "try:\n"
        "    freeride.main(['bind', 'aider'], prog_name='freeride')\n"
        "except SystemExit as ended:\n"
        "    print(ended.code, sorted({'httpx', 'uvicorn', 'freeride_binder_continue'} & set(sys.modules)))\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "0 []"
    assert config.exists()


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("codex", "/v1/responses"),
        ("gemini", "/v1beta/models/{model}:generateContent"),
    ],
)
def test_an_agent_whose_protocol_is_not_served_is_told_so_and_stays_as_it_is(
    name: str, route: str, run: Run, home: Path
) -> None:
    ran = run(name)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"speaks {route}, which this gateway does not serve yet" in ran.err
    assert "nothing was written" in ran.err
    assert not list(home.glob(f".{name}"))
    assert listed(run)[name, "home"]["state"] == f"needs {route}"
    assert run(name, "--dry-run").code == 1


@pytest.mark.parametrize(("typed", "meant"), [("opencod", "opencode"), ("Claude", "claude"), ("openclaws", "openclaw")])
def test_a_typo_is_told_the_nearest_agent_and_no_package(run: Run, typed: str, meant: str) -> None:
    ran = run(typed)
    assert ran.code == 1
    assert f"there is no binder for {typed!r}; did you mean {meant}? installed: " in ran.err
    assert "pip install" not in ran.err


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--undo",), ("--scope", "home")])
def test_an_agent_without_a_file_is_told_how_it_is_started(run: Run, options: tuple[str, ...]) -> None:
    ran = run("copilot", *options)
    assert (ran.code, ran.out) == (1, "")
    assert "GitHub Copilot CLI keeps no such settings in a file; start it with: freeride run copilot" in ran.err
    [row] = [row for row in json.loads(run("--json").out) if row["name"] == "copilot"]
    assert (row["scope"], row["state"], row["path"]) == (None, "not found", None)


def test_a_name_like_no_agents_is_told_those_that_there_are(run: Run) -> None:
    ran = run("zzzzz")
    assert "did you mean" not in ran.err
    assert "pip install" not in ran.err
