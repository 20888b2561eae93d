"""A window: one limit over one subject, and what of it is used. No window knows a clock; moments are seconds since the epoch."""

from __future__ import annotations

import bisect
import math
from abc import ABC, abstractmethod
from typing import Any

_TOLERANCE = 1e-6
"""Of an amount: sums of floats are not exact."""
_AFTER_HINT_S = 0.02
"""How long after the moment that an upstream names it is asked again."""


class Window(ABC):
    """What one kind of counting has in common. Nothing is awaited between `wait` and `take`, so that parallel requests cannot
    take the same room."""

    __slots__ = ("amount", "bound", "period_s", "shut_until")

    def __init__(self, amount: float, period_s: float) -> None:
        self.amount = amount
        """The most that the window takes."""
        self.period_s = period_s
        self.bound = 0.0
        """At least what is used, now or later: most requests need to know no more. Saves 1 us for each window."""
        self.shut_until = 0.0
        """Whatever is used, nothing is taken before."""

    def wait(self, need: float, now: float) -> float:
        """Return in how many seconds `need` has room, behind all that was taken before: 0 now, `inf` never."""
        if need > self.amount + _TOLERANCE:
            return math.inf
        start = max(now, self.shut_until)
        return self._room_at(need, start) - now

    @abstractmethod
    def _room_at(self, need: float, start: float) -> float:
        """Return the first moment from `start` on that has room. Changes nothing."""

    @abstractmethod
    def take(self, need: float, at: float, now: float) -> None:
        """Count `need` at that moment, which may be later than now."""

    @abstractmethod
    def give(self, need: float, at: float) -> None:
        """Take back what was counted at that moment, or a part of it. A negative `need` adds to it."""

    @abstractmethod
    def used(self, now: float) -> float:
        """Return what counts now, without what is taken for later."""

    @abstractmethod
    def believe(self, used: float, now: float, reset_at: float | None) -> None:
        """Take the upstream's own count, and when what it has beyond ours is free again."""

    @abstractmethod
    def frees_at(self, now: float) -> float | None:
        """Return when something of what is used is free again, or None if nothing is used."""

    @abstractmethod
    def saved(self) -> Any:
        """Return what is used, as JSON can hold it."""

    @abstractmethod
    def load(self, saved: Any) -> None:
        """Take what `saved` gave. Raises ValueError, TypeError or LookupError for anything else."""

    def shut(self, until: float) -> None:
        """Take nothing before that moment."""
        self.shut_until = max(self.shut_until, until + _AFTER_HINT_S)

    def share_of(self, need: float, now: float) -> float:
        """Return how full it is with `need`: 1 is full."""
        return (self.used(now) + need) / self.amount

    def fits(self, used: float, need: float) -> bool:
        return used + need <= self.amount + _TOLERANCE


class LeakyWindow(Window):
    """What is used drains steadily, the whole amount in one period."""

    __slots__ = ("_at", "_later", "_level")

    def __init__(self, amount: float, period_s: float) -> None:
        super().__init__(amount, period_s)
        self._level = 0.0
        self._at = 0.0
        self._later: list[tuple[float, float]] = []
        """Ascending: what is taken for later, and when."""

    def _room_at(self, need: float, start: float) -> float:
        at, level = self._at, self._level
        for moment, taken in self._later:
            at, level = moment, self._drained(level, moment - at) + taken
        start = max(start, at)  # first come, first served
        excess = self._drained(level, start - at) + need - self.amount
        return start if excess <= _TOLERANCE else start + excess * self.period_s / self.amount

    def take(self, need: float, at: float, now: float) -> None:
        self.used(now)
        if at > now:
            bisect.insort(self._later, (at, need))
        else:
            self._level += need
        self.bound += need

    def give(self, need: float, at: float) -> None:
        if at > self._at:
            place = bisect.bisect_left(self._later, (at, need))
            if place < len(self._later) and self._later[place] == (at, need):
                del self._later[place]
        else:
            self._level = max(0.0, self._level - need)
        self._bind()

    def _drained(self, level: float, seconds: float) -> float:
        return max(0.0, level - max(0.0, seconds) * self.amount / self.period_s)

    def _bind(self) -> None:
        self.bound = self._level + sum(taken for _, taken in self._later)

    def used(self, now: float) -> float:
        while self._later and self._later[0][0] <= now:
            moment, taken = self._later.pop(0)
            self._level = self._drained(self._level, moment - self._at) + taken
            self._at = max(self._at, moment)
        self._level = self._drained(self._level, now - self._at)
        self._at = max(self._at, now)
        self._bind()
        return self._level

    def believe(self, used: float, now: float, reset_at: float | None) -> None:  # noqa: ARG002 - it follows from the level
        self.used(now)
        self._level = used
        self._bind()

    def frees_at(self, now: float) -> float | None:
        used = self.used(now)
        return now + used * self.period_s / self.amount if used else None

    def saved(self) -> Any:
        return [self.bound, self._at]

    def load(self, saved: Any) -> None:
        level, at = saved
        self.bound = self._level = max(0.0, float(level))
        self._at = float(at)


class ConcurrencyWindow(Window):
    """Requests under way. What ends gives its room back; nothing else does."""

    __slots__ = ()

    USUAL_S = 2.0
    """How long a wait for room takes, by a guess."""

    def _room_at(self, need: float, start: float) -> float:
        return start if self.fits(self.bound, need) else start + self.USUAL_S

    def take(self, need: float, at: float, now: float) -> None:  # noqa: ARG002
        self.bound += need

    def give(self, need: float, at: float) -> None:  # noqa: ARG002
        self.bound = max(0.0, self.bound - need)

    def used(self, now: float) -> float:  # noqa: ARG002
        return self.bound

    def believe(self, used: float, now: float, reset_at: float | None) -> None:
        """Requests of other programs end unseen, so they are not counted."""

    def frees_at(self, now: float) -> float | None:  # noqa: ARG002
        return None

    def saved(self) -> Any:
        return 0

    def load(self, saved: Any) -> None:
        """What was under way in another process has ended with it."""
