"""How a walk ended, and what each candidate answered."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from freeride_core.answer import Failure
from freeride_core.gateway.walk.attempt import Attempt, AttemptSuccess
from freeride_core.gateway.walk.candidate import Candidate


@dataclass(slots=True)
class Tried:
    """What became of one (provider, model)."""

    provider: str
    model: str
    keys_tried: int = 0
    """0: it was cooling."""
    last_error: str = ""
    status: int | None = None
    reason: str = ""
    """Why no connection could be made, in our own words."""
    retry_at: float | None = None
    """When its cooldown ends, seconds since the epoch."""
    is_of_account: bool = False
    """What was refused is the account, rather than a key of it."""


class Served(msgspec.Struct):
    """A provider answers. Close `attempt` when the answer has been passed on."""

    served: AttemptSuccess
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Faulted:
    """The client's own fault, or a request that no candidate can do; in the upstream's words."""

    failure: Failure
    status: int
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Exhausted:
    """No provider could answer now."""

    tried: tuple[Tried, ...]
    retry_at: float | None
    """When the soonest slot is back, or None if none is cooling."""


Outcome = Served | Faulted | Exhausted
