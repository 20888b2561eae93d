"""Requests and tokens are counted by local day and provider, across processes and restarts."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from freeride_core.events.records import ProviderAttempt, ProviderResponse, RequestComplete
from freeride_core.events.usage import Usage
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry
from freeride_core.ledger.usage import KEPT_DAYS, SECTION, DayUsage, UsageLedger

TODAY = date(2026, 12, 1)


def at(day: date) -> float:
    return datetime(day.year, day.month, day.day, 12).astimezone().timestamp()


def request(provider: str, day: date, *, failed: str = "", usage: Usage | None = None) -> list[Any]:
    """The events of one request that `provider` served, after `failed` did not."""
    ts = at(day)
    events: list[Any] = []
    for name in filter(None, (failed, provider)):
        events.append(ProviderAttempt(ts, "r", name, 0, "m", "chat"))
        events.append(ProviderResponse(ts, "r", name, 0, "m", 5, "RATE_LIMIT" if name == failed else "OK"))
    return [*events, RequestComplete(ts, "r", provider, "m", 1, 9, usage), {"type": "events_dropped"}]


def ledger(entries: list[Entry] | None = None, today: date = TODAY) -> UsageLedger:
    return UsageLedger((entries if entries is not None else []).append, lambda: today)


def test_a_request_counts_for_each_provider_that_it_asked() -> None:
    usage = ledger()
    usage.note(request("groq", TODAY, failed="gemini", usage=Usage(10, 20, 5, 7)))
    usage.note(request("groq", TODAY))
    assert usage.today() == {
        "gemini": DayUsage(requests=1, failed=1),
        "groq": DayUsage(requests=2, served=2, tokens_in=10, tokens_out=20),
    }


def test_days_are_counted_apart_and_the_oldest_are_forgotten() -> None:
    entries: list[Entry] = []
    usage = ledger(entries)
    days = [TODAY - timedelta(days=back) for back in (KEPT_DAYS, KEPT_DAYS - 1, 0)]
    for day in days:
        usage.note(request("groq", day))
    assert [usage.of(day) for day in days] == [{}, {"groq": DayUsage(1, 1)}, {"groq": DayUsage(1, 1)}]
    assert [json.loads(entry.name)[0] for entry in entries if entry.value is None] == [days[0].isoformat()]


def test_two_processes_add_up_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        entries: list[Entry] = []
        process = ledger(entries)
        process.note(request("groq", TODAY, usage=Usage(1, 2)))
        process.note(request("groq", TODAY, usage=Usage(1, 2)))
        with closing(SqliteStore(tmp_path / "state.db")) as store:
            store.write(entries)
    later = ledger()
    with closing(SqliteStore(tmp_path / "state.db")) as store:
        later.apply(store.read_all())
    assert later.today() == {"groq": DayUsage(4, 4, 0, 4, 8)}


@pytest.mark.parametrize(
    "name", ["", "[]", "7", '["2026-12-01"]', '["yesterday","groq","w"]', '["2026-12-01","groq",', "[1,2,3]"]
)
@pytest.mark.parametrize("value", [{"requests": 1}, {"requests": "many"}, [], None])
def test_what_is_no_count_is_passed_over(name: str, value: object) -> None:
    usage = ledger()
    usage.apply([Entry(SECTION, name, value), Entry("other", '["2026-12-01","groq","w"]', {"requests": 1})])
    assert usage.today() == {}
