"""A reservation: what one attempt takes of the allowances, from before it is sent until it is known what it took."""

from __future__ import annotations

import enum

from freeride_core.call import Call
from freeride_core.events.usage import Usage
from freeride_core.ledger.quota.meter import Meter, Share
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

    __slots__ = ("_is_doubt", "_is_held", "_is_settled", "at", "awaits_usage", "call", "max_tokens", "meter", "needs")

    def __init__(
        self,
        meter: Meter,
        needs: tuple[float, ...],
        at: float,
        now: float,
        call: Call,
        max_tokens: int | None = None,
        *,
        is_doubt: bool = False,
    ) -> None:
        """`is_doubt`: it is sent although there is no room by what is believed."""
        self.meter = meter
        self.needs = needs
        self.at = at
        """When it may be sent, seconds since the epoch."""
        self.call = call
        self.max_tokens = max_tokens
        """To which the request's own must be lowered; None: it can stay."""
        self.awaits_usage = False
        """A response has been served, and what it reports is read soon."""
        self._is_doubt = is_doubt
        self._is_settled = False
        self._is_held = True
        for share, need in zip(meter.shares, needs, strict=True):
            share.allowance.take(need, at, now)

    def settle(self, end: Settlement) -> None:
        """Give back what does not count."""
        if not self._is_settled:
            self._is_settled = True
            for share, need in zip(self.meter.shares, self.needs, strict=True):
                if _is_back(end, share):
                    share.allowance.window.give(need, self.at)
        self.release()

    def settle_usage(self, usage: Usage, now: float) -> None:
        """Correct what was estimated to what a served request reports; a report of nothing corrects nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        for share, need in zip(self.meter.shares, self.needs, strict=True):
            if usage.input and not share.fixed:
                share.allowance.window.give(need - share.used(usage), self.at)
                share.allowance.is_changed = True
            share.allowance.accept(now, is_doubt=self._is_doubt)

    def close(self) -> None:
        """The request is over: unless its usage is still to be read, all that was estimated counts."""
        self._is_settled = self._is_settled or not self.awaits_usage
        self.release()

    def release(self) -> None:
        """The request is no longer under way."""
        if self._is_held:
            self._is_held = False
            for share, need in zip(self.meter.shares, self.needs, strict=True):
                if share.allowance.limit.limit_kind is LimitKind.CONCURRENCY:
                    share.allowance.window.give(need, self.at)


def _is_back(end: Settlement, share: Share) -> bool:
    limit = share.allowance.limit
    if limit.limit_kind is LimitKind.CONCURRENCY:
        return False  # that is given back on release
    if end is Settlement.REFUSED:
        return not limit.refusals_count
    return end is Settlement.UNSENT or not share.fixed
