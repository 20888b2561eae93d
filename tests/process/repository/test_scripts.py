"""The scripts of developers: what they say where they cannot work, and which tests the quick one leaves out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from changed_tests import places_for
from programs import run, write_script
from repository import ROOT

SCRIPTS = ROOT / "scripts"
needs_bash = pytest.mark.skipif(sys.platform == "win32", reason="scripts of bash")
HEAVY = ("process", "build", "clients", "fuzz", "meta")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine whose Python has no uv."""
    write_script(tmp_path / "python", f"import sys; sys.exit('no module, but {sys.executable}')\n")
    return {"PATH": os.pathsep.join((str(tmp_path), "/usr/bin", "/bin"))}


@needs_bash
@pytest.mark.parametrize("name", ["test", "check", "bench", "clients"])
def test_a_script_says_how_to_get_uv_where_there_is_none(name: str, environ: dict[str, str], tmp_path: Path) -> None:
    ended = run([SCRIPTS / name], environ)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"uv is not installed for {tmp_path / 'python'}. Run: {tmp_path / 'python'} -m pip install uv\n"
    )


def test_the_generator_of_pages_says_how_to_get_uv_where_there_is_none() -> None:
    ended = run([sys.executable, "-I", "-S", SCRIPTS / "docs"], {})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.endswith(f"Run: {sys.executable} -m pip install uv\n")


@needs_bash
@pytest.mark.parametrize("name", ["check", "clients"])
def test_a_script_refuses_an_option_that_it_does_not_have(name: str, environ: dict[str, str]) -> None:
    ended = run([SCRIPTS / name, "--everything"], environ)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"usage: scripts/{name} [")


def test_every_test_in_a_heavy_folder_is_left_out_of_the_quick_loop() -> None:
    assert f"for folder in {' '.join(HEAVY)}; do" in (SCRIPTS / "test").read_text("utf-8")
    folders = [
        *(f"tests/{folder}" for folder in HEAVY[:-1]),
        "conformance/meta",
        "freeride_binders/openclaw/tests/process",
    ]
    assert all(list((ROOT / folder).rglob("test_*.py")) for folder in folders)
    light = [f"--ignore-glob=*/{folder}/*" for folder in HEAVY]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *light]
    ended = run([*command, *folders], os.environ, cwd=ROOT)
    assert ended.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        (["README.md"], []),
        (["freeride_core/src/freeride_core/provider.py"], ["tests/contract"]),
        (["freeride_core/src/freeride_core/gateway/walk/walk.py"], ["tests/gateway/walk"]),
        (
            [
                "freeride_core/src/freeride_core/gateway/relay.py",
                "freeride_core/src/freeride_core/gateway/walk/walk.py",
            ],
            ["tests/gateway"],
        ),
        (["freeride_providers/groq/src/freeride_provider_groq/models.py"], ["freeride_providers/groq/tests"]),
        (["tests/ledger/test_usage.py", "tests/ledger/test_that_is_gone.py"], ["tests/ledger/test_usage.py"]),
        (["tests/repository/test_names.py"], []),
    ],
)
def test_a_change_is_tested_by_the_folder_of_its_room(changed: list[str], tests: list[str]) -> None:
    assert set(places_for(changed)) == {"tests/repository", *tests}
