"""Usage by day: what was asked of each provider, and the tokens of its answers, for the last 35 local days."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from freeride_core.events.records import Event, EventRecord, ProviderAttempt, ProviderResponse, RequestComplete
from freeride_core.events.usage import Usage
from freeride_core.ledger.store.store import Entry

SECTION = "usage"
_NO_FAILURE = frozenset({"OK", "CANCELLED"})
"""The second is the status of an attempt that lost against a quicker one."""
KEPT_DAYS = 35


class DayUsage(msgspec.Struct, gc=False, omit_defaults=True):
    """What one provider did on one day."""

    requests: int = 0
    """Attempts that were sent to it."""
    served: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def add(self, other: DayUsage) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class UsageLedger:
    """Counts what this process does, beside what other processes of the home did. Belongs to the event loop's thread.

    Each process has entries of its own in the store, so that two that count at once do not overwrite each other."""

    def __init__(self, put: Callable[[Entry], None], today: Callable[[], date] = date.today) -> None:
        self._put = put
        self._today = today
        self._writer = secrets.token_hex(4)
        self._minute = -1.0
        self._day = ""
        """In which that minute is."""
        self._known: dict[tuple[str, str, str], DayUsage] = {}
        """By day, provider and writer."""

    def note(self, events: Sequence[Event | EventRecord]) -> None:
        """Counts finished events, in which usage is read already."""
        changed: dict[tuple[str, str, str], DayUsage] = {}
        for event in events:
            # By their type: `isinstance` asks the metaclass of msgspec's structs, which takes 0.2 us each time.
            if type(event) is ProviderAttempt:
                self._counted(event, changed).requests += 1
            elif type(event) is ProviderResponse:
                if event.status not in _NO_FAILURE:
                    self._counted(event, changed).failed += 1
            elif type(event) is RequestComplete:
                counted = self._counted(event, changed)
                counted.served += 1
                if type(event.usage) is Usage:
                    counted.tokens_in += event.usage.input
                    counted.tokens_out += event.usage.output
        for name, counted in changed.items():
            self._put(Entry(SECTION, json.dumps(name), msgspec.to_builtins(counted)))

    def _counted(
        self,
        event: ProviderAttempt | ProviderResponse | RequestComplete,
        changed: dict[tuple[str, str, str], DayUsage],
    ) -> DayUsage:
        """The day's usage of the event's provider, which is then among those that have changed."""
        if event.ts // 60 != self._minute:  # the day is asked for once a minute: that takes 2 us
            self._minute, day = event.ts // 60, time.strftime("%Y-%m-%d", time.localtime(event.ts))
            if day != self._day:
                self._day = day
                self._forget_old()
        name = (self._day, event.provider, self._writer)
        counted = changed.get(name)
        if counted is None:
            counted = changed[name] = self._known.setdefault(name, DayUsage())
        return counted

    def of(self, day: date) -> dict[str, DayUsage]:
        """Return what each provider did on a local day, by its name."""
        found: dict[str, DayUsage] = {}
        for (then, provider, _), counted in self._known.items():
            if then == day.isoformat():
                found.setdefault(provider, DayUsage()).add(counted)
        return found

    def today(self) -> dict[str, DayUsage]:
        """Return what each provider did today, by its name."""
        return self.of(self._today())

    def apply(self, entries: Iterable[Entry]) -> None:
        """Takes over what the store holds or another process wrote."""
        for entry in entries:
            if entry.section != SECTION:
                continue
            try:
                name = _name_of(json.loads(entry.name))
                if entry.value is None:
                    self._known.pop(name, None)
                else:
                    self._known[name] = msgspec.convert(entry.value, DayUsage)
            except (ValueError, TypeError):
                continue

    def _forget_old(self) -> None:
        oldest = (self._today() - timedelta(days=KEPT_DAYS - 1)).isoformat()
        for name in [name for name in self._known if name[0] < oldest]:
            del self._known[name]
            self._put(Entry(SECTION, json.dumps(name), None))


def _name_of(parts: Any) -> tuple[str, str, str]:
    day, provider, writer = parts
    return date.fromisoformat(day).isoformat(), str(provider), str(writer)
