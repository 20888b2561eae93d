"""Each room's `__init__` names the room's files and what the room imports."""

from __future__ import annotations

import ast
import re

import grimp
import pytest

from repository import ROOT

CORE = ROOT / "freeride_core" / "src" / "freeride_core"
FRONT_ROOM = ("provider", "binder", "call", "answer", "model", "free", "hookspecs")
ROOMS = sorted(
    path.parent.relative_to(CORE).as_posix()
    for path in CORE.rglob("__init__.py")
    if path.parent != CORE and path.parent.relative_to(CORE).parts[0] != "cli"
)


def docstring_of(room: str) -> str:
    return ast.get_docstring(ast.parse((CORE / room / "__init__.py").read_text("utf-8"))) or ""


def room_of(module: str) -> str:
    """The room that a module is in, as a path below the core; "front" for the front room."""
    parts = module.split(".")[1:]
    while parts and "/".join(parts) not in ROOMS:
        parts.pop()
    return "/".join(parts) or "front"


def test_every_room_is_looked_at() -> None:
    assert {"compatible", "ledger/store", "gateway/http", "gateway/walk", "simulator"} <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_each_of_its_files_once(room: str) -> None:
    named = re.findall(r"^- `(\w+)`: ", docstring_of(room), re.MULTILINE)
    there = {path.stem for path in (CORE / room).glob("*.py")} - {"__init__"}
    there |= {path.parent.name for path in (CORE / room).glob("*/__init__.py")}
    assert sorted(named) == sorted(there)


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    graph = grimp.build_graph("freeride_core", exclude_type_checking_imports=True, cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            found.setdefault(room_of(module), set()).add(room_of(imported))
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_each_room_that_it_imports(room: str, imports: dict[str, set[str]]) -> None:
    sentence = docstring_of(room).split("\n\n")[-1]
    assert sentence.startswith("Imports ")
    if sentence == "Imports everything but `cli`.":
        return
    named = {name.replace(".", "/") for name in re.findall(r"`([\w.]+)`", sentence)}
    named |= {"front"} if "the front room" in sentence else set()
    own = {other for other in ROOMS if other == room or other.startswith(f"{room}/") or room.startswith(f"{other}/")}
    imported = {each for each in imports.get(room, set()) if each not in own}
    assert {each for each in imported if each not in named and each.split("/")[0] not in named} == set()
