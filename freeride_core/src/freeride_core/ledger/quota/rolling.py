"""A rolling window: what was used in the last minute, hour or day."""

from __future__ import annotations

import bisect
from typing import Any

from freeride_core.ledger.quota.window import Window

_PARTS = 240
"""Into which a period is divided. What is used within one of them leaves the window at once, with the last of it."""
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
        at = max(start, self._last)  # first come, first served
        used = self.bound
        for moment, amount in zip(self._moments, self._amounts, strict=True):
            leaves_at = moment + self.period_s + _LATER_S
            if leaves_at > at:
                if self.fits(used, need):
                    return at
                at = leaves_at
            used -= amount
        return at

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
        if moments and at >= moments[-1]:
            if at - moments[-1] < 1e-9 or self._part(at) == self._part(moments[-1]):
                moments[-1] = at
                self._amounts[-1] += need
                return
            moments.append(at)
            self._amounts.append(need)
            return
        place = bisect.bisect_left(moments, at)
        moments.insert(place, at)
        self._amounts.insert(place, need)

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
        return self.bound

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
        return self._moments[0] + self.period_s if self._moments else None

    def saved(self) -> Any:
        return [[moment, amount] for moment, amount in zip(self._moments, self._amounts, strict=True)]

    def load(self, saved: Any) -> None:
        entries = sorted((float(moment), float(amount)) for moment, amount in saved)
        self._moments = [moment for moment, _ in entries]
        self._amounts = [amount for _, amount in entries]
        self.bound = sum(self._amounts)
