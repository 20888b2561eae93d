"""A fixed window: counted from zero in each minute, hour, day or month of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from freeride_core.ledger.quota.window import Window

_KEPT = 4
"""Periods, before those that are over are forgotten."""
_HOUR_S, _DAY_S = 3600.0, 86400.0


class FixedWindow(Window):
    """`zone` is the one whose midnight begins a day."""

    __slots__ = ("_end", "_reset_at", "_start", "_used", "_zone")

    def __init__(self, amount: float, period_s: float, zone: tzinfo = UTC) -> None:
        super().__init__(amount, period_s)
        self._zone = zone
        self._start = self._end = 0.0
        """Of the period that was looked at last."""
        self._reset_at = 0.0
        """When a period begins besides the calendar's, by the upstream's word."""
        self._used: dict[float, float] = {}
        """By the start of a period: this one and, where room is booked, later ones."""

    def _room_at(self, need: float, start: float) -> float:
        begin, end = self._bounds(start)
        while not self.fits(self._used.get(begin, 0.0), need):
            begin, end = self._bounds(end)
        return max(begin, start)

    def take(self, need: float, at: float, now: float) -> None:
        if len(self._used) > _KEPT:
            current = self._bounds(now)[0]
            self._used = {begin: used for begin, used in self._used.items() if begin >= current}
        begin, _ = self._bounds(at)
        self._used[begin] = self._used.get(begin, 0.0) + need
        self.bound = max(self._used.values())

    def give(self, need: float, at: float) -> None:
        begin, _ = self._bounds(at)
        if begin in self._used:
            self._used[begin] = max(0.0, self._used[begin] - need)
            self.bound = max(self._used.values())

    def used(self, now: float) -> float:
        return self._used.get(self._bounds(now)[0], 0.0)

    def believe(self, used: float, now: float, reset_at: float | None) -> None:
        begin, end = self._bounds(now)
        self._used[begin] = used
        self.bound = max(self._used.values())
        if reset_at is not None and now < reset_at < end:
            self._reset_at = self._end = reset_at

    def frees_at(self, now: float) -> float | None:
        begin, end = self._bounds(now)
        return end if self._used.get(begin) else None

    def _bounds(self, at: float) -> tuple[float, float]:
        """Return the start and the end of the period of that moment."""
        if not self._start <= at < self._end:
            start, end = self._bounds_anew(at)
            if start < self._reset_at < end:
                start, end = (self._reset_at, end) if at >= self._reset_at else (start, self._reset_at)
            self._start, self._end = start, end
        return self._start, self._end

    def _bounds_anew(self, at: float) -> tuple[float, float]:
        if self.period_s <= _HOUR_S:
            start = at - at % self.period_s
            return start, start + self.period_s
        midnight = datetime.fromtimestamp(at, self._zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.period_s <= _DAY_S:
            return midnight.timestamp(), _next_midnight(midnight, 1)
        first = midnight.replace(day=1)
        return first.timestamp(), _next_midnight(first, 32, day=1)

    def saved(self) -> Any:
        return [[begin, used] for begin, used in self._used.items()]

    def load(self, saved: Any) -> None:
        self._used = {self._bounds(float(begin))[0]: max(0.0, float(used)) for begin, used in saved}
        self.bound = max(self._used.values(), default=0.0)


def _next_midnight(midnight: datetime, days: int, day: int | None = None) -> float:
    """Return when a later day begins, in seconds since the epoch: days of 23 and 25 hours included."""
    later = (midnight + timedelta(days=days)).replace(fold=0)
    return (later if day is None else later.replace(day=day)).timestamp()
