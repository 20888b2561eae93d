"""The table of what follows from a failure, in words; from the one that decides it."""

from __future__ import annotations

from collections.abc import Iterator

from freeride_core.answer import ErrorKind, Scope
from freeride_core.gateway.walk.reaction import TABLE, Reaction

_SEEN = {
    ErrorKind.RATE_LIMIT: "429 of a minute",
    ErrorKind.QUOTA_EXHAUSTED: "402, 429 of a day or a month, an empty balance",
    ErrorKind.AUTH: "401, what speaks of the key or the account with 400 or 403",
    ErrorKind.MODEL_NOT_FOUND: "404, a retired model, one that your plan has not",
    ErrorKind.UNSUPPORTED: "400 because this model knows no tools, images, schemas",
    ErrorKind.CONTEXT_LENGTH: "a prompt longer than this model's window",
    ErrorKind.TOO_LARGE: "413, more tokens than a minute gives",
    ErrorKind.UNAVAILABLE: "5xx, a page that blocks",
    ErrorKind.TIMEOUT: "silence",
    ErrorKind.NETWORK: "no connection, or one that breaks",
    ErrorKind.PROTOCOL: "200 with HTML, with an error, with nothing",
    ErrorKind.BAD_REQUEST: "400 that is your request's own fault",
    ErrorKind.CONTENT_FILTER: "a refusal of the content",
}
_SCOPES = {
    Scope.KEY: "the key",
    Scope.ACCOUNT: "the account",
    Scope.MODEL: "this model there",
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
        return "nothing; for an hour at most the model comes last for what it lacks"
    if reaction.remembers_size:
        return "nothing; for an hour at most the model comes last for such a size"
    if not reaction.cools:
        return "nothing"
    wait = _span(reaction.wait_s)
    if reaction.longest_s:
        wait += f", doubling to {_span(reaction.longest_s)}"
    if reaction.model_wait_s is not None:
        wait += f" ({_span(reaction.model_wait_s)} for a model)"
    if reaction.rest_times:
        wait += f", and at least {reaction.rest_times:.0f} times as long as it was silent"
    hint = "until the time that it names, else " if reaction.trusts_hint else ""
    return f"{_SCOPES[reaction.scope]}, {hint}{wait}"


def _next(reaction: Reaction) -> str:
    if reaction.is_final:
        return f"nobody: you get the upstream's words, as {reaction.answers}"
    if reaction.leaves_model:
        return f"another model; if none can, {reaction.answers}"
    if reaction.leaves_provider:
        return "another provider; this one again if no other is left"
    if reaction.is_outage:
        return "the next; this one again if nothing else is left"
    return "the next"


def _span(seconds: float) -> str:
    if seconds % 3600 == 0:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 60:.0f} min" if seconds % 60 == 0 else f"{seconds:.0f} s"
