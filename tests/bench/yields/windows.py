"""Windows as upstreams keep them, exact and independent of the ledger's arithmetic."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MINUTE_S = 60.0
DAY_S = 86_400.0
_SLACK = 1e-6
"""What sums of floats may be off by, in units and in seconds."""


class Counting(StrEnum):
    """What one call takes of a window."""

    CALL = "call"
    RESERVED = "reserved"
    """Prompt and `max_tokens` at admission; corrected to what was used when the call ends."""
    PROMPT = "prompt"
    AFTERWARDS = "afterwards"
    """What was used, counted when the call ends; a call is admitted while anything is left."""


@dataclass(slots=True)
class Charge:
    """What one call has taken of one window."""

    amount: float
    at: float
    ends_at: float


@dataclass(slots=True, kw_only=True)
class TrueWindow(ABC):
    """One limit of one upstream over one account, or one model of it."""

    name: str
    limit: float
    period_s: float
    counting: Counting
    level: float = field(default=0.0, init=False)

    @abstractmethod
    def pass_time(self, now: float) -> None:
        """Let go of what the window forgets until `now`."""

    @abstractmethod
    def reset_s(self, now: float) -> float:
        """Return the seconds until the window is empty if nothing else is charged."""

    @abstractmethod
    def _delay(self, need: float, now: float) -> float:
        """Return how long a need that fits the limit, but not now, has to wait."""

    def wait(self, need: float, now: float) -> float:
        """Return the seconds until the need is admitted if nothing else is: 0 for now, infinity for never."""
        self.pass_time(now)
        if need <= self.limit and self.level + need <= self.limit + _SLACK:
            return 0.0
        return math.inf if need > self.limit else self._delay(need, now)

    def take(self, need: float, now: float, ends_at: float) -> Charge:
        """Charge a need. `ends_at` is when the call will have ended."""
        self.pass_time(now)
        self.level += need
        return Charge(need, now, ends_at)

    def correct(self, charge: Charge, amount: float, now: float) -> None:
        """Charge another amount for a call than was taken when it came."""
        self.pass_time(now)
        self.level = max(0.0, self.level + amount - charge.amount)
        charge.amount = amount

    def end(self, charge: Charge, now: float) -> None:  # noqa: B027 - only a window of calls in flight has to know
        """Note that the call has ended."""


@dataclass(slots=True, kw_only=True)
class AlignedWindow(TrueWindow):
    """Begins again with each minute of the clock, or each day of a time zone."""

    zone: str = "UTC"
    _ends_at: float = field(default=-math.inf, init=False)

    def pass_time(self, now: float) -> None:
        if now >= self._ends_at - _SLACK:
            self.level, self._ends_at = 0.0, self._next_start(now + 2 * _SLACK)

    def reset_s(self, now: float) -> float:
        self.pass_time(now)
        return max(0.0, self._ends_at - now)

    def correct(self, charge: Charge, amount: float, now: float) -> None:
        self.pass_time(now)
        if self._next_start(charge.at + 2 * _SLACK) == self._ends_at:
            TrueWindow.correct(self, charge, amount, now)

    def _delay(self, need: float, now: float) -> float:
        return self._ends_at - now

    def _next_start(self, now: float) -> float:
        if self.period_s < DAY_S:
            return (math.floor(now / self.period_s) + 1) * self.period_s
        zone = UTC if self.zone == "UTC" else ZoneInfo(self.zone)
        tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
        return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone).timestamp()


@dataclass(slots=True, kw_only=True)
class SlidingWindow(TrueWindow):
    """Holds every call for one period."""

    _charges: deque[Charge] = field(default_factory=deque, init=False)

    def pass_time(self, now: float) -> None:
        charges, over = self._charges, now - self.period_s + _SLACK
        while charges and charges[0].at <= over:
            self.level -= charges.popleft().amount
        if not charges:
            self.level = 0.0

    def reset_s(self, now: float) -> float:
        self.pass_time(now)
        return self._charges[-1].at + self.period_s - now if self._charges else 0.0

    def take(self, need: float, now: float, ends_at: float) -> Charge:
        charge = TrueWindow.take(self, need, now, ends_at)
        self._charges.append(charge)
        return charge

    def correct(self, charge: Charge, amount: float, now: float) -> None:
        self.pass_time(now)
        if self._charges and charge.at >= self._charges[0].at:
            TrueWindow.correct(self, charge, amount, now)

    def _delay(self, need: float, now: float) -> float:
        left = self.level
        for charge in self._charges:
            left -= charge.amount
            if left + need <= self.limit + _SLACK:
                return max(charge.at + self.period_s - now, _SLACK)
        return self.period_s


@dataclass(slots=True, kw_only=True)
class DrainingWindow(TrueWindow):
    """Is empty after one period and drains all the time: a leaky bucket."""

    _at: float = field(default=-math.inf, init=False)

    def pass_time(self, now: float) -> None:
        if now > self._at:
            drained = (now - self._at) * self.limit / self.period_s
            self.level, self._at = max(0.0, self.level - drained), now

    def reset_s(self, now: float) -> float:
        self.pass_time(now)
        return self.level * self.period_s / self.limit

    def _delay(self, need: float, now: float) -> float:
        return (self.level + need - self.limit) * self.period_s / self.limit


@dataclass(slots=True, kw_only=True)
class ParallelWindow(TrueWindow):
    """Admits so many calls at a time."""

    _running: list[Charge] = field(default_factory=list, init=False)

    def pass_time(self, now: float) -> None:
        """Time alone ends no call."""

    def reset_s(self, now: float) -> float:
        return max((charge.ends_at - now for charge in self._running), default=0.0)

    def take(self, need: float, now: float, ends_at: float) -> Charge:
        charge = TrueWindow.take(self, need, now, ends_at)
        self._running.append(charge)
        return charge

    def end(self, charge: Charge, now: float) -> None:
        self.level -= charge.amount
        self._running.remove(charge)

    def _delay(self, need: float, now: float) -> float:
        return max(min(charge.ends_at for charge in self._running) - now, _SLACK)
