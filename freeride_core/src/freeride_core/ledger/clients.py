"""Which clients have asked, and when each of them did last: by the names that they give themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from freeride_core.events.records import Event, EventRecord, RequestStart
from freeride_core.ledger.store.store import Entry

SECTION = "clients"
_KEPT = 64
"""Any program can send any name, so only those that asked last are remembered."""


class Visit(msgspec.Struct, gc=False, frozen=True):
    """A client's last request."""

    at: float
    """Seconds since the epoch."""
    model: str
    """As the client named it."""


class ClientLedger:
    """Remembers the last request of each client, across processes. Belongs to the event loop's thread."""

    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._known: dict[str, Visit] = {}
        """By the client's products, such as `acme/1.2 node/24`; the one that asked last is the last."""

    def note(self, events: Sequence[Event | EventRecord]) -> None:
        """Takes in requests that have begun."""
        asked = {event.client: event for event in events if type(event) is RequestStart and event.client}
        for client, event in asked.items():
            self._known.pop(client, None)
            visit = self._known[client] = Visit(event.ts, event.model)
            self._put(Entry(SECTION, client, msgspec.to_builtins(visit)))
        while len(self._known) > _KEPT:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._put(Entry(SECTION, oldest, None))

    def last(self, names: Collection[str]) -> Visit | None:
        """Return the last request of a client one of whose products has one of these names, or None without such a request."""
        found = [visit for client, visit in self._known.items() if is_named(client, names)]
        return max(found, key=lambda visit: visit.at, default=None)

    def apply(self, entries: Iterable[Entry]) -> None:
        """Takes over what the store holds or another process wrote."""
        news = [entry for entry in entries if entry.section == SECTION]
        for entry in news:
            try:
                visit = None if entry.value is None else msgspec.convert(entry.value, Visit)
            except (ValueError, TypeError):
                continue
            if visit is None:
                self._known.pop(entry.name, None)
            elif math.isfinite(visit.at):
                self._known[entry.name] = visit
        if news:
            self._known = dict(sorted(self._known.items(), key=lambda item: item[1].at))


def is_named(client: str, names: Collection[str]) -> bool:
    """Whether one of the client's products has one of these names, which say nothing of the version."""
    products = client.lower().split()
    return any(f"{product}/".startswith(f"{name.lower()}/") for product in products for name in names)
