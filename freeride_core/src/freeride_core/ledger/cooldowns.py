"""Cooldowns: which slots are not asked, until when, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from freeride_core.ledger.slots import Slot
from freeride_core.ledger.store.store import Entry

SECTION = "cooldown"
_REMEMBERED_S = 24 * 3600.0
"""How long after its end a cooldown still counts as the failure before the next one."""
_JITTER_S = 5.0
"""By how much a clock may be set back before anything is done about it."""


@dataclass(frozen=True, slots=True)
class Cooldown:
    kind: str
    until: float
    """Seconds since the epoch."""
    strikes: int
    """Failures in a row, for waits that double."""
    noted: float
    is_outage: bool = False
    """After its end one request probes the slot before others follow."""

    @property
    def is_over_at_once(self) -> bool:
        """Whether the upstream said that it need not be waited for."""
        return self.until <= self.noted


class Cooldowns:
    """All cooldowns of this machine, in memory; `put` queues each change for the store."""

    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._by_slot: dict[Slot, Cooldown] = {}
        self.get: Callable[[Slot], Cooldown | None] = self._by_slot.get

    def __bool__(self) -> bool:
        return bool(self._by_slot)

    def items(self) -> list[tuple[Slot, Cooldown]]:
        return list(self._by_slot.items())

    def strikes(self, slot: Slot, kind: str, now: float) -> int:
        """Failures of this kind in a row on this slot, before the one at hand."""
        last = self._by_slot.get(slot)
        return last.strikes if last and last.kind == kind and now < last.until + _REMEMBERED_S else 0

    def set(self, slot: Slot, cooldown: Cooldown) -> None:
        self._by_slot[slot] = cooldown
        value = {
            "kind": cooldown.kind,
            "until": cooldown.until,
            "strikes": cooldown.strikes,
            "noted": cooldown.noted,
            "outage": cooldown.is_outage,
        }
        self._put(Entry(SECTION, slot.name, value))

    def clear(self, slot: Slot) -> None:
        if self._by_slot.pop(slot, None) is not None:
            self._put(Entry(SECTION, slot.name, None))

    def forget_old(self, now: float) -> None:
        """Drops what is over for longer than it is remembered."""
        for slot, cooldown in self.items():
            if cooldown.until + _REMEMBERED_S < now:
                self.clear(slot)

    def follow_clock(self, now: float) -> None:
        """The clock may have been set back. What was noted in what is now the future lasts from now as long as it was to last
        then. The upstream has not changed its mind."""
        for slot, cooldown in self.items():
            if cooldown.noted > now + _JITTER_S:
                self.set(slot, replace(cooldown, noted=now, until=now + cooldown.until - cooldown.noted))

    def apply(self, entries: Iterable[Entry]) -> None:
        """Takes over what the store holds or another process wrote."""
        for entry in entries:
            if entry.section != SECTION:
                continue
            try:
                slot = Slot.parse(entry.name)
            except (ValueError, TypeError):
                continue
            if entry.value is None:
                self._by_slot.pop(slot, None)
            elif (cooldown := _parse(entry.value)) is not None:
                self._by_slot[slot] = cooldown


def _parse(value: Any) -> Cooldown | None:
    try:
        return Cooldown(
            kind=str(value["kind"]),
            until=float(value["until"]),
            strikes=int(value.get("strikes", 1)),
            noted=float(value.get("noted", 0.0)),
            is_outage=bool(value.get("outage", False)),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
