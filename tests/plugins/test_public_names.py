"""What a plugin may import of core: the front room, the editors, and the names for its commands."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import freeride_core.cli
import freeride_core.editing
from freeride_core import Account, Answer
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


def test_the_documented_example_of_a_list_with_prices_holds() -> None:
    section = PAGE.partition("### A list with prices\n")[2].partition("\n### ")[0]
    [example] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/plugins.md", "exec"), names)
    prices = {
        "free": {"prompt": "0", "completion": "0"},
        "paid": {"prompt": "0", "completion": "2e-7"},
        "odd": {"prompt": "?"},
    }
    rows = [{"id": f"acme/{name}", "context": 9, "pricing": pricing} for name, pricing in prices.items()]
    body = json.dumps({"data": [*rows, {"id": "acme/unknown"}, "no entry"]}).encode()
    models = names["CATALOG"].parse(Answer(200, {}, body, 0.0))
    assert {model.id: names["FREE"].allows(model, Account()) for model in models} == {
        "acme/free": True,
        "acme/paid": False,
        "acme/unknown": False,
    }


def test_the_room_of_commands_lists_its_public_names() -> None:
    listed = set(re.findall(r"`(\w+)`", freeride_core.cli.__doc__ or ""))
    assert listed - {"freeride"} == set(freeride_core.cli.__all__) - {"main"}
