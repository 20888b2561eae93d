"""A meter: all allowances that a request to one model with one key takes from, and how much of each."""

from __future__ import annotations

from dataclasses import dataclass

from freeride_core.answer import Quota
from freeride_core.events.usage import Usage
from freeride_core.ledger.quota.allowance import Allowance
from freeride_core.ledger.quota.sizes import Estimate
from freeride_core.limit import Limit, LimitKind
from freeride_core.model import Model

_LOW = 0.9
"""An estimate is at least this much of the truth: what would fit then is not said never to."""
_TOLD_EVERY_S = 1.0
_LEAST_OUTPUT = 512
"""Tokens to which `max_tokens` is lowered at most."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a request takes of one allowance: so many for itself, for each token of its prompt and of its response."""

    allowance: Allowance
    fixed: float
    of_prompt: float
    of_output: float
    reserve: int | None
    """The upstream counts `max_tokens`, or this many, before it runs."""

    def need(self, estimate: Estimate) -> float:
        output = estimate.output if self.reserve is None else float(estimate.asked or self.reserve)
        return self.fixed + self.of_prompt * estimate.prompt + self.of_output * output

    def used(self, usage: Usage) -> float:
        """Return what a served request took."""
        prompt = usage.input if self.allowance.limit.counts_cached else usage.input - usage.cached
        return self.fixed + self.of_prompt * prompt + self.of_output * usage.output


def shares_of(limit: Limit, model: Model) -> tuple[float, float, float]:
    """Return what one request, one token of its prompt and one of its response take; nothing if that is not known."""
    if limit.limit_kind is LimitKind.CONCURRENCY or limit.unit == "requests":
        return 1.0, 0.0, 0.0
    if limit.unit == "tokens":
        return 0.0, 1.0, 1.0
    if limit.unit == "tokens_in":
        return 0.0, 1.0, 0.0
    return (0.0, *model.costs.get(limit.unit, (0.0, 0.0)))


class Meter:
    """Made once for each key, model and operation."""

    __slots__ = ("_reserving", "_told_at", "counts_tokens", "limits_concurrency", "pair", "shares", "windows")

    def __init__(self, pair: tuple[str, str], shares: tuple[Share, ...]) -> None:
        self.pair = pair
        self.shares = shares
        self.windows = tuple(share.allowance.window for share in shares)
        self.counts_tokens = any(share.of_prompt or share.of_output for share in shares)
        """Whether it matters how large a request is."""
        self.limits_concurrency = any(share.allowance.limit.limit_kind is LimitKind.CONCURRENCY for share in shares)
        """Whether something has to be given back at the end of a request. Asking four limits takes 1.6 us."""
        self._told_at = 0.0
        self._reserving = tuple(share for share in shares if share.reserve is not None and share.of_output)

    def clamp(self, estimate: Estimate) -> int | None:
        """Return to how many `max_tokens` must be lowered to be admitted at all, or None if it can stay."""
        lowest: int | None = None
        for share in self._reserving:
            amount = share.allowance.window.amount
            if estimate.asked and share.need(estimate) > amount:
                room = int((amount - share.fixed - share.of_prompt * estimate.prompt) / share.of_output)
                if room >= _LEAST_OUTPUT and (lowest is None or room < lowest):
                    lowest = room
        return lowest

    def needs(self, estimate: Estimate) -> tuple[float, ...]:
        """Return what the request takes of each allowance, in the order of `shares`."""
        needs = [share.need(estimate) for share in self.shares]
        for place, share in enumerate(self.shares):
            amount = share.allowance.window.amount
            if amount < needs[place] and needs[place] * _LOW <= amount:
                needs[place] = amount
        return tuple(needs)

    def is_due(self, now: float) -> bool:
        """Whether headers are read: of one response a second, and of each where something is half full. It costs 5 us."""
        if 0 <= now - self._told_at < _TOLD_EVERY_S and all(
            2 * window.bound < window.amount for window in self.windows
        ):
            return False
        self._told_at = now
        return True

    def observe(self, quota: Quota, now: float, asked_at: float) -> bool:
        """Take what was told of one of the limits. Return whether it is one of these."""
        named = [share.allowance for share in self.shares if share.allowance.limit.limit_name == quota.limit_name]
        for allowance in named:
            allowance.observe(quota, now, asked_at)
        return bool(named)
