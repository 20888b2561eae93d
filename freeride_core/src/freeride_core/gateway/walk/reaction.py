"""The one table that says what a failure means. Nothing else decides it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from freeride_core.answer import ErrorKind, Failure, Scope
from freeride_core.call import Call, Feature, Operation
from freeride_core.model import Model
from freeride_core.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What follows from one kind of failure."""

    cools: bool = False
    scope: Scope | None = None
    """What is cooled where the reading names nothing; None: what the provider meters."""
    wait_s: float = 0.0
    """How long, without a hint."""
    model_wait_s: float | None = None
    """How long, without a hint, where only a model is cooled."""
    longest_s: float = 0.0
    """Up to which the wait doubles with each failure in a row; 0: it does not."""
    trusts_hint: bool = True
    """Whether the upstream's own word on when to come back counts."""
    is_outage: bool = False
    """The upstream is down rather than unwilling: afterwards one request probes it, and it is tried when nothing else is left."""
    leaves_provider: bool = False
    """Another provider is next in this request, and this one again only when no other is left."""
    is_hang: bool = False
    """Nothing was answered: other providers come first in later requests too."""
    rest_times: float = 0.0
    """How many times as long as its timeout the wait is at least: one as long as that is over when an agent's next turn asks."""
    leaves_model: bool = False
    """This request does not ask the same (provider, model) again, with whichever key."""
    remembers_feature: bool = False
    remembers_size: bool = False
    is_final: bool = False
    """The client's own fault: nothing else is tried, and nothing is held against anyone."""
    answers: int = 503
    """The status for the client when this is what is left."""


UNKNOWN = Reaction()
"""For a kind that this core does not know: the next candidate, and nothing is cooled."""

_OUTAGE = Reaction(cools=True, scope=Scope.MODEL, wait_s=30, longest_s=600, is_outage=True)
_HANG = replace(_OUTAGE, leaves_provider=True, is_hang=True)

TABLE: dict[str, Reaction] = {
    ErrorKind.RATE_LIMIT: Reaction(cools=True, wait_s=120, model_wait_s=60),
    ErrorKind.QUOTA_EXHAUSTED: Reaction(cools=True, scope=Scope.ACCOUNT, wait_s=3600),
    ErrorKind.AUTH: Reaction(cools=True, scope=Scope.KEY, wait_s=300, longest_s=3600, trusts_hint=False),
    ErrorKind.MODEL_NOT_FOUND: Reaction(cools=True, scope=Scope.MODEL, wait_s=600, trusts_hint=False),
    ErrorKind.UNSUPPORTED: Reaction(leaves_model=True, remembers_feature=True, answers=400),
    ErrorKind.CONTEXT_LENGTH: Reaction(leaves_model=True, remembers_size=True, answers=400),
    ErrorKind.TOO_LARGE: Reaction(leaves_model=True, remembers_size=True, answers=413),
    ErrorKind.UNAVAILABLE: _OUTAGE,
    ErrorKind.TIMEOUT: replace(_HANG, rest_times=4),
    ErrorKind.NETWORK: _HANG,
    ErrorKind.PROTOCOL: Reaction(leaves_provider=True),
    ErrorKind.BAD_REQUEST: Reaction(is_final=True, answers=400),
    ErrorKind.CONTENT_FILTER: Reaction(is_final=True, answers=400),
}


def reaction_to(failure: Failure) -> Reaction:
    return TABLE.get(failure.kind, UNKNOWN)


def cooled_scope(failure: Failure, reaction: Reaction, provider: Provider) -> Scope:
    """What a failure cools: what the reading names, else what is usual for the kind, else what the provider meters."""
    return failure.scope or reaction.scope or provider.meter


_SMALLEST_CONTEXT = 8192
"""What a model is expected to have room for where nothing is known of its context."""
_LEAST_TOKENS = 1000
"""A request of fewer is refused for something else than its size."""
_FAR_OFF = 4
"""By which factor an estimate can differ from what the upstream counts."""
_UNCOUNTED = (b'"data:', b'"file"', b'"file_id"', b'"input_audio"', b'"video_url"')
"""What stands for something that the estimate does not cover."""


def believable_size(call: Call, model: Model, failure: Failure) -> int:
    """How many tokens the refused request had, to be remembered; 0: that is not known well enough. The estimate must cover the
    whole request, which it does not where there are media or several inputs, and be near what is known of the window."""
    if call.operation is not Operation.CHAT or Feature.IMAGES in call.features:
        return 0
    if any(mark in call.body for mark in _UNCOUNTED):
        return 0
    tokens = call.prompt_tokens + call.output_tokens
    if call.prompt_tokens * 2 * _FAR_OFF < len(call.body):
        return 0  # most of it is in fields that are not counted
    is_of_window = failure.kind == ErrorKind.CONTEXT_LENGTH
    least = (model.context or _SMALLEST_CONTEXT) // _FAR_OFF if is_of_window else _LEAST_TOKENS
    return tokens if tokens >= least else 0


_READING_S = 1.0
"""What passes between an answer's arrival, which a hint counts from, and the moment when it is acted on."""
LONGEST_S = 24 * 3600.0
"""No cooldown is longer than a day, whatever a hint says."""


def cooldown_s(
    failure: Failure,
    reaction: Reaction,
    scope: Scope,
    strikes: int,
    now: float,
    waited_s: float = 0.0,
    *,
    was_over_at_once: bool = False,
) -> float:
    """Return how long to cool, in seconds. `strikes` counts the failures in a row, this one included. `waited_s` is how long
    it took. `was_over_at_once`: the one before had a hint of zero, and another one is not believed."""
    if reaction.trusts_hint and failure.retry_at is not None and failure.retry_at >= now - _READING_S:
        hint_s = min(max(failure.retry_at - now, 0.0), LONGEST_S)
        if hint_s or not was_over_at_once:
            return hint_s
    is_about_model = scope in (Scope.MODEL, Scope.ACCOUNT_MODEL)
    wait_s = reaction.model_wait_s if is_about_model and reaction.model_wait_s is not None else reaction.wait_s
    if not reaction.longest_s:
        return wait_s
    doubled_s = float(min(wait_s * 2 ** min(strikes - 1, 30), reaction.longest_s))
    return min(max(doubled_s, reaction.rest_times * waited_s), LONGEST_S)
