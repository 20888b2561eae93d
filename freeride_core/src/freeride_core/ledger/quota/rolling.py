"""A rolling window: what was used in the last minute, hour or day."""

from __future__ import annotations

import bisect
import itertools
from typing import Any

from freeride_core.ledger.quota.window import Window

_PARTS = 240
"""Into which a period is divided. What is used within one of them leaves the window at once, with the last of it."""
_MOST = 2 * _PARTS
"""Entries, before those that were taken for later are merged as well."""
_LATER_S = 0.1
"""How much later than a request is sent the upstream may count it, and the one that follows it may not be."""


class RollingWindow(Window):
    """Never admits more than a fixed window of the same amount does, whenever that begins."""

    __slots__ = ("_amounts", "_moments")

    def __init__(self, amount: float, period_s: float) -> None:
        super().__init__(amount, period_s)
        self._moments: list[float] = []
        """Ascending: what is booked for later comes last."""
        self._amounts: list[float] = []

    def _room_at(self, need: float, start: float) -> float:
        if self._last > start:
            return self._room_among(need, start)
        used = self.bound
        for moment, amount in zip(self._moments, self._amounts, strict=True):
            leaves_at = moment + self.period_s + _LATER_S
            if leaves_at > start:
                if self.fits(used, need):
                    return start
                start = leaves_at
            used -= amount
        return start

    def _room_among(self, need: float, start: float) -> float:
        """Return the first moment that has room, where some is taken for later: none of that may lose its room. What was given
        back is used so, before its time is over."""
        held_s, moments = self.period_s + _LATER_S, self._moments
        sums = [0.0, *itertools.accumulate(self._amounts)]
        first_later = bisect.bisect_right(moments, start)
        highest = [0.0] * (len(moments) + 1)
        """From each entry on, the most that counts at any of them."""
        for place in range(len(moments) - 1, first_later - 1, -1):
            counts_from = bisect.bisect_right(moments, moments[place] - held_s)
            highest[place] = max(highest[place + 1], sums[place + 1] - sums[counts_from])
        gone = bisect.bisect_right(moments, start - held_s)
        while True:
            begun = bisect.bisect_right(moments, start)
            if self.fits(max(sums[begun] - sums[gone], highest[begun]), need):
                return start
            start = max(start, moments[gone] + held_s)
            gone += 1

    @property
    def _last(self) -> float:
        return self._moments[-1] if self._moments else 0.0

    def _forget(self, now: float) -> None:
        gone = bisect.bisect_right(self._moments, now - self.period_s - _LATER_S)
        if gone:
            self.bound -= sum(self._amounts[:gone])
            del self._moments[:gone], self._amounts[:gone]
            if not self._moments:
                self.bound = 0.0

    def take(self, need: float, at: float, now: float) -> None:
        self._forget(now)
        self.bound += need
        moments = self._moments
        place = bisect.bisect_right(moments, at)
        if place and at <= now and self._part(at) == self._part(moments[place - 1]):
            moments[place - 1] = at
            self._amounts[place - 1] += need
            return
        moments.insert(place, at)
        self._amounts.insert(place, need)
        if len(moments) > _MOST and moments[_PARTS] <= now:
            self._merge(now)

    def _merge(self, now: float) -> None:
        """Make one entry of those that were taken for later in one part, now that they are used."""
        moments, amounts = self._moments, self._amounts
        self._moments, self._amounts = [], []
        for moment, amount in zip(moments, amounts, strict=True):
            if self._moments and moment <= now and self._part(moment) == self._part(self._moments[-1]):
                self._moments[-1] = moment
                self._amounts[-1] += amount
            else:
                self._moments.append(moment)
                self._amounts.append(amount)

    def _part(self, at: float) -> int:
        return int(at * _PARTS / self.period_s)

    def give(self, need: float, at: float) -> None:
        place = bisect.bisect_left(self._moments, at)
        if place == len(self._moments) or self._part(self._moments[place]) != self._part(at):
            return  # it has left the window
        need = min(need, self._amounts[place])
        self.bound -= need
        self._amounts[place] -= need
        if not self._amounts[place]:
            del self._moments[place], self._amounts[place]

    def used(self, now: float) -> float:
        self._forget(now)
        if self._last <= now:
            return self.bound
        return self.bound - sum(self._amounts[bisect.bisect_right(self._moments, now) :])

    def believe(self, used: float, now: float, reset_at: float | None) -> None:
        difference = used - self.used(now)
        if difference > 0:
            # Others have used it. It leaves when the upstream says, or else as late as what is used now.
            leaves_at = now + self.period_s if reset_at is None else min(max(reset_at, now), now + self.period_s)
            self.take(difference, leaves_at - self.period_s - _LATER_S, now)
        while difference < 0 and self._moments and self._moments[0] <= now:
            part = min(-difference, self._amounts[0])
            difference += part
            self.give(part, self._moments[0])

    def frees_at(self, now: float) -> float | None:
        self._forget(now)
        return self._moments[0] + self.period_s if self._moments and self._moments[0] <= now else None

    def saved(self) -> Any:
        return [[moment, amount] for moment, amount in zip(self._moments, self._amounts, strict=True)]

    def load(self, saved: Any) -> None:
        entries = sorted((float(moment), float(amount)) for moment, amount in saved)
        self._moments = [moment for moment, _ in entries]
        self._amounts = [amount for _, amount in entries]
        self.bound = sum(self._amounts)
