"""The command line as a user starts it: in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from freeride_core import __version__
from freeride_core.cli.group import BUILT_IN, SECTIONS
from programs import started

HEAVY = (
    "httpx",
    "uvicorn",
    "rich",
    "stevedore",
    "pydantic",
    "httptools",
    "sqlite3",
    "asyncio",
)
EMPTY_SITE = """
import sys
from importlib import metadata
from importlib.metadata import EntryPoints
metadata.entry_points = lambda **_: EntryPoints()
sys.argv[0] = "freeride"
from freeride_core.cli import main
main()
"""

TOOLS = """
import typer

app = typer.Typer()

@app.command()
def function(times: int = 1):
    '''Help of acme.'''
    typer.echo("acme" * times)
"""


def freeride(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "freeride_core", *arguments],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, env={**os.environ, **environ},
    )  # fmt: skip


def imported_by(*arguments: str) -> set[str]:
    program = (
        "import sys, atexit; sys.argv[:] = ['freeride', *sys.argv[1:]]\n"
        "atexit.register(lambda: print('\\n' + ' '.join(sys.modules), file=sys.stderr))\n"
        "from freeride_core.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(ended.stderr.split())


def test_the_version_is_one_line_on_stdout() -> None:
    for arguments in (("--version",), ("-V",), ("version",)):
        ended = freeride(*arguments)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"freeride {__version__}\n", "")
    assert json.loads(freeride("version", "--json").stdout) == {"version": __version__}
    assert not {"typer", "freeride_core.cli.group"} & imported_by("--version")


def test_help_lists_every_command_and_imports_none() -> None:
    ended = freeride("--help")
    assert ended.returncode == 0
    for name, (_, summary) in BUILT_IN.items():
        assert f"  {name}" in ended.stdout
        assert summary in ended.stdout
    modules = imported_by("--help")
    assert not {name for name in HEAVY if name in modules}
    assert not {
        name for name in modules if name.startswith(("freeride_core.gateway", "freeride_provider", "freeride_binder"))
    }
    own = {name.removeprefix("freeride_core.cli.") for name in modules if name.startswith("freeride_core.cli.")}
    assert own == {"group", "program"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_command_has_help(name: str) -> None:
    ended = freeride(name, "-h")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"Usage: freeride {name}")
    assert "--install-completion" not in ended.stdout
    assert re.findall(r"<(?:str|int|float|path|list\[|\w+ range)[^>]*>", ended.stdout) == []


def test_help_groups_the_commands() -> None:
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(BUILT_IN)
    sections = [line.rstrip(":") for line in freeride("-h").stdout.splitlines() if re.fullmatch(r"[\w ]+:", line)]
    assert [*SECTIONS, "openclaw"] == sections[1:]


SCRIPTS = {"bash": "complete -o default -F", "zsh": "#compdef freeride", "fish": "complete --command freeride"}


@pytest.mark.parametrize("shell", [*SCRIPTS, "powershell"])
def test_a_shell_gets_its_script(shell: str) -> None:
    ended = freeride("completion", shell)
    assert ended.returncode == 0
    assert SCRIPTS.get(shell, "Register-ArgumentCompleter -Native -CommandName freeride") in ended.stdout
    assert "_FREERIDE_COMPLETE" in ended.stdout


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("freeride ke", {"keys"}),
        ("freeride init gr", {"groq"}),
        ("freeride bind aid", {"aider"}),
        ("freeride keys --ch", {"--check"}),
        ("freeride openclaw ro", {"rotate"}),
        ("freeride completion z", {"zsh"}),
    ],
)
def test_a_shell_completes_commands_names_and_options(line: str, completions: set[str]) -> None:
    words = line.split()
    ended = freeride(COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), _FREERIDE_COMPLETE="complete_bash")
    assert (ended.returncode, set(ended.stdout.split())) == (0, completions), ended.stderr


def test_completing_a_command_imports_none(install: Any) -> None:
    source = "raise SystemExit('imported')"
    folder = install("acme-tools", {"freeride.commands": {"acme": "acme_tools:acme"}}, acme_tools=source)
    for shell, environ in (("bash", {"COMP_WORDS": "freeride acm", "COMP_CWORD": "1"}), ("fish", {})):
        asked = {"_TYPER_COMPLETE_ARGS": "freeride acm", "_TYPER_COMPLETE_FISH_ACTION": "get-args", **environ}
        ended = freeride(PYTHONPATH=str(folder), _FREERIDE_COMPLETE=f"complete_{shell}", **asked)
        assert (ended.stdout.strip(), ended.stderr) == ("acme", "")


def test_a_command_s_help_needs_no_gateway() -> None:
    for name in ("keys", "models", "plugins", "version"):
        modules = imported_by(name, "--help")
        assert not {"httpx", "uvicorn", "stevedore", "rich"} & modules


def test_list_is_another_name_for_models() -> None:
    assert freeride("list", "--help").stdout.splitlines()[1:] == freeride("models", "--help").stdout.splitlines()[1:]


def test_an_unknown_command_is_one_line_and_exit_2() -> None:
    ended = freeride("sevre")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "freeride: there is no command 'sevre'; did you mean serve? `freeride --help` lists them\n"


def test_an_unknown_option_is_exit_2_without_a_traceback() -> None:
    for arguments in (("--nope",), ("keys", "--nope")):
        ended = freeride(*arguments)
        assert ended.returncode == 2
        assert "--nope" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_bad_setting_is_one_line_and_exit_1() -> None:
    ended = freeride("keys", FREERIDE_CONNECT_TIMEOUT="soon")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        "freeride: FREERIDE_CONNECT_TIMEOUT is not a number of seconds above 0: write for example 5 or 2.5"
    ]


class TestCommandsOfPlugins:
    """Each in a folder that a process of its own finds on its path."""

    GROUP = "freeride.commands"

    def run(self, folders: list[Path], *arguments: str) -> subprocess.CompletedProcess[str]:
        return freeride(*arguments, PYTHONPATH=os.pathsep.join(map(str, folders)))

    def test_they_are_listed_by_name_and_distribution_without_being_imported(self, install: Any) -> None:
        folder = install(
            "acme-tools", {self.GROUP: {"acme": "acme_tools:acme"}}, acme_tools="raise SystemExit('imported')"
        )
        ended = self.run([folder], "--help")
        assert ended.returncode == 0
        lines = [line.split() for line in ended.stdout.partition("Plugins:\n")[2].splitlines()]
        assert ["acme", "from", "acme-tools"] in lines
        assert ["new", "from", "freeride-conformance"] in lines
        assert "imported" not in ended.stderr

    @pytest.mark.parametrize("target", ["function", "app"])
    def test_a_function_or_an_app_is_run(self, install: Any, target: str) -> None:
        folder = install("acme-tools", {self.GROUP: {"acme": f"acme_tools:{target}"}}, acme_tools=TOOLS)
        ended = self.run([folder], "acme", "--times", "2")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "acmeacme\n", "")
        assert "Help of acme." in self.run([folder], "acme", "--help").stdout

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("import nothing_of_this_name", "ModuleNotFoundError"),
            ("raise SystemExit(0)", "SystemExit"),
            ("assert False", "AssertionError"),
            ("acme = 3", "TypeError"),
            ("", "AttributeError"),
        ],
    )
    def test_a_broken_one_is_one_line_and_exit_1(self, install: Any, source: str, reason: str) -> None:
        folder = install("acme-tools", {self.GROUP: {"acme": "acme_tools:acme"}}, acme_tools=source)
        ended = self.run([folder], "acme")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith(f"freeride: the command 'acme' from acme-tools cannot be loaded: {reason}")
        assert len(ended.stderr.splitlines()) == 1

    def test_two_of_one_name_do_not_run(self, install: Any) -> None:
        folders = [
            install(f"acme-{n}", {self.GROUP: {"acme": f"acme_{n}:acme"}}, **{f"acme_{n}": "def acme(): print(1)"})
            for n in ("one", "two")
        ]
        ended = self.run(folders, "acme")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "from acme-one, acme-two: uninstall all but one" in ended.stderr

    def test_a_built_in_name_cannot_be_taken_over(self, install: Any) -> None:
        folder = install("acme-tools", {self.GROUP: {"version": "acme_tools:acme"}}, acme_tools="raise SystemExit(9)")
        assert self.run([folder], "version").stdout == f"freeride {__version__}\n"

    @pytest.mark.skipif(sys.platform == "win32", reason="signals are sent the POSIX way")
    @pytest.mark.parametrize("stage", ["while it is imported", "while it runs"])
    def test_ctrl_c_leaves_no_traceback(self, install: Any, stage: str) -> None:
        wait = "import sys, time; print('here', flush=True); time.sleep(60)"
        source = f"{wait}\ndef acme(): pass" if stage == "while it is imported" else f"def acme():\n    {wait}"
        folder = install("acme-tools", {self.GROUP: {"acme": "acme_tools:acme"}}, acme_tools=source)
        environ = {**os.environ, "PYTHONPATH": str(folder)}
        with started([sys.executable, "-m", "freeride_core", "acme"], environ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "Traceback" not in err


def test_core_without_any_plugin_says_what_to_install() -> None:
    for command, code in (("plugins", 0), ("keys", 1), ("models", 1)):
        ended = subprocess.run(
            [sys.executable, "-c", EMPTY_SITE, command], capture_output=True, text=True, timeout=60, check=False
        )
        assert (ended.returncode, ended.stdout) == (code, "")
        assert "pip install freeride-gateway" in ended.stderr


def test_plugins_are_a_table_or_json(install: Any) -> None:
    folder = install(
        "acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin="assert False, 'not today'"
    )
    ended = freeride("plugins", PYTHONPATH=str(folder))
    assert ended.returncode == 0
    titles, *lines = ended.stdout.splitlines()
    assert titles.split() == ["KIND", "NAME", "DISTRIBUTION", "VERSION", "API", "STATUS", "REASON"]
    (line,) = [line for line in lines if "acme-dist" in line]
    assert line.split(maxsplit=6) == [
        "provider",
        "acme",
        "acme-dist",
        "1.2.3",
        "-",
        "broken",
        "AssertionError: not today",
    ]
    rows = json.loads(freeride("plugins", "--json", PYTHONPATH=str(folder)).stdout)
    assert {
        "kind": "provider", "name": "acme", "distribution": "acme-dist", "version": "1.2.3", "api": None, "status": "broken",
        "reason": "AssertionError: not today",
    } in rows  # fmt: skip
