"""`freeride quota`: what is left of each free tier, and when there is more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from freeride_core.answer import Scope
from freeride_core.cli.group import app
from freeride_core.cli.quota import board_lines
from freeride_core.cli.quota_text import bar, left_of, sentence_of, short, span
from freeride_core.ledger.quota.allowance import AmountSource
from freeride_core.ledger.quota.board import Board, BoardKey, BoardRow, FreeTier, read_board
from freeride_core.ledger.quota.quotas import QuotaMode
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry
from freeride_core.limit import Limit, LimitKind
from freeride_core.model import Model
from freeride_core.provider import Key
from freeride_core.settings.keys import fingerprint

KEY = "ak_goodgoodgood1"
SOURCE = """
from freeride_core import *

LIMIT = dict(source="s", checked="2026-11-23")

@hookimpl
def freeride_register_provider():
    return CompatibleProvider(
        api_version=1,
        name="acme", rank=1, about=About(title="Acme Cloud", homepage="h", keys_url="https://acme.example/keys", free_day="f",
        sign_up="s", data_use="d", source="s", checked="2026-11-23"),
        credentials=(Credential(variable="ACME_API_KEY"),),
        base_url="https://acme.example/v1", free=FreeSuffix(":free"),
        catalog=CompatibleCatalog(checked="2026-11-23", models=MODELS, path="/models"),
        chat=CompatibleWire(path="/chat/completions"), limits=(LIMITS),
    )
"""
MODELS = "(Model(id='m:free', canonical='m'), Model(id='paid', canonical='paid'))"
DAY = "Limit(unit='requests', amount=50, window='day', scope=Scope.ACCOUNT, **LIMIT),"
Command = Callable[..., Result]


@pytest.fixture
def quota(install: Any, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`freeride quota` with one provider."""

    def run(*arguments: str, limits: str = DAY, models: str = MODELS, **environ: str) -> Result:
        source = SOURCE.replace("(LIMITS)", f"({limits})").replace("MODELS", models)
        install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=source)
        for name, value in {"FREERIDE_PROVIDERS": "acme", "ACME_API_KEY": KEY, **environ}.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(app, ["quota", *arguments])
        assert KEY[3:11] not in result.output
        return result

    return run


def keep(home: Path, **value: Any) -> None:
    """What a gateway has left in the state."""
    usual = {"used": 0, "amount": 1.0, "source": "published", "changed_at": 0.0, "shut_until": 0.0, "told_until": 0.0}
    name = json.dumps(["rpd", "acme", f"account:{fingerprint(KEY)}", "*"])
    with closing(SqliteStore(home / "state.db")) as store:
        store.write([Entry("quota", name, {**usual, **value})])


def test_it_shows_what_a_gateway_has_counted_and_starts_none(quota: Command, freeride_home: Path) -> None:
    keep(freeride_home, used=[[time.time(), 14.0]])
    titles, owner, row, *rest = quota().stdout.splitlines()
    assert titles.split() == ["MODELS", "LIMIT", "LEFT", "FREE", "AGAIN"]
    assert owner == "acme (ACME_API_KEY)"
    assert row.split()[:7] == ["all", "models", "rpd", "███████░░░", "36", "of", "50"]
    assert row.split()[7:10] == ["?", "all", "in"]
    assert rest == ["", "Amounts: = told by the provider, ~ learned from its answers, ? published or set by you."]


def test_scripts_get_one_object(quota: Command, freeride_home: Path) -> None:
    keep(freeride_home, used=[[time.time(), 14.0]], source="told", amount=40.0)
    found = json.loads(quota("--json").stdout)
    assert (found["mode"], found["no_known_limits"]) == ("on", [])
    [row] = found["limits"]
    assert row.pop("frees_at") == row.pop("full_at") > time.time()
    assert row == {
        "provider": "acme",
        "keys": [{"index": 0, "variable": "ACME_API_KEY"}],
        "models": ["m:free"],
        "is_each": False,
        "name": "rpd",
        "unit": "requests",
        "window": "day",
        "kind": "fixed",
        "amount": 40.0,
        "source": "told",
        "used": 14.0,
        "left": 26.0,
        "shut_until": None,
    }


def test_a_users_own_limit_is_the_one_that_is_shown(quota: Command) -> None:
    [row] = json.loads(quota("--json", FREERIDE_ACME_LIMITS="rpd=1000").stdout)["limits"]
    assert (row["amount"], row["left"]) == (1000, 1000)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"limits": ""}, "No limits are known of acme: requests go there until they are refused."),
        ({"FREERIDE_ACME_LIMITS": "none"}, "No limits are known of acme: requests go there until they are refused."),
        ({"FREERIDE_QUOTA": "off"}, "Nothing is counted, because FREERIDE_QUOTA is off."),
        ({"FREERIDE_QUOTA": "watch"}, "FREERIDE_QUOTA is watch: requests are counted, and none is held back."),
        ({"models": "()"}, "No free models are known yet. The first start of `freeride serve` loads the lists."),
    ],
)
def test_a_sentence_says_why_there_is_no_more_to_see(quota: Command, arguments: dict[str, str], line: str) -> None:
    result = quota(**arguments)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, line)


def test_without_a_key_it_says_where_to_get_one(quota: Command) -> None:
    result = quota("--json", ACME_API_KEY="")
    assert (result.exit_code, json.loads(result.stdout)["limits"]) == (1, [])
    assert "https://acme.example/keys  ->  ACME_API_KEY" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(["--watch"], 1, "this is not one"), (["--watch", "--json"], 2, "leave out --json")],
)
def test_only_a_terminal_is_redrawn(quota: Command, arguments: list[str], code: int, words: str) -> None:
    result = quota(*arguments)
    assert result.exit_code == code
    assert words in result.stderr


# Words

NOW = 1_790_000_000.0


def row(**more: Any) -> BoardRow:
    usual: dict[str, Any] = {
        "provider": "acme", "keys": (BoardKey(0, "ACME_API_KEY"),), "models": ("a/one-model",), "is_each": False,
        "name": "rpm", "unit": "requests", "window": "minute", "kind": LimitKind.ROLLING, "amount": 20.0,
        "source": AmountSource.PUBLISHED, "used": 0.0, "left": 20.0, "frees_at": None, "full_at": None, "shut_until": None,
    }  # fmt: skip
    return BoardRow(**{**usual, **more})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "all models: 20 of 20 requests a minute ?"),
        ({"source": AmountSource.TOLD, "left": 6.9, "full_at": NOW + 59.2, "frees_at": NOW + 3},
         "6 of 20 requests a minute =, all in 60s"),
        ({"left": 0.0, "full_at": NOW + 59, "frees_at": NOW + 3}, "0 of 20 requests a minute ?, some in 3s, all in 59s"),
        ({"left": 0.0, "full_at": NOW + 59, "frees_at": NOW + 59}, "0 of 20 requests a minute ?, all in 59s"),
        ({"source": AmountSource.LEARNED, "shut_until": NOW + 30}, "20 of 20 requests a minute ~, closed for 30s"),
        ({"unit": "tokens_in", "amount": 250e3, "left": 41234.0}, "41,234 of 250,000 prompt tokens a minute ?"),
        ({"kind": LimitKind.CONCURRENCY, "amount": 1.0, "left": 1.0}, "1 of 1 requests at a time ?"),
    ],
)  # fmt: skip
def test_a_limit_is_told_in_a_sentence(more: dict[str, Any], words: str) -> None:
    only = row(**more)
    assert sentence_of(only, [only], NOW).endswith(words)


def test_which_models_is_said_in_a_few_words() -> None:
    rows = [
        row(name="rpd", models=("a", "b", "c", "d")),
        row(models=("a",)),
        row(models=("b", "c", "d"), is_each=True),
        row(name="tpm", models=("a", "b", "c", "d"), is_each=True),
        row(name="tpd", models=("a", "b"), is_each=True),
        row(name="tpd", models=("c", "d"), is_each=True),
        row(name="rph", models=("c", "d")),
        row(provider="orbit", models=("z",)),
    ]
    said = [sentence_of(each, rows, NOW).partition(":")[0] for each in rows]
    assert said == [
        *("all models", "a", "each other model", "each model", "a and 1 more, each", "c and 1 more, each"),
        *("c and 1 more", "all models"),
    ]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0"),
        (0.5, "0.5"),
        (999, "999"),
        (4931, "4.93k"),
        (10_000, "10k"),
        (200_000, "200k"),
        (999_600, "1M"),
        (1.5e6, "1.5M"),
    ],
)
def test_amounts_are_short(amount: float, text: str) -> None:
    assert short(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"), (0.2, "1s"), (119, "119s"), (120, "2m00s"), (3599, "59m59s"), (18731, "5h12m"), (86400, "24h00m"),
        (2 * 86400 + 3600, "2d1h"),
    ],
)  # fmt: skip
def test_times_are_short(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("left", "picture"),
    [(20, "█████"), (19.9, "████░"), (10, "██░░░"), (0.1, "█░░░░"), (0, "░░░░░")],
)
def test_a_bar_is_full_or_empty_only_where_the_limit_is(left: float, picture: str) -> None:
    assert bar(row(left=left), 5, "utf-8") == picture
    assert bar(row(left=left), 5, "cp1252") == picture.replace("█", "#").replace("░", "-")


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_the_table_fits_the_terminal(columns: int) -> None:
    rows = [
        row(provider="openrouter", keys=(BoardKey(0, "OPENROUTER_API_KEY"), BoardKey(1, "OPENROUTER_API_KEY_2"))),
        row(models=("openai/gpt-oss-120b-with-a-long-name",), left=0.0, frees_at=NOW + 3, full_at=NOW + 86000),
        row(models=("one", "two"), name="neurons", amount=10e3, left=9e3, full_at=NOW + 50000, frees_at=NOW + 50000),
    ]
    rows.append(row(name="tpd", amount=200e3, left=41.2e3))
    lines = list(board_lines(Board(QuotaMode.WATCH, NOW, tuple(rows), ("orbit",)), columns, "utf-8"))
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "OPENROUTER_API_KEY_2 k1" in " ".join(text.split())
    assert left_of(rows[1]) in text
    assert "██" in text


def test_a_hundred_models_that_have_used_nothing_are_one_line() -> None:
    ledger = Ledger(lambda: NOW, lambda _: None)
    facts: dict[str, Any] = {"unit": "requests", "source": "s", "checked": "2026-11-23", "scope": Scope.ACCOUNT_MODEL}
    ledger.quotas.follow({"acme": (Limit(**facts, amount=30, window="minute"),)}, QuotaMode.ON)
    key = Key(
        provider="acme", secret="", fingerprint="f", index=0, variable="ACME_API_KEY", base_url="http://127.0.0.1"
    )
    models = [Model(id=f"m{number}", canonical=f"m{number}") for number in range(100)]
    board = read_board(ledger.quotas, [FreeTier("acme", [key], models)], NOW)
    assert len(list(board_lines(board, None, "utf-8"))) == 5
