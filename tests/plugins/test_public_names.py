"""What a plugin may import of core: the front room, the editors, and the names for its commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import freeride_core.cli
import freeride_core.editing
from repository import ROOT

PAGE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
PUBLIC = ("freeride_core", "freeride_core.editing", "freeride_core.cli")
PACKAGES = sorted(
    folder
    for pattern in ("freeride_*/*/src/freeride_*", "tests/third_party/*/src/*", "conformance/meta/specimen/*")
    for folder in ROOT.glob(pattern)
    if folder.is_dir() and folder.name != "__pycache__"
)


def imports_of_core(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Each name with its module, and the file that imports it."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name, "") for alias in node.names if alias.name.startswith("freeride_core"))
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("freeride_core"):
                yield from ((path, node.module or "", alias.name) for alias in node.names)


def test_there_are_packages_to_look_at() -> None:
    assert len(PACKAGES) > 24


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_a_plugin_imports_public_names_alone(folder: Path) -> None:
    for path, module, name in imports_of_core(folder):
        assert module in PUBLIC, f"{path.name} imports {module}"
        assert not name or name == "__version__" or name in import_module(module).__all__, f"{path.name}: {name}"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_had(name: str) -> None:
    module = import_module(name)
    assert all(getattr(module, each) is not None for each in module.__all__)


def test_the_page_for_authors_names_all_that_is_for_them() -> None:
    commands = PAGE.partition("### Commands\n")[2].partition("\n### ")[0]
    rows = "".join(re.findall(r"^\| (`.*?) \|", commands, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == set(freeride_core.cli.__all__) - {"main"}
    binder = PAGE.partition("\n## A binder\n")[2].partition("\n## ")[0]
    assert all(f"`{name}`" in binder for name in freeride_core.editing.__all__)
    named = set(re.findall(r"freeride_core\.(\w+(?:\.\w+)*)", PAGE))
    to_read, for_tests = (
        {"hookspecs", "provider", "compatible.provider"},
        {"plugins.discovery", "simulator.profile_file"},
    )
    assert named == {"editing", "cli"} | to_read | for_tests


def test_the_documented_example_of_an_editor_holds() -> None:
    [example] = [
        block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "freeride_core.editing" in block
    ]
    exec(compile(example, "docs/plugins.md", "exec"), {})


def test_the_room_of_commands_lists_its_public_names() -> None:
    listed = set(re.findall(r"`(\w+)`", freeride_core.cli.__doc__ or ""))
    assert listed - {"freeride"} == set(freeride_core.cli.__all__) - {"main"}
