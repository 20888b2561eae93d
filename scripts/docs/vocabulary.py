"""The words of FreeRide as the code has them: settings, routes, errors; and as a page tells them."""

from __future__ import annotations

import ast
import dataclasses
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from freeride_core.answer import ErrorKind
from freeride_core.gateway import explanation
from freeride_core.gateway.protocols.registry import PROTOCOLS
from freeride_core.gateway.routes import OWN_PATHS
from freeride_core.settings.resolver import Settings
from page_parts import ROOT, installed

CORE = ROOT / "freeride_core" / "src" / "freeride_core"
NO_SETTINGS = {"aliases", "environ", "above_files", "origins", "provider_tables", "complaints", "stamps"}
"""Members of `Settings` that no variable sets."""


def first_cells(page: str, head: str) -> set[str]:
    """Return the code in the first column of the tables whose head begins so."""
    tables = re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, flags=re.MULTILINE)
    assert tables, head
    return {
        name for rows in tables for row in rows.splitlines() for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])
    }


@cache
def trees(folder: Path) -> list[ast.Module]:
    return [ast.parse(path.read_text("utf-8")) for path in sorted(folder.rglob("*.py"))]


@cache
def calls(folder: Path) -> list[tuple[str, ast.Call]]:
    """Every call in the sources, with the name of what is called."""
    return [
        (node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node)
        for tree in trees(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute))
    ]


def literal_dicts(folder: Path) -> Iterator[dict[str, ast.expr]]:
    """Yield every dictionary in the sources, by those of its keys that are texts."""
    for tree in trees(folder):
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                pairs = (
                    (literal(key) if key else None, value) for key, value in zip(node.keys, node.values, strict=True)
                )
                yield {key: value for key, value in pairs if key is not None}


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@cache
def setting_names() -> frozenset[str]:
    """Return every variable that is a setting of the gateway, whatever its providers are."""
    fields = {field.name for field in dataclasses.fields(Settings)} - NO_SETTINGS
    return frozenset(f"FREERIDE_{name.upper()}" for name in fields)


@cache
def plugin_names() -> frozenset[str]:
    """Every variable that an installed provider's package declares, or that stands for one of its settings."""
    names: set[str] = set()
    for name, each in installed().providers.items():
        names |= {f"FREERIDE_{name.upper()}_{setting}" for setting in ("BASE_URL", "FREE_MODELS", "LIMITS")}
        names |= set(each.free_models_variables)
        for credential in each.credentials:
            names |= {credential.variable, *credential.aliases, *credential.account_aliases}
            names |= {credential.account_variable} if credential.account_variable else set()
    return frozenset(names)


def served_routes() -> set[str]:
    """Method and path of each, `{id}` for a model's."""
    return {f"{route.method} {route.path}" for each in PROTOCOLS for route in each.routes} | {
        f"GET {path}" for path in OWN_PATHS
    }


def _literals(keyword: str) -> set[str]:
    """What the gateway gives as this member of an error: literals, and the kinds that a failure can have."""
    given = {
        word
        for name, call in calls(CORE / "gateway")
        if name in {"ClientError", "bad_request"}
        for each in call.keywords
        if each.arg == keyword and (word := literal(each.value))
    }
    if keyword == "code":
        # The door's and the other routes' own makers take it last.
        given |= {
            word
            for name, call in calls(CORE / "gateway")
            if name in {"_refuse", "_error"} and len(call.args) > 2 and (word := literal(call.args[-1]))
        }
    return given


def error_types() -> set[str]:
    """Of all errors that the gateway answers with."""
    return _literals("type") | {"invalid_request_error"}


def error_codes() -> set[str]:
    """Return every code: the gateway's own, those that replace a kind for the client, and the kinds."""
    return _literals("code") | {str(kind) for kind in ErrorKind} | {*explanation._CODES.values(), "mixed"}


def told_commands(path: Path) -> Iterator[list[str]]:
    """Every `freeride ...` that a page shows as something to type, in words."""
    text = path.read_text("utf-8")
    typed = re.findall(r"`(?:\$ )?(freeride [^`\n]+)`", text)
    for block in re.findall(r"```(?:console|sh|bash)?\n(.*?)```", text, flags=re.DOTALL):
        typed += re.findall(r"^(?:\$ )?(?:.*&& )?(?:python -m uv run )?(freeride [a-z-].*)$", block, flags=re.MULTILINE)
    typed += re.findall(r"^    (freeride [a-z-].*)$", text, flags=re.MULTILINE)
    for line in typed:
        words = shlex.split(line.partition("  #")[0].partition("|")[0])
        if words[1] != "gateway":  # what `serve` says, not what is typed
            yield words[1:]
