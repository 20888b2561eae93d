"""What a scheduler decides, and the protocol of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.yields.answers import UpstreamAnswer
from bench.yields.demand import AgentRequest
from freeride_core import Limit, Model, Provider
from freeride_core.call import Feature

MOST_CALLS = 16
"""How many upstream calls one request of a client may cost."""
_SMALLEST_CONTEXT = 8192
"""What a model is expected to have room for where its context is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A model at a provider, with the user's key: what one call asks. `sent_default` is what the package sends as `max_tokens`
    where the client names none."""

    provider: Provider
    model: Model
    sent_default: int | None = None

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Return what the package says of the upstream's windows."""
        return self.provider.limits

    def can_serve(self, request: AgentRequest) -> bool:
        """Return whether the model has what the request needs, by what packages state."""
        has_room = request.low_tokens <= (self.model.context or _SMALLEST_CONTEXT)
        return has_room and (not request.tools or self.model.supports(Feature.TOOLS, assume=False))

    def clamped(self, request: AgentRequest) -> int | None:
        """Return the `max_tokens` that the package sends."""
        asked = request.max_tokens or self.sent_default
        most = self.model.max_output
        return asked if asked is None or most is None else min(asked, most)


@dataclass(slots=True, eq=False)
class RequestWalk:
    """One request of a client, and whom it has been sent to."""

    request: AgentRequest
    began_at: float
    asked: list[ServedModel] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sending:
    """Send the request to this model at that time."""

    to: ServedModel
    at: float
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Ask again at that time, or when another call has ended, whichever is sooner."""

    until: float


@dataclass(frozen=True, slots=True)
class GivingUp:
    """Fail the request."""


Decision = Sending | Waiting | GivingUp


class Scheduler(Protocol):
    """Decides where requests go. `choose` is called until the request is served, has failed, or must wait beyond the patience."""

    def choose(self, walk: RequestWalk, now: float) -> Decision:
        """Return what to do next with a request."""

    def settle(self, walk: RequestWalk, sending: Sending, answer: UpstreamAnswer, now: float) -> None:
        """Learn what became of a call."""

    def withdraw(self, walk: RequestWalk, now: float) -> None:
        """Learn that a request that was to wait has failed, because its patience is shorter."""


def in_static_order(models: Sequence[ServedModel]) -> tuple[ServedModel, ...]:
    """Return the models by tier, then by provider; models of one provider stay in its order."""
    return tuple(sorted(models, key=lambda served: (served.model.tier, served.provider.rank)))
