"""Names in the Python of the whole repository: a class has its own, and a test's is of bearable length."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pytest

from repository import ROOT

LONGEST_TEST_NAME = 80
FOLDERS = ("freeride_core", "freeride_providers", "freeride_binders", "conformance", "tests", "scripts")
Places = Mapping[str, list[str]]
"""The files in which each name is given."""


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All that are in it, at any depth: classes and functions are among them, and in no expression."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, block, ())
        for each in inner if isinstance(inner, list) else ():
            if isinstance(each, ast.stmt):
                yield each
            yield from statements(each)


@pytest.fixture(scope="module")
def names() -> tuple[Places, Places]:
    """The classes and the tests."""
    classes, tests = defaultdict(list), defaultdict(list)
    for path in [ROOT / "conftest.py", *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]:
        place = path.relative_to(ROOT).as_posix()
        if "/build/lib/" in place:  # what a build has left of a member
            continue
        for node in statements(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(place)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                tests[node.name].append(place)
    return classes, tests


def test_no_two_classes_have_the_same_name(names: tuple[Places, Places]) -> None:
    classes, _ = names
    assert len(classes) > 300
    assert {name: places for name, places in classes.items() if len(places) > 1} == {}


def test_no_test_has_a_name_of_more_than_80_characters(names: tuple[Places, Places]) -> None:
    _, tests = names
    assert len(tests) > 1000
    assert {name: places for name, places in tests.items() if len(name) > LONGEST_TEST_NAME} == {}
