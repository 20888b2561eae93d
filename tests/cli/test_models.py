"""`freeride models`: the free models that can be used now."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from freeride_core.cli.group import app
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry
from freeride_core.settings.keys import fingerprint

SOURCE = """
from freeride_core import *

@hookimpl
def freeride_register_provider():
    return CompatibleProvider(
        api_version=1,
        name="NAME", rank=1, about=About(title="NAME cloud", homepage="h", keys_url="k", free_day="f", sign_up="s", data_use="d",
        source="s", checked="2026-11-23"), credentials=(Credential(variable="NAME_API_KEY".upper()),),
        base_url="https://NAME.example/v1", free=FreeSuffix(":free"), catalog=CompatibleCatalog(checked="2026-11-23", models=(
            Model(id="NAME/small:free", canonical="small", tier=3, context=8192, tools=False, vision=False),
            Model(id="big:free", canonical="big", tier=1, context=CONTEXT, tools=TOOLS),
            Model(id="paid", canonical="paid", tier=1),
            Model(id="NAME-embed:free", canonical="NAME-embed", operations=frozenset({Operation.EMBEDDINGS})),
        )), chat=CompatibleWire(path="/chat/completions"), embeddings=CompatibleWire(path="/embeddings"),
        limits=(LIMITS),
    )
"""
LIMIT = (
    "Limit(unit='requests', amount=20, window='minute', scope=Scope.ACCOUNT_MODEL, source='s', checked='2026-11-23'),"
)
Command = Callable[..., Result]


@pytest.fixture
def command(install: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`freeride models` with two providers."""
    for name, context, tools in (("acme", "1000", "None"), ("bcme", "2000", "True")):
        source = (
            SOURCE.replace("NAME", name)
            .replace("CONTEXT", context)
            .replace("TOOLS", tools)
            .replace("LIMITS", LIMIT if name == "acme" else "")
        )
        install(f"{name}-dist", {"freeride.providers": {name: f"{name}_plugin"}}, **{f"{name}_plugin": source})
    monkeypatch.setenv("FREERIDE_PROVIDERS", "acme,bcme")

    def run(*arguments: str, name: str = "models", **environ: str) -> Result:
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)
        return CliRunner().invoke(app, [name, *arguments])

    return run


def rows(result: Result) -> dict[str, dict[str, Any]]:
    return {row["canonical"]: row for row in json.loads(result.stdout)}


@pytest.mark.parametrize("name", ["models", "list"])
def test_one_line_a_model_best_first_embeddings_last(command: Command, name: str) -> None:
    result = command(name=name, ACME_API_KEY="a-key", BCME_API_KEY="b-key")
    assert result.exit_code == 0
    assert [line.split(maxsplit=6) for line in result.stdout.splitlines()] == [
        ["ID", "FOR", "CONTEXT", "TIER", "TOOLS", "VISION", "PROVIDERS"],
        ["big:free", "chat", "2000", "1", "yes", "?", "acme, bcme"],
        ["acme/small:free", "chat", "8192", "3", "no", "no", "acme, bcme"],
        ["acme-embed:free", "embeddings", "?", "4", "?", "?", "acme"],
        ["bcme-embed:free", "embeddings", "?", "4", "?", "?", "bcme"],
    ]


def test_only_free_models_of_providers_with_a_key_are_shown(command: Command) -> None:
    found = rows(command("--json", BCME_API_KEY="b-key"))
    assert set(found) == {"small", "big", "bcme-embed"}
    assert found["small"] == {
        "id": "bcme/small:free", "canonical": "small", "operations": ["chat.completions"], "context": 8192, "tier": 3,
        "tools": False, "vision": False, "providers": {"bcme": {"id": "bcme/small:free", "state": "ready", "left": None}},
    }  # fmt: skip


def test_the_user_s_list_says_what_is_free(command: Command) -> None:
    assert set(rows(command("--json", BCME_API_KEY="b-key", FREERIDE_BCME_FREE_MODELS="paid"))) == {"paid"}


def test_all_adds_providers_without_a_key(command: Command) -> None:
    found = rows(command("--all", "--json", BCME_API_KEY="b-key"))
    assert {name: at["state"] for name, at in found["big"]["providers"].items()} == {"bcme": "ready", "acme": "no key"}
    assert "bcme, acme (no key)" in command("--all").stdout


@pytest.mark.parametrize(
    ("spent", "text", "state", "left"),
    [
        ({}, "acme, bcme", "ready", 1),
        ({"a-key": 15}, "acme, bcme", "ready", 1),
        ({"a-key": 15, "a-key-2": 5}, "acme (75% left), bcme", "ready", 0.75),
        ({"a-key": 20, "a-key-2": 20}, "acme (used up), bcme", "used up", 0),
        ({"a-key": 19.99, "a-key-2": 19.99}, "acme (used up), bcme", "used up", 0),
    ],
)
def test_what_is_left_for_a_model_is_what_the_best_key_has(
    command: Command, freeride_home: Path, spent: dict[str, float], text: str, state: str, left: float
) -> None:
    usual = {"source": "published", "changed_at": 0, "shut_until": 0, "told_until": 0}
    entries = [
        Entry(
            "quota",
            json.dumps(["rpm", "acme", f"account:{fingerprint(key)}", "big:free"]),
            {**usual, "used": [[time.time(), used]]},
        )
        for key, used in spent.items()
    ]
    with closing(SqliteStore(freeride_home / "state.db")) as store:
        store.write(entries)
    keys = {"ACME_API_KEY": "a-key", "ACME_API_KEY_2": "a-key-2", "BCME_API_KEY": "b-key"}
    found = rows(command("--json", **keys))
    assert found["big"]["providers"] == {
        "acme": {"id": "big:free", "state": state, "left": left},
        "bcme": {"id": "big:free", "state": "ready", "left": None},
    }
    assert found["small"]["providers"]["acme"]["left"] == 1
    [line] = [line for line in command(**keys).stdout.splitlines() if line.startswith("big:free")]
    assert line.endswith(text)


def test_without_a_key_it_says_where_to_get_one(command: Command) -> None:
    result = command()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "ACME_API_KEY" in result.stderr
    for_scripts = command("--json")
    assert (for_scripts.exit_code, json.loads(for_scripts.stdout), for_scripts.stderr) == (1, [], result.stderr)


def test_where_nothing_is_free_it_says_so(command: Command) -> None:
    result = command(BCME_API_KEY="b-key", FREERIDE_BCME_FREE_MODELS="nothing-of-this-name")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no model of bcme is known to be free for you" in result.stderr


def test_the_stored_list_and_the_cooldowns_count(command: Command, freeride_home: Path) -> None:
    listed = {"id": "new:free", "canonical": "new", "operations": ["chat.completions"], "tier": 2}
    of_an_older_version = {**listed, "id": "no\x1b[31m:free", "canonical": "no"}
    cooled = {"kind": "rate_limit", "until": 4e9, "strikes": 1, "noted": 0.0}
    store = SqliteStore(freeride_home / "state.db")
    store.write(
        [
            Entry("catalog", "bcme", {"fetched": 1.0, "origin": "elsewhere", "models": [listed, of_an_older_version]}),
            Entry("cooldown", json.dumps(["bcme", f"key:{fingerprint('b-key')}", "*"]), cooled),
        ]
    )
    store.close()
    found = rows(command("--json", BCME_API_KEY="b-key"))
    assert set(found) == {"new", "bcme-embed"}
    assert found["new"]["providers"]["bcme"]["state"] == "cooling"
    assert "new:free" in command().stdout
    assert "bcme (cooling)" in command().stdout
    two_keys = rows(command("--json", BCME_API_KEY_2="another"))
    assert two_keys["new"]["providers"]["bcme"]["state"] == "ready"
