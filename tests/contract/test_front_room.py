"""The names that plugin authors import are the same for a type checker, for `import *` and for Python."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module

import pytest

import freeride_core
from repository import ROOT

SOURCE = ast.parse((ROOT / "freeride_core" / "src" / "freeride_core" / "__init__.py").read_text("utf-8"))
CHECKED = {
    alias.name: node.module or ""
    for block in SOURCE.body
    if isinstance(block, ast.If)
    for node in block.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}


def test_a_type_checker_sees_the_public_names() -> None:
    assert sorted(CHECKED) == sorted(freeride_core.__all__)


@pytest.mark.parametrize("name", freeride_core.__all__)
def test_a_public_name_is_loaded_from_where_the_type_checker_looks(name: str) -> None:
    assert getattr(freeride_core, name) is getattr(import_module(CHECKED[name]), name)
    assert name in dir(freeride_core)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = freeride_core.Nothing


def test_the_version_needs_no_other_module_of_the_core() -> None:
    code = "import sys, freeride_core; print(*(name for name in sys.modules if name.startswith('freeride_core')))"
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["freeride_core"]
