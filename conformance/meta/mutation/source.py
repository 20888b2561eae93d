"""Mutants of the code of a package: one operator, constant or return of a function changed, and the package loaded anew."""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from freeride_conformance.subject import PluginOrigin
from freeride_core.provider import Provider

_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def rewritten(origin: PluginOrigin) -> Iterator[tuple[str, Provider]]:
    """Every mutant of the functions of a package, as the provider that it then registers."""
    package = Path(importlib.import_module(origin.package).__file__ or "").parent
    for path in sorted(package.glob("*.py")):
        module = origin.package if path.stem == "__init__" else f"{origin.package}.{path.stem}"
        tree = ast.parse(path.read_text("utf-8"))
        for words, mutated in _mutated(tree):
            provider = _loaded(origin.package, module, mutated, path)
            if provider is not None:
                yield f"{path.name}: {words}", provider


def _mutated(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    places = [node for function in _functions(tree) for node in _body(function)]
    for at, node in enumerate(places):
        for number in range(3):
            other = copy.deepcopy(tree)
            twin = [found for function in _functions(other) for found in _body(function)][at]
            words = _change(twin, number)
            if words is None:
                break
            line = f"{ast.unparse(node)}".splitlines()[0][:60]
            yield f"{_where(tree, node)}: {line!r} {words}", ast.fix_missing_locations(other)


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """But for the one that registers: what it states is changed on the provider itself."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and not node.decorator_list]


def _body(function: ast.FunctionDef) -> list[ast.AST]:
    """What is to be changed, without docstrings, annotations and the parts of f-strings."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = [*function.body, *function.args.defaults]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        found.append(node)
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.AnnAssign):
            children.remove(node.annotation)
        waiting = [*children, *waiting]
    return found


def _where(tree: ast.Module, node: ast.AST) -> str:
    owner = next(function.name for function in _functions(tree) if node in _body(function))
    return f"{owner}"


def _change(node: ast.AST, number: int) -> str | None:
    """Changes a node in place: in its `number`-th way; None: there is none."""
    if isinstance(node, ast.Constant):
        return _change_constant(node, number)
    if number:
        return None
    if isinstance(node, ast.Compare):
        node.ops[0] = _NEGATED[type(node.ops[0])]()
        return "negated"
    if isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        return "with and for or, or for and"
    if isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "None":
        node.value = ast.Constant(None)
        return "gives None"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
        return "without not"
    if isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
        return "with its branches swapped"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max", "all", "any"):
        node.func.id = {"min": "max", "max": "min", "all": "any", "any": "all"}[node.func.id]
        return "turned round"
    return None


def _change_constant(node: ast.Constant, number: int) -> str | None:
    value = node.value
    choices: tuple[object, ...] = ()
    if isinstance(value, bool) or value is None:
        choices = (not value,)
    elif isinstance(value, int):
        choices = (value + 1,)
    elif isinstance(value, str) and " " not in value:  # else it is written for people
        choices = (value + "x",) if value else ("x",)
    elif isinstance(value, bytes):
        choices = (value + b"x",)
    if number >= len(choices):
        return None
    node.value = choices[number]  # type: ignore[assignment] # a constant of the same type
    return f"-> {choices[number]!r}"


def _loaded(package: str, module: str, tree: ast.Module, path: Path) -> Provider | None:
    """What the package registers with that module in the place of its own; None: it does not load."""
    code = compile(tree, str(path), "exec")
    source = path.with_name("__init__.py")
    with _unloaded(package), contextlib.suppress(Exception):
        parent = _made(package, source, is_package=True)
        sys.modules[package] = parent
        if module == package:
            exec(code, vars(parent))
        else:
            sys.modules[module] = made = _made(module, path, is_package=False)
            exec(code, vars(made))
            exec(compile(source.read_text("utf-8"), str(source), "exec"), vars(parent))
        provider: Provider = parent.freeride_register_provider()
        return provider
    return None


def _made(name: str, path: Path, *, is_package: bool) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent)] if is_package else None
    )
    assert spec is not None
    return importlib.util.module_from_spec(spec)


@contextlib.contextmanager
def _unloaded(package: str) -> Iterator[None]:
    """A time in which the package is not there; afterwards it is as it was."""
    own = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == package}
    for name in own:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        sys.modules.update(own)
