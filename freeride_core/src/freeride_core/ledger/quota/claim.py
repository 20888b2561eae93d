"""A claim: what one request would take of the allowances of one model with one key."""

from __future__ import annotations

import math

from freeride_core.answer import Quota, Scope
from freeride_core.ledger.quota.allowance import Allowance, AmountSource
from freeride_core.ledger.quota.meter import Meter

_SHORT_S = 60.0
"""Periods of windows that a refusal without a name can be charged to."""


class Claim:
    """Made once for a request and a candidate. Nothing is taken by it: that is a `Reservation`'s work."""

    __slots__ = ("max_tokens", "meter", "needs", "size")

    def __init__(self, meter: Meter, needs: tuple[float, ...], max_tokens: int | None, size: int) -> None:
        self.meter = meter
        self.needs = needs
        """Of each allowance, in the order of the meter's shares."""
        self.max_tokens = max_tokens
        """To which the request's own must be lowered, or None if it can stay."""
        self.size = size
        """Bytes of the request from which tokens can be told, or 0. The request itself would be held until it is settled."""

    def wait(self, now: float) -> float:
        """Return in how many seconds there is room in all of the allowances: 0 now, `inf` never."""
        longest, windows = 0.0, self.meter.windows
        for window, need in zip(windows, self.needs, strict=True):
            if window.bound + need > window.amount or window.shut_until > now:
                wait = window.wait(need, now)
                if wait > longest:
                    longest = wait
        if not longest or longest == math.inf or len(windows) == 1:
            return longest
        for window, need in zip(windows, self.needs, strict=True):  # what has room now may have none then
            longest += window.wait(need, now + longest)
        return longest

    def blocking(self, now: float) -> list[Allowance]:
        """Return the allowances without room now."""
        return [
            share.allowance
            for share, need in zip(self.meter.shares, self.needs, strict=True)
            if share.allowance.window.wait(need, now) > 0
        ]

    def doubt(self, now: float) -> bool:
        """Whether one request may be sent although it has no room, because only guesses say so. If so, the next one may not for
        a while."""
        blocking = self.blocking(now)
        if not all(allowance.can_doubt(now) for allowance in blocking):
            return False
        for share, need in zip(self.meter.shares, self.needs, strict=True):
            if need > share.allowance.window.amount and share.allowance.source is AmountSource.TOLD:
                return False  # it will never fit
        for allowance in blocking:
            allowance.doubt(now)
        return True

    def observe(self, quota: Quota, now: float, asked_at: float) -> None:
        """Take what a response told, which was asked at that moment."""
        self.meter.observe(quota, now, asked_at)

    def refuse(self, scope: Scope | None, retry_at: float | None, longest_s: float, now: float) -> bool:
        """Charge a refusal that names no limit to the fullest of the shortest allowances. False: none is short enough, so that
        something else has to rest."""
        short = [
            (share.allowance, need)
            for share, need in zip(self.meter.shares, self.needs, strict=True)
            if share.allowance.window.period_s <= _SHORT_S and scope in (None, share.allowance.limit.scope)
        ]
        if not short:
            return False
        allowance, need = max(short, key=lambda each: each[0].window.share_of(each[1], now))
        return allowance.refuse(need, retry_at, longest_s, now)
