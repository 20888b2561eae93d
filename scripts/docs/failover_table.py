"""The table of what follows from a failure, in words; from the one that decides it."""

from __future__ import annotations

from collections.abc import Iterator

from freeride_core.answer import ErrorKind, Scope
from freeride_core.gateway.walk.reaction import TABLE, Reaction

_SEEN = {
    ErrorKind.RATE_LIMIT: "429 for a minute's limit",
    ErrorKind.QUOTA_EXHAUSTED: "402, 429 for a limit of a day or a month, an empty balance",
    ErrorKind.AUTH: "401; 400 or 403 about the key or the account",
    ErrorKind.MODEL_NOT_FOUND: "404; a model that is retired or not in your plan",
    ErrorKind.UNSUPPORTED: "400: the model doesn't support tools, images or schemas",
    ErrorKind.CONTEXT_LENGTH: "a prompt longer than this model's window",
    ErrorKind.TOO_LARGE: "413; more tokens than a minute's limit",
    ErrorKind.UNAVAILABLE: "5xx; a page that blocks access",
    ErrorKind.TIMEOUT: "no response in time",
    ErrorKind.NETWORK: "no connection, or a broken one",
    ErrorKind.PROTOCOL: "200 with HTML, with an error or without content",
    ErrorKind.BAD_REQUEST: "400: the request itself is wrong",
    ErrorKind.CONTENT_FILTER: "the content is refused",
}
_SCOPES = {
    Scope.KEY: "the key",
    Scope.ACCOUNT: "the account",
    Scope.MODEL: "the model at this provider",
    None: "what the provider meters: key, account or model",
}


def failover_rows() -> Iterator[tuple[str, ...]]:
    """Kinds that have the same consequences share a row."""
    assert set(_SEEN) == set(ErrorKind) == set(TABLE)
    for reaction in dict.fromkeys(TABLE.values()):
        kinds = [kind for kind in ErrorKind if TABLE[kind] == reaction]
        yield (
            ", ".join(f"`{kind}`" for kind in kinds),
            "; ".join(_SEEN[kind] for kind in kinds),
            _cooled(reaction),
            _next(reaction),
        )


def _cooled(reaction: Reaction) -> str:
    if reaction.remembers_feature:
        return "none; the model comes last for such requests for up to an hour"
    if reaction.remembers_size:
        return "none; the model comes last for such sizes for up to an hour"
    if not reaction.cools:
        return "none"
    wait = _span(reaction.wait_s)
    if reaction.longest_s:
        wait += f", doubling to {_span(reaction.longest_s)}"
    if reaction.model_wait_s is not None:
        wait += f" ({_span(reaction.model_wait_s)} for a model)"
    if reaction.rest_times:
        wait += f", and at least {reaction.rest_times:.0f} times as long as the wait"
    hint = "until the time in the response, otherwise " if reaction.trusts_hint else ""
    return f"{_SCOPES[reaction.scope]}, {hint}{wait}"


def _next(reaction: Reaction) -> str:
    if reaction.is_final:
        return f"none: you get the upstream's message, as {reaction.answers}"
    if reaction.leaves_model:
        return f"another model; otherwise {reaction.answers}"
    if reaction.leaves_provider:
        return "another provider; the same one if no other is left"
    if reaction.is_outage:
        return "the next; the same one if no other is left"
    return "the next"


def _span(seconds: float) -> str:
    if seconds % 3600 == 0:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds % 60 == 0 else f"{seconds:.0f} s"
