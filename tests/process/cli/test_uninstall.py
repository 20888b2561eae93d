"""`freeride uninstall`: every binding is undone, and what else there is to remove is said."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from programs import clean_environ, run
from repository import ROOT
from served_gateway import FREERIDE


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return clean_environ(tmp_path / "user")


def test_every_binding_is_undone_and_the_rest_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    agents = ("aider", "continue")
    before = set(Path(environ["HOME"]).rglob("*"))
    for agent in agents:
        assert run([*FREERIDE, "bind", agent], environ, cwd=tmp_path).returncode == 0
    bound = [path for path in Path(environ["HOME"]).rglob("*") if path.is_file() and ".freeride" not in path.parts]
    assert len(bound) == 2
    shown = run([*FREERIDE, "uninstall", "--dry-run"], environ, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert all(path.exists() for path in bound)
    ended = run([*FREERIDE, "uninstall"], environ, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert [path for path in bound if path.exists()] == []
    assert before <= set(Path(environ["HOME"]).rglob("*"))
    assert f"rm -rf {shlex.quote(environ['FREERIDE_HOME'])}" in ended.stdout or "Remove-Item" in ended.stdout
    assert (
        f"FreeRide runs from a clone of its source. Delete that folder:\n     rm -rf {shlex.quote(str(ROOT))}"
        in ended.stdout
    )
    again = run([*FREERIDE, "uninstall"], environ, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "No agent is bound.\n")


def test_a_binding_that_cannot_be_undone_is_told_and_the_others_are_undone(
    environ: dict[str, str], tmp_path: Path
) -> None:
    for agent in ("aider", "llm"):
        assert run([*FREERIDE, "bind", agent], environ, cwd=tmp_path).returncode == 0
    home = Path(environ["HOME"])
    [aider] = home.glob(".aider.conf.yml")
    [llm] = home.rglob("extra-openai-models.yaml")
    aider.write_text("a: [half\n")
    ended = run([*FREERIDE, "uninstall"], environ, cwd=tmp_path)
    assert ended.returncode == 1
    assert "1 of 2 bindings could not be undone" in ended.stderr
    assert (aider.exists(), llm.exists()) == (True, False)
