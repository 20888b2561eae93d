"""The board: what is left of every limit, and when more is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from freeride_core import Limit, Model, Operation, Scope
from freeride_core.ledger.quota.board import Board, BoardRow, FreeTier, read_board
from freeride_core.ledger.quota.quotas import QuotaMode
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.store.store import Entry
from freeride_core.limit import LimitKind
from freeride_core.provider import Key

NOW = 1_790_000_000.0
MIDNIGHT = 1_790_035_200.0
SECRET = "ak_secretsecret"
FACTS: Mapping[str, Any] = {"unit": "requests", "source": "s", "checked": "2026-11-23", "scope": Scope.ACCOUNT}
DAY = Limit(**FACTS, amount=50, window="day")
MINUTE_EACH = Limit(**{**FACTS, "scope": Scope.ACCOUNT_MODEL}, amount=20, window="minute")


def key_of(index: int, account: str | None = None) -> Key:
    return Key(
        provider="acme", secret=f"{SECRET}{index}", fingerprint=f"f{index}", index=index, variable=f"ACME_{index}",
        account_id=account, base_url="http://127.0.0.1",
    )  # fmt: skip


MODELS = [Model(id=f"m{number}", canonical=f"m{number}") for number in range(4)]
KEYS = [key_of(0)]


def kept(name: str, who: str, models: str, **value: Any) -> Entry:
    """What an earlier process has saved of an allowance."""
    usual = {"used": 0, "amount": 1.0, "source": "published", "changed_at": 0.0, "shut_until": 0.0, "told_until": 0.0}
    return Entry("quota", json.dumps([name, "acme", who, models]), {**usual, **value})


def board_of(
    *limits: Limit,
    entries: Sequence[Entry] = (),
    keys: Sequence[Key] = KEYS,
    models: Sequence[Model] = MODELS,
    mode: QuotaMode = QuotaMode.ON,
) -> Board:
    ledger = Ledger(lambda: NOW, lambda _: None)
    ledger.quotas.follow({"acme": limits}, mode)
    ledger.apply(entries)
    return read_board(ledger.quotas, [FreeTier("acme", keys, models)], NOW)


def row_of(*limits: Limit, entries: Sequence[Entry] = (), **more: Any) -> BoardRow:
    [row] = board_of(*limits, entries=entries, **more).rows
    return row


def test_what_was_used_before_a_restart_is_counted() -> None:
    row = row_of(DAY, entries=[kept("rpd", "account:f0", "*", used=[[NOW, 14.0]])])
    assert (row.amount, row.used, row.left) == (50, 14, 36)
    assert (row.name, row.unit, row.window, row.kind) == ("rpd", "requests", "day", LimitKind.FIXED)
    assert (row.models, row.is_each) == (("m0", "m1", "m2", "m3"), False)
    assert (row.frees_at, row.full_at, row.shut_until) == (MIDNIGHT, MIDNIGHT, None)


@pytest.mark.parametrize(
    ("kind", "used", "frees_s", "full_s"),
    [
        (LimitKind.FIXED, [[NOW, 5.0]], 40, 40),  # the minute of the calendar
        (LimitKind.ROLLING, [[NOW - 50, 1.0], [NOW - 10, 4.0]], 10.1, 50.1),
        (LimitKind.LEAKY, [5.0, NOW], 3, 15),
        (LimitKind.LEAKY, [25.0, NOW], 18, 75),  # more than it can have: the excess drains first
        (LimitKind.FIXED, [], None, None),
        (LimitKind.CONCURRENCY, 0, None, None),
    ],
)
def test_it_says_when_more_is_left_and_when_all_is(
    kind: LimitKind, used: Any, frees_s: float | None, full_s: float | None
) -> None:
    limit = Limit(**FACTS, amount=20, window="minute", kind=kind)
    row = row_of(limit, entries=[kept("rpm", "account:f0", "*", used=used)])
    found = [None if moment is None else pytest.approx(moment - NOW) for moment in (row.frees_at, row.full_at)]
    assert [frees_s, full_s] == found


def test_models_that_have_used_nothing_are_one_row() -> None:
    rows = board_of(MINUTE_EACH, DAY, entries=[kept("rpm", "account:f0", "m2", used=[[NOW, 3.0]])]).rows
    shown = [(row.name, row.models, row.is_each, row.left) for row in rows]
    assert shown == [
        ("rpd", ("m0", "m1", "m2", "m3"), False, 50),
        ("rpm", ("m2",), False, 17),
        ("rpm", ("m0", "m1", "m3"), True, 20),
    ]


def test_models_are_apart_whose_limits_are() -> None:
    other = Limit(**{**FACTS, "scope": Scope.ACCOUNT_MODEL}, amount=5, window="minute", models=("m3",))
    rows = board_of(other, MINUTE_EACH).rows
    assert [(row.models, row.amount, row.is_each) for row in rows] == [
        (("m3",), 5, False),
        (("m0", "m1", "m2"), 20, True),
    ]


@pytest.mark.parametrize(
    "known",
    [
        {"shut_until": NOW + 30, "told_until": NOW + 30},
        {"source": "told", "amount": 20.0},
        {"source": "learned", "amount": 9.0},
        {"used": [[NOW, 1.0]]},
    ],
)
def test_a_model_of_which_something_is_known_is_a_row_of_its_own(known: dict[str, Any]) -> None:
    entry = kept("rpm", "account:f0", "m1", **{"used": [], **known})
    rows = board_of(MINUTE_EACH, entries=[entry]).rows
    assert [row.models for row in rows] == [("m1",), ("m0", "m2", "m3")]
    assert rows[0].source == known.get("source", "published")
    assert rows[0].shut_until == (NOW + 30 if "shut_until" in known else None)
    assert rows[0].amount == known.get("amount", 20)


def test_keys_of_one_account_use_it_together() -> None:
    keys = [key_of(0, "a"), key_of(1, "b"), key_of(2, "a")]
    rows = board_of(DAY, keys=keys).rows
    assert [[key.variable for key in row.keys] for row in rows] == [["ACME_0", "ACME_2"], ["ACME_1"]]


def test_embeddings_that_count_apart_are_apart() -> None:
    embedder = Model(id="e", canonical="e", operations=frozenset({Operation.EMBEDDINGS}))
    apart = Limit(**FACTS, amount=7, window="day", operations=frozenset({Operation.EMBEDDINGS}))
    rows = board_of(DAY, apart, models=[MODELS[0], embedder]).rows
    assert [(row.models, row.amount) for row in rows] == [(("m0",), 50), (("e",), 7)]


def test_a_provider_without_limits_is_named() -> None:
    assert board_of().members() == {"mode": "on", "at": NOW, "limits": [], "no_known_limits": ["acme"]}
    assert board_of(DAY).unlimited == ()
    assert board_of(DAY, models=[]).unlimited == (), "of a provider whose models are not known nothing is said"


def test_off_shows_nothing_and_watch_shows_all() -> None:
    assert board_of(DAY, mode=QuotaMode.OFF).members()["limits"] == []
    assert board_of(DAY, mode=QuotaMode.WATCH).members()["mode"] == "watch"
    assert len(board_of(DAY, mode=QuotaMode.WATCH).rows) == 1


def test_it_is_json_without_a_secret_or_an_account() -> None:
    text = json.dumps(board_of(DAY, MINUTE_EACH, keys=[key_of(0, "account-of-somebody")]).members())
    assert SECRET not in text
    assert "account-of-somebody" not in text
    assert json.loads(text)["limits"][0]["keys"] == [{"index": 0, "variable": "ACME_0"}]


def test_reading_it_takes_nothing_and_saves_nothing() -> None:
    saved: list[Entry] = []
    ledger = Ledger(lambda: NOW, saved.append)
    ledger.quotas.follow({"acme": (DAY, MINUTE_EACH)}, QuotaMode.ON)
    tier = FreeTier("acme", KEYS, MODELS)
    assert read_board(ledger.quotas, [tier], NOW) == read_board(ledger.quotas, [tier], NOW)
    ledger.quotas.save(NOW)
    assert saved == []
