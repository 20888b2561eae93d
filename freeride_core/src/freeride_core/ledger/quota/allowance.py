"""An allowance: one limit over one subject, what of it is used, and what is believed of it.

What an upstream tells outranks what is counted here, and that outranks what the package states.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from freeride_core.answer import ErrorKind, Quota
from freeride_core.ledger.quota.fixed import FixedWindow
from freeride_core.ledger.quota.rolling import RollingWindow
from freeride_core.ledger.quota.window import ConcurrencyWindow, LeakyWindow, Window
from freeride_core.limit import WINDOWS_S, Limit, LimitKind
from freeride_core.system.time_zones import time_zone

_SHORTEST_GUESS_S = 5.0
_LONGEST_GUESS_S = 60.0
_GUESS_SHARE = 0.1
"""Of a period: how long a refusal without a hint shuts at most, and when a full window is doubted first."""
_SHORT_S = 3600.0
_ALIKE = 0.1
"""By how much levels may differ that are called the same."""
_SURE = 3
"""Refusals in a row at the same level that are no crowd."""
_ASKED_AGAIN_S = 86400.0
"""After which a published amount is tried again."""
_RISE = 0.25
_FULL = 0.95
_LOWERED_MOST = 6
"""Times in a row that the wait for the next rise doubles."""
_CONFIRMED_PERIODS = 10
"""For how many periods at most a full window is believed before it is doubted again."""
_BEYOND = 1.1
"""By how much of its period a hint may exceed it."""


class AmountSource(enum.StrEnum):
    """Where the belief in an amount is from."""

    PUBLISHED = "published"
    LEARNED = "learned"
    TOLD = "told"


class LimitSubject(NamedTuple):
    """Whose allowance it is."""

    provider: str
    who: str
    """As in `Slot.subject`."""
    models: str
    """A model's id, patterns of ids, or `*`."""


class Allowance:
    """Shared by all requests of its subject."""

    __slots__ = (
        "_ceiling",
        "_changed_at",
        "_doubted_at",
        "_doubts",
        "_lowered",
        "_refusals",
        "_taken_at",
        "is_changed",
        "limit",
        "source",
        "subject",
        "told_until",
        "window",
    )

    def __init__(self, limit: Limit, subject: LimitSubject) -> None:
        self.limit = limit
        self.subject = subject
        self.window = _window_of(limit)
        self.source = AmountSource.PUBLISHED
        self.told_until = 0.0
        """Until then it is the upstream's word that shuts it, which is not doubted."""
        self.is_changed = False
        """Since it was saved."""
        self._ceiling = 0.0
        """What was used at the last refusal, if nothing was accepted above it since; else 0."""
        self._changed_at = 0.0
        self._doubted_at = 0.0
        self._doubts = 0
        self._lowered = 0
        self._refusals = 0
        self._taken_at = 0.0

    @property
    def kind(self) -> ErrorKind:
        """Return what a request without room there is told: a full day is an exhausted quota, a full minute a rate limit."""
        return ErrorKind.RATE_LIMIT if self.window.period_s <= _SHORT_S else ErrorKind.QUOTA_EXHAUSTED

    @property
    def _guess_s(self) -> float:
        return min(max(_SHORTEST_GUESS_S, self.window.period_s * _GUESS_SHARE), _LONGEST_GUESS_S)

    def take(self, need: float, at: float, now: float) -> None:
        """Count what a request needs from that moment on."""
        self.window.take(need, at, now)
        self._taken_at = max(self._taken_at, at)
        self.is_changed = True

    def accept(self, now: float, *, is_doubt: bool = False) -> None:
        """A request was served. `is_doubt`: what was believed to be too much was not."""
        if not (is_doubt or self._ceiling or self.source is AmountSource.LEARNED):
            return
        window = self.window
        used = window.used(now)
        if used > self._ceiling:
            self._ceiling = 0.0
        if is_doubt:
            self._doubts = max(0, self._doubts - 1)
            if not self._lowered:
                self._doubted_at = self._taken_at = 0.0  # where one guess was wrong, the next one may be
        if is_doubt and used > window.amount:
            # A wrong count of a minute is over soon. A day's amount that is wrong may be wrong by much.
            window.amount = max(used * _BEYOND, used + 1) if window.period_s <= _SHORT_S else used * 2
            self._change(AmountSource.LEARNED, now)
        elif self.source is AmountSource.LEARNED and window.amount < self.limit.amount:
            self._rise(used, now)

    def _rise(self, used: float, now: float) -> None:
        """What was lowered rises again where it is used to the full and nothing is refused."""
        window = self.window
        if now - self._changed_at >= _ASKED_AGAIN_S:
            window.amount = self.limit.amount
        elif now - self._changed_at >= self._pause_s and used >= window.amount * _FULL - 1:
            window.amount = min(self.limit.amount, window.amount + max(1.0, window.amount * _RISE))
            if window.amount == self.limit.amount:
                self._lowered = 0
        else:
            return
        self._change(AmountSource.LEARNED, now)

    @property
    def _pause_s(self) -> float:
        """How long what was lowered stays, longer each time."""
        return self.window.period_s * float(2 ** min(max(0, self._lowered - 1), _LOWERED_MOST))

    def observe(self, quota: Quota, now: float, asked_at: float) -> None:
        """Take what the upstream told a request that was sent at that moment. What others took since is not in it, so it can only
        raise what is counted then."""
        window = self.window
        reset_at = None if quota.reset_at is None else min(quota.reset_at, now + window.period_s * _BEYOND)
        if quota.limit is not None and quota.limit > 0 and quota.limit != window.amount:
            window.amount = quota.limit
            self._change(AmountSource.TOLD, now)
        elif quota.limit is not None:
            self.source = AmountSource.TOLD
        used = quota.used
        if used is None and quota.remaining is not None:
            used = max(0.0, window.amount - quota.remaining)
        if used is not None and (self._taken_at <= asked_at or used > window.used(now)):
            window.believe(used, now, reset_at)
            self.is_changed = True
        if not quota.requested and quota.remaining is not None and quota.remaining <= 0:
            self.shut(reset_at or window.frees_at(now) or now, now, is_told=True)

    def refuse(self, need: float, retry_at: float | None, longest_s: float, now: float) -> bool:
        """Take a refusal that names no limit; its own need is not counted any more. False: its hint is not of this window."""
        window = self.window
        if retry_at is not None:
            if retry_at - now > window.period_s * _BEYOND:
                return False
            self.shut(retry_at, now, is_told=True)
            return True
        self._suspect(max(window.used(now), need), now)
        frees_at = window.frees_at(now) or now + longest_s
        self.shut(min(frees_at, now + self._guess_s, now + longest_s), now, is_told=False)
        return True

    def _suspect(self, level: float, now: float) -> None:
        """A refusal at that level may be a limit, or a crowd at the upstream. It is a limit if the next come at the same level,
        and nothing was accepted above it meanwhile."""
        before, self._ceiling = self._ceiling, level
        is_same = before * (1 - _ALIKE) - 1 <= level <= before + 1
        self._refusals = self._refusals + 1 if before and is_same else 1
        if self._refusals >= _SURE and max(level, before) < self.window.amount:
            self.window.amount = max(level, before)
            self._lowered += 1
            self._doubts += 2
            self._change(AmountSource.LEARNED, now)

    def shut(self, until: float, now: float, *, is_told: bool) -> None:
        if until <= now:
            return
        self.window.shut(until)
        if is_told:
            self.told_until = max(self.told_until, until)
        self.is_changed = True

    def can_doubt(self, now: float) -> bool:
        """Whether what shuts it is a guess that one request may put to the test now."""
        pause_s = min(self._guess_s * 2 ** min(self._doubts, 12), self.window.period_s * _CONFIRMED_PERIODS)
        return now >= self.told_until and now - max(self._doubted_at, self._taken_at) >= pause_s

    def doubt(self, now: float) -> None:
        """One request puts it to the test."""
        self._doubted_at = now
        self._doubts += 1

    def _change(self, source: AmountSource, now: float) -> None:
        self.source = source
        self._changed_at = now
        self.is_changed = True

    def saved(self) -> dict[str, Any]:
        window = self.window
        return {
            "used": window.saved(),
            "amount": window.amount,
            "source": str(self.source),
            "changed_at": self._changed_at,
            "shut_until": window.shut_until,
            "told_until": self.told_until,
        }

    def load(self, saved: Any) -> None:
        """Take what `saved` gave. Raises ValueError, TypeError or LookupError for anything else."""
        self.window.load(saved["used"])
        self.source = AmountSource(saved["source"])
        self._changed_at = float(saved["changed_at"])
        self.window.shut_until = float(saved["shut_until"])
        self.told_until = float(saved["told_until"])
        if self.source is not AmountSource.PUBLISHED:
            self.window.amount = float(saved["amount"])


def _window_of(limit: Limit) -> Window:
    kind, period_s = limit.limit_kind, WINDOWS_S[limit.window]
    if kind is LimitKind.FIXED:
        return FixedWindow(limit.amount, period_s, time_zone(limit.zone))
    if kind is LimitKind.LEAKY:
        return LeakyWindow(limit.amount, period_s)
    if kind is LimitKind.CONCURRENCY:
        return ConcurrencyWindow(limit.amount, period_s)
    return RollingWindow(limit.amount, period_s)
