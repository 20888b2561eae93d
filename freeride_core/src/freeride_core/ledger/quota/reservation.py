"""A reservation: what one attempt takes of the allowances, from before it is sent until it is known what it took."""

from __future__ import annotations

import enum

from freeride_core.events.usage import Usage
from freeride_core.ledger.quota.claim import Claim
from freeride_core.ledger.quota.meter import Share
from freeride_core.limit import LimitKind


class Settlement(enum.Enum):
    """How an attempt failed, which decides what of it counts."""

    UNSENT = enum.auto()
    """The upstream has not seen it: nothing counts."""
    REFUSED = enum.auto()
    """It counts only where the upstream counts refusals."""
    FAILED = enum.auto()
    """The request counts, because it may have been counted; its tokens do not."""


class Reservation:
    """Taken on creation. Settle it once: what comes later changes nothing."""

    __slots__ = ("_doubted", "_is_held", "_is_settled", "at", "awaits_usage", "claim")

    def __init__(self, claim: Claim, at: float, now: float, *, is_doubt: bool = False) -> None:
        """`at` is when the request may be sent, in seconds since the epoch. `is_doubt`: it is sent although there is no room by
        what is believed."""
        self.claim = claim
        self.at = at
        self.awaits_usage = False
        """A response has been served, and what it reports is read soon."""
        self._doubted = claim.blocking(now) if is_doubt else ()
        self._is_settled = False
        self._is_held = True
        for share, need in zip(claim.meter.shares, claim.needs, strict=True):
            share.allowance.take(need, at, now)

    @property
    def is_doubt(self) -> bool:
        return bool(self._doubted)

    @property
    def max_tokens(self) -> int | None:
        """Return to how many the request's own must be lowered, or None if they can stay."""
        return self.claim.max_tokens

    def is_shut(self, now: float) -> bool:
        """Whether the upstream has said since that it takes nothing now."""
        return any(share.allowance.told_until > now for share in self.claim.meter.shares)

    def settle(self, end: Settlement) -> None:
        """Give back what does not count."""
        if not self._is_settled:
            self._is_settled = True
            for share, need in zip(self.claim.meter.shares, self.claim.needs, strict=True):
                if _is_back(end, share):
                    share.allowance.window.give(need, self.at)
        self.release()

    def settle_usage(self, usage: Usage, now: float) -> None:
        """Correct what was estimated to what a served request reports; a report of nothing corrects nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        for share, need in zip(self.claim.meter.shares, self.claim.needs, strict=True):
            if usage.input and not share.fixed:
                share.allowance.window.give(need - share.used(usage), self.at)
                share.allowance.is_changed = True
            share.allowance.accept(now, is_doubt=share.allowance in self._doubted)

    def close(self) -> None:
        """The request is over: unless its usage is still to be read, all that was estimated counts."""
        self._is_settled = self._is_settled or not self.awaits_usage
        self.release()

    def release(self) -> None:
        """The request is no longer under way."""
        if self._is_held and self.claim.meter.limits_concurrency:
            for share, need in zip(self.claim.meter.shares, self.claim.needs, strict=True):
                if share.allowance.limit.limit_kind is LimitKind.CONCURRENCY:
                    share.allowance.window.give(need, self.at)
        self._is_held = False


def _is_back(end: Settlement, share: Share) -> bool:
    limit = share.allowance.limit
    if limit.limit_kind is LimitKind.CONCURRENCY:
        return False  # that is given back on release
    if end is Settlement.REFUSED:
        return not limit.refusals_count
    return end is Settlement.UNSENT or not share.fixed
