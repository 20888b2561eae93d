"""A scheduler that knows only what refusals say: the gateway without a quota ledger.

It is a model of what the gateway did before November 2026, with the numbers of that time: what came later is compared with it. It
leaves out outages, several keys and hedging, which the scripted upstreams give no reason for.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.yields.answers import UpstreamAnswer
from bench.yields.scheduler import MOST_CALLS, Decision, GivingUp, RequestWalk, Sending, ServedModel, in_static_order
from freeride_core import Scope

_MODEL_WAIT_S, _ACCOUNT_WAIT_S, _DAY_WAIT_S = 60.0, 120.0, 3600.0
"""Without a hint: after a rate limit of a model, of an account, and after a spent quota."""
_LONGEST_S = 86_400.0
_REMEMBERED_S = 3600.0
_LEAST_TOKENS = 1000
"""A request of fewer is refused for something else than its size."""

Slot = tuple[str, str]
"""A provider and one of its models; "" stands for its whole account."""


class ReactOnly:
    """Asks in static order, and cools what refuses."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = in_static_order(models)
        self._cool_until: dict[Slot, float] = {}
        self._too_big: dict[ServedModel, tuple[int, float]] = {}

    def choose(self, walk: RequestWalk, now: float) -> Decision:
        if len(walk.asked) >= MOST_CALLS:
            return GivingUp()
        doubted: ServedModel | None = None
        for served in self._models:
            if served in walk.asked or not served.can_serve(walk.request) or self._is_cool(served, now):
                continue
            if not self._is_too_big(served, walk, now):
                return Sending(served, now, served.clamped(walk.request))
            doubted = doubted or served
        return GivingUp() if doubted is None else Sending(doubted, now, doubted.clamped(walk.request))

    def settle(self, walk: RequestWalk, sending: Sending, answer: UpstreamAnswer, now: float) -> None:
        served, size = sending.to, _size(walk)
        if answer.is_served:
            if served in self._too_big and size >= self._too_big[served][0]:
                del self._too_big[served]
            return
        if answer.status == 413:
            if size >= _LEAST_TOKENS:
                self._too_big[served] = (size, now)
            return
        is_of_model = answer.scope is Scope.ACCOUNT_MODEL
        wait_s = _DAY_WAIT_S if answer.is_of_day else _MODEL_WAIT_S if is_of_model else _ACCOUNT_WAIT_S
        if answer.hint_s is not None:
            wait_s = min(answer.hint_s, _LONGEST_S)
        self._cool_until[served.provider.name, served.model.id if is_of_model else ""] = now + wait_s

    def withdraw(self, walk: RequestWalk, now: float) -> None:
        """Nothing waits."""

    def _is_cool(self, served: ServedModel, now: float) -> bool:
        name = served.provider.name
        return any(self._cool_until.get((name, of), 0.0) > now for of in ("", served.model.id))

    def _is_too_big(self, served: ServedModel, walk: RequestWalk, now: float) -> bool:
        tokens, noted = self._too_big.get(served, (0, 0.0))
        return 0 < tokens <= _size(walk) and now - noted < _REMEMBERED_S


def _size(walk: RequestWalk) -> int:
    return walk.request.low_tokens + (walk.request.max_tokens or 0)
