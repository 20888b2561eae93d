"""The page for authors of plugins, replayed to the letter: its commands are run and its edits are made as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

import pytest

from distributions import dependencies, pack
from freeride_conformance.rulebook import rulebook
from programs import clean_environ, run
from repository import ROOT

PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
WALKTHROUGH = PAGE.partition("## A provider in fifteen minutes")[2].partition("\n## ")[0]
COMMANDS = [
    line for block in re.findall(r"```console\n(.*?)```", WALKTHROUGH, re.DOTALL) for line in block.splitlines()
]
EDITS = re.findall(r"`EDIT (\d)`:.*?```(python|toml)\n(.*?)```", WALKTHROUGH, re.DOTALL)
FILES = {"python": "__init__.py", "toml": "simulator.toml"}


def test_it_takes_five_edits_and_three_commands() -> None:
    assert [number for number, *_ in EDITS] == ["1", "2", "3", "4", "5"]
    kit, *commands = COMMANDS
    assert kit == "python -m pip install ./freeride_core ./conformance"
    assert [shlex.split(command)[:4] for command in commands] == [
        ["freeride", "new", "provider", "acme"],
        ["python", "-m", "pip", "install"],
        ["freeride", "certify", "acme"],
    ]


@pytest.fixture
def environ(sources: list[str | Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of a virtual environment whose pip knows what is built here, and no index."""
    backend = tmp_path_factory.mktemp("backend")
    for distribution in (
        metadata.distribution("editables"),
        metadata.distribution("hatchling"),
        *dependencies("hatchling"),
    ):
        pack(distribution, backend)
    venv = tmp_path / "venv"
    clean = clean_environ(tmp_path / "home")
    made = run([sys.executable, "-m", "venv", venv], clean)
    assert made.returncode == 0, made.stderr
    places = [place.as_uri() for place in (*sources, backend) if isinstance(place, Path)]
    return clean | {
        "PATH": os.pathsep.join((str(venv / ("Scripts" if sys.platform == "win32" else "bin")), clean.get("PATH", ""))),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_FIND_LINKS": " ".join(places),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INDEX": "1",
    }


def test_it_leads_to_a_certified_package(environ: dict[str, str], tmp_path: Path) -> None:
    said = ""
    for command in COMMANDS:
        if command.endswith("pip install --editable ./freeride-provider-acme"):
            make_edits(tmp_path / "freeride-provider-acme" / "src" / "freeride_provider_acme")
        cwd = ROOT if command == COMMANDS[0] else tmp_path
        result = run(shlex.split(command), environ, cwd=cwd, timeout_s=300)
        said = result.stdout
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    promised = re.search(r"That ends with `(provider acme .*: GOLD)`", PAGE)
    assert promised is not None
    assert promised[1] in said
    check_own_tests(environ, tmp_path / "freeride-provider-acme")


def check_own_tests(environ: dict[str, str], folder: Path) -> None:
    """What the page says of them holds for the package that it leads to, and so does its way to a README that is true."""
    [block] = re.findall(r"```python\n(.*?)```", PAGE.partition("## Tests of your own")[2], re.DOTALL)
    (folder / "tests" / "test_own.py").write_text(block, "utf-8")
    command = re.search(r"`(python -P -m freeride_conformance\.render \.)`", PAGE)
    assert command is not None
    readme = (folder / "README.md").read_text("utf-8")
    [install] = re.findall(r"^python -m pip install .*$", readme, re.MULTILINE)
    for words in (
        shlex.split(install),
        ["python", "-m", "pytest", "-q", "tests/test_own.py"],
        shlex.split(command[1]),
    ):
        result = run(words, environ, cwd=folder)
        assert result.returncode == 0, result.stdout + result.stderr
    assert "https://acme.example/account/keys" in (folder / "README.md").read_text("utf-8")


def make_edits(package: Path) -> None:
    """Replaces what stands below each mark, up to the next one, or to the hook."""
    for number, language, block in EDITS:
        path = package / FILES[language]
        above, mark, below = re.split(rf"(# EDIT {number}:[^\n]*\n(?:#[^\n]*\n)*)", path.read_text("utf-8"))
        end = re.search(r"\n# EDIT|\n\n@hookimpl|\Z", below)
        assert end is not None
        path.write_text(above + mark + block + below[end.start() :], "utf-8")


def test_its_rules_are_those_of_the_suite() -> None:
    shown = re.search(r"<!-- rules[^\n]*-->\n(.*)<!-- /rules -->", PAGE, re.DOTALL)
    assert shown is not None
    assert shown[1] == rulebook(), "run: freeride certify --rules"
