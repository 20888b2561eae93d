"""A scheduler that asks one model after the other, and learns nothing."""

from __future__ import annotations

from collections.abc import Sequence

from bench.yields.answers import UpstreamAnswer
from bench.yields.scheduler import MOST_CALLS, Decision, GivingUp, RequestWalk, Sending, ServedModel


class RoundRobin:
    """Begins each request one model further than the last."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = tuple(models)
        self._next = 0

    def choose(self, walk: RequestWalk, now: float) -> Decision:
        if len(walk.asked) >= MOST_CALLS:
            return GivingUp()
        for step in range(len(self._models)):
            at = (self._next + step) % len(self._models)
            served = self._models[at]
            if served not in walk.asked and served.can_serve(walk.request):
                self._next = at + 1
                return Sending(served, now, served.clamped(walk.request))
        return GivingUp()

    def settle(self, walk: RequestWalk, sending: Sending, answer: UpstreamAnswer, now: float) -> None:
        """Whatever it was."""

    def withdraw(self, walk: RequestWalk, now: float) -> None:
        """Nothing waits."""
