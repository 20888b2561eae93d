"""A window: one limit over one subject, and what of it is used. No window knows a clock; moments are seconds since the epoch."""

from __future__ import annotations

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
        """Return what counts now, with what is taken for later."""

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

    __slots__ = ("_at",)

    def __init__(self, amount: float, period_s: float) -> None:
        super().__init__(amount, period_s)
        self._at = 0.0

    def _room_at(self, need: float, start: float) -> float:
        excess = self._level_at(start) + need - self.amount
        return start if excess <= _TOLERANCE else start + excess * self.period_s / self.amount

    def take(self, need: float, at: float, now: float) -> None:  # noqa: ARG002 - what is for later fills it above its amount
        self.bound = self.used(now) + need

    def give(self, need: float, at: float) -> None:  # noqa: ARG002 - as above
        self.bound = max(0.0, self.bound - need)

    def _level_at(self, moment: float) -> float:
        drained = (moment - self._at) * self.amount / self.period_s
        return max(0.0, self.bound - drained) if drained > 0 else self.bound

    def used(self, now: float) -> float:
        self.bound = self._level_at(now)
        self._at = max(self._at, now)
        return self.bound

    def believe(self, used: float, now: float, reset_at: float | None) -> None:  # noqa: ARG002 - it follows from the level
        self.used(now)
        self.bound = used

    def frees_at(self, now: float) -> float | None:
        used = self.used(now)
        return now + used * self.period_s / self.amount if used else None

    def saved(self) -> Any:
        return [self.bound, self._at]

    def load(self, saved: Any) -> None:
        level, at = saved
        self.bound, self._at = max(0.0, float(level)), float(at)


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
