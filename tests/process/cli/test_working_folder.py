"""The folder that a command is started in may be a stranger's: nothing in it is started, imported or discovered."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from freeride_core.system.programs import find_program, forget_working_folder, python_command, python_environ
from programs import clean_environ, run, script_of, write_script
from repository import ROOT

FREERIDE = script_of("freeride-core", "freeride")
WATCHER = script_of("freeride-binder-openclaw", "freeride-watcher")
IMPORTED_EARLY = ("pluggy", "msgspec", "freeride_core/__init__")
"""What every command imports before its own first line runs."""
IMPORTED_LATE = ("typer", "httpx", "dotenv", "stevedore", "uvicorn", "tomlkit")
TESTED = ("conftest", "pytest", "_pytest/__init__", "pip/__main__", "pip/__init__", "venv", "ensurepip")
PROGRAMS = ("aider", "aider.bat", "uv", "uv.exe", "pipx", "git", "curl", "freeride")
_SHELL = re.compile(r"os\.(system|popen|exec.*|spawn.*|posix_spawn.*|startfile)")
AGENT = """
import json, os, sys
print(json.dumps({"folder": os.getcwd(), "base": [word for word in sys.argv if "/v1" in word]}))
"""


class Folder:
    """A stranger's folder. Whatever of it runs leaves its name."""

    def __init__(self, path: Path, log: Path) -> None:
        self.path = path
        self._log = log
        path.mkdir()
        about = path / "x-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1.0\n", "utf-8")
        groups = ("freeride.providers", "freeride.binders", "freeride.commands", "pytest11")
        points = "".join(f"[{group}]\nstrange = anything\n" for group in groups)
        (about / "entry_points.txt").write_text(points, "utf-8")
        self.add(*IMPORTED_LATE, *TESTED, "anything")
        for name in PROGRAMS:
            (path / name).write_text(f"#!/bin/sh\necho {name} >>'{log}'\n", "utf-8")
            (path / name).chmod(0o755)
        (path / ".env").write_text("FREERIDE_CONNECT_TIMEOUT=never\n", "utf-8")
        (path / "config.toml").write_text("connect_timeout = 'never'\n", "utf-8")
        (path / "pytest.ini").write_text("[pytest]\naddopts = -p anything\n", "utf-8")

    def add(self, *modules: str) -> None:
        for name in modules:
            file = self.path / f"{name}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"with open({str(self._log)!r}, 'a') as file: file.write({name!r} + '\\n')\n", "utf-8")

    @property
    def ran(self) -> list[str]:
        return self._log.read_text("utf-8").split() if self._log.exists() else []


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "cloned", tmp_path / "what-ran.txt")


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user's, whose `PATH` names the working folder twice, and who has an agent and a key."""
    programs = tmp_path / "bin"
    programs.mkdir()
    profile = installed_profile(load_plugins(("provider",)), "groq")
    if sys.platform != "win32":
        write_script(programs / "aider", AGENT)
    path = os.pathsep.join(("", ".", str(programs), os.environ["PATH"]))
    with SimulatorThread(Simulator(profile, quotas=False, pace=0)) as simulators:
        yield clean_environ(tmp_path / "user", {**simulators.env, "PATH": path})


def free_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


COMMANDS = [
    ["--version"],
    ["--help"],
    ["version"],
    ["plugins"],
    ["keys"],
    ["models"],
    ["bind"],
    ["bind", "aider", "--dry-run"],
    ["doctor", "--url", "http://127.0.0.1:9"],
    ["demo", "--once", "--fast", "--json"],
    ["telemetry"],
    ["upgrade"],
    ["upgrade", "--dry-run"],
    ["strange"],
    ["status"],
    ["certify", "strange"],
    ["new", "provider", "acme"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("python_path", ["absent", "empty entry"])
def test_no_command_runs_what_its_folder_holds(
    words: list[str], python_path: str, folder: Folder, environ: dict[str, str]
) -> None:
    if python_path == "absent":
        folder.add(*IMPORTED_EARLY)
    else:  # what is imported before a command's first line comes from there, in any program of Python's
        environ["PYTHONPATH"] = os.pathsep.join(("", "."))
    ended = run([FREERIDE, *words], environ, cwd=folder.path)
    assert folder.ran == []
    assert "strange" not in ended.stdout
    assert "never" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("python_path", ["absent", "empty entry"])
def test_the_watcher_runs_nothing_of_its_folder(python_path: str, folder: Folder, environ: dict[str, str]) -> None:
    if python_path == "empty entry":
        environ["PYTHONPATH"] = os.pathsep.join(("", "."))
    run([WATCHER, "--once"], environ, cwd=folder.path)
    assert folder.ran == []


def test_the_module_runs_nothing_of_its_folder(folder: Folder, environ: dict[str, str]) -> None:
    run([sys.executable, "-m", "freeride_core", "plugins"], environ, cwd=folder.path)
    assert folder.ran == []
    folder.add(*IMPORTED_EARLY)
    listed = run([*python_command("freeride_core", "plugins")], environ, cwd=folder.path)
    assert folder.ran == []
    assert listed.returncode == 0, listed.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the agent is a script")
@pytest.mark.parametrize("python_path", ["absent", "empty entry"])
def test_a_gateway_that_run_starts_sees_only_what_is_installed(
    python_path: str, folder: Folder, environ: dict[str, str]
) -> None:
    if python_path == "absent":
        folder.add(*IMPORTED_EARLY)
    else:
        environ["PYTHONPATH"] = os.pathsep.join(("", "."))
    environ |= {"FREERIDE_HOME": "here", "FREERIDE_EVENTS_PATH": "events/log.jsonl"}
    url = free_url()
    ended = run([FREERIDE, "run", "--url", url, "aider"], environ, cwd=folder.path)
    assert (ended.returncode, folder.ran) == (0, []), ended.stderr
    said = json.loads(ended.stdout)
    assert said["folder"] == str(folder.path), "the agent works where the user does"
    log = (folder.path / "here" / f"run-{url.rpartition(':')[2]}.log").read_text("utf-8")
    assert "strange" not in log
    assert sorted(path.name for path in (folder.path / "here").iterdir() if path.is_dir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the installer is a script")
def test_an_upgrade_starts_no_program_of_its_folder(
    folder: Folder, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an installation by pip and in one by uv, played by what `upgrade` would find there."""
    program = (
        "import sys; from freeride_core.system import upgrade; from freeride_core.cli import main\n"
        "upgrade.source_clone = upgrade.local_build = lambda: None\n"
        "upgrade.upgrade_words = lambda: {words}\n"
        "sys.argv[:] = ['freeride', 'upgrade']; main()"
    )
    by_pip = "upgrade.python_command('pip', '--version')"
    shown = run([sys.executable, "-P", "-c", program.format(words=by_pip)], environ, cwd=folder.path)
    assert folder.ran == []
    by_uv = "['uv', 'pip', 'install']"
    nowhere = {"PATH": os.pathsep.join(("", ".", str(tmp_path / "bin")))}
    missing = run([sys.executable, "-P", "-c", program.format(words=by_uv)], environ | nowhere, cwd=folder.path)
    assert (missing.returncode, folder.ran) == (1, [])
    assert "uv, which is not on the PATH" in missing.stderr
    write_script(tmp_path / "bin" / "uv", "import os; print(os.getcwd())")
    ended = run([sys.executable, "-P", "-c", program.format(words=by_uv)], environ | nowhere, cwd=folder.path)
    assert (ended.returncode, ended.stdout) == (0, f"{sys.prefix}\n"), "uv reads settings where it runs"
    assert shown.returncode in (0, 1)


@pytest.mark.parametrize("entry", ["", ".", "bin", "./bin", "../cloned"])
def test_a_program_is_found_by_absolute_entries_only(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("cloned", "cloned/bin", "own"):
        (tmp_path / place).mkdir()
        write_script(tmp_path / place / "aider", "")
    monkeypatch.chdir(tmp_path / "cloned")
    assert find_program("aider", {"PATH": entry}) is None
    own = tmp_path / "own"
    assert find_program("aider", {"PATH": os.pathsep.join((entry, str(own)))}) == str(own / "aider")
    assert find_program("nothing", {"PATH": str(own)}) is None
    (own / "aider").chmod(0o644)
    assert find_program("aider", {"PATH": str(own)}) is None or sys.platform == "win32"


def test_on_windows_the_working_folder_is_not_looked_into_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("cloned", "own"):
        (tmp_path / place).mkdir()
        write_script(tmp_path / place / "aider.bat", "")
    monkeypatch.chdir(tmp_path / "cloned")
    monkeypatch.setattr(sys, "platform", "win32")
    environ = {"PATH": str(tmp_path / "own"), "PATHEXT": ".EXE;.BAT"}
    assert find_program("aider", environ) == str(tmp_path / "own" / "aider.bat")
    assert find_program("aider.bat", environ) == str(tmp_path / "own" / "aider.bat")
    assert find_program("aider", {"PATH": "", "PATHEXT": ".BAT"}) is None


def test_folders_of_modules_are_absolute_in_a_child(tmp_path: Path) -> None:
    environ = {"PYTHONPATH": os.pathsep.join(("", ".", "src", str(tmp_path))), "A": "b"}
    assert python_environ(environ) == {"PYTHONPATH": str(tmp_path), "A": "b"}
    assert python_environ({"PYTHONPATH": ""}) == {}


def test_a_folder_of_modules_that_is_named_whole_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    core = str(ROOT / "freeride_core" / "src")
    other = str(tmp_path / "other")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "src"), other, core])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("", "src", other)))
    forget_working_folder()
    assert sys.path == [other, core]
    monkeypatch.chdir(core)
    monkeypatch.setenv("PYTHONPATH", ".")
    forget_working_folder()
    assert core in sys.path


SOURCES = [
    path
    for pattern in ("freeride_core/src", "conformance/src", "freeride_providers/*/src", "freeride_binders/*/src")
    for folder in ROOT.glob(pattern)
    for path in sorted(folder.rglob("*.py"))
]


def children_of(path: Path) -> Iterator[str]:
    """What in a source starts a program in another way than by `freeride_core.system.programs`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        words = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
        if isinstance(node, ast.List | ast.Tuple) and "-m" in words and "-P" not in words:
            yield "a command with -m and without -P"
        if isinstance(node, ast.Attribute) and node.attr in {"which", "executable"}:
            yield ast.unparse(node)
        if isinstance(node, ast.Attribute) and _SHELL.fullmatch(ast.unparse(node)):
            yield ast.unparse(node)


def test_there_is_one_way_to_start_a_program() -> None:
    found = {str(path.relative_to(ROOT)): sorted(set(children_of(path))) for path in SOURCES}
    assert {path: uses for path, uses in found.items() if uses} == {
        "freeride_core/src/freeride_core/system/programs.py": ["sys.executable"]
    }


@pytest.mark.parametrize("name", ["install.sh", "docs/plugins.md", "docs/commands.md", "conformance/README.md"])
def test_no_interpreter_is_told_to_import_from_the_folder_it_is_in(name: str) -> None:
    """But for pip, which a reader starts where nothing of ours is installed yet."""
    text = (ROOT / name).read_text("utf-8")
    assert re.findall(r"^.*python3? -m (?!uv |pip |pytest).*$|\"\$own/bin/python\" -m.*", text, re.MULTILINE) == []
