"""The usual rules: what words, codes and statuses mean at an upstream of which nothing more is known.

What these conclude is as narrow as the words allow: a rule that is wrong about one request must cost no other request anything.
"""

from __future__ import annotations

from freeride_core.answer import ErrorKind, Scope
from freeride_core.compatible import wordings
from freeride_core.compatible.rules import Rule

_REFUSED = (400, 422)
_DENIED = (401, 402, 403)
_NO_OWN_NUMBER = (400, 403, 409, 422)
"""Statuses that some upstreams give to whatever they refuse."""

_PATHS: tuple[Rule, ...] = (
    Rule(kind=ErrorKind.NETWORK, status=407, scope=Scope.PROVIDER),  # a proxy on the way
    Rule(kind=ErrorKind.UNAVAILABLE, status=(403, 429, 503), header="cf-mitigated", scope=Scope.PROVIDER),
)

_REQUEST: tuple[Rule, ...] = (
    Rule(
        kind=ErrorKind.CONTEXT_LENGTH,
        code=("context_length_exceeded", "context_window_exceeded", "max_tokens_exceeded", "token_limit_exceeded"),
    ),
    # Of the rate, but no wait makes room for it.
    Rule(kind=ErrorKind.TOO_LARGE, status=(400, 413, 429), text=r"\brequest too large\b.{0,300}\brequested\b"),
    Rule(kind=ErrorKind.CONTEXT_LENGTH, status=(400, 413, 422), text=wordings.TOO_LONG),
    Rule(kind=ErrorKind.CONTEXT_LENGTH, status=500, text=wordings.TOO_LONG_AND_SAYS_HOW_MUCH),
    Rule(
        kind=ErrorKind.TOO_LARGE,
        status=_REFUSED,
        text=r"\b(?:entity|payload|(?:request )?body)\b(?: size)?(?: is| was)? too large",
    ),
    Rule(
        kind=ErrorKind.CONTENT_FILTER,
        status=(400, 403, 422, 451),
        code=(
            "content_policy_violation",
            "content_filter",
            "moderation_blocked",
            "content_blocked",
            "data_inspection_failed",
        ),
    ),
    Rule(kind=ErrorKind.CONTENT_FILTER, status=(400, 403), text=wordings.FILTERED),
)

_CAPACITY: tuple[Rule, ...] = (
    Rule(kind=ErrorKind.UNAVAILABLE, status=(400, 429, 498), text=wordings.OVERLOADED),
    Rule(kind=ErrorKind.RATE_LIMIT, status=429, text=r"rate.limited upstream", scope=Scope.MODEL),
)

_MODEL: tuple[Rule, ...] = (
    Rule(
        kind=ErrorKind.MODEL_NOT_FOUND,
        code=(
            "model_not_found",
            "model_decommissioned",
            "model_not_supported",
            "model_unavailable",
            "invalid_model",
            "unknown_model",
        ),
    ),
    Rule(kind=ErrorKind.MODEL_NOT_FOUND, status=(400, *_DENIED, 404, 422), text=wordings.MODEL_IS_GONE),
    Rule(kind=ErrorKind.MODEL_NOT_FOUND, status=_DENIED, unquoted=wordings.MODEL_IS_BARRED, scope=Scope.ACCOUNT_MODEL),
)

_ACCOUNT: tuple[Rule, ...] = (
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, unquoted=wordings.OF_A_DAY_AND_A_MODEL, scope=Scope.ACCOUNT_MODEL),
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, unquoted=wordings.OF_A_DAY),
    # Where only what is free is asked, a balance that does not suffice speaks of a model that is not free.
    Rule(
        kind=ErrorKind.QUOTA_EXHAUSTED,
        status=(*_DENIED, *_NO_OWN_NUMBER, 429),
        unquoted=wordings.NO_BALANCE,
        scope=Scope.ACCOUNT_MODEL,
    ),
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=(*_NO_OWN_NUMBER, 429), unquoted=wordings.SPENT, scope=Scope.ACCOUNT),
    Rule(
        kind=ErrorKind.QUOTA_EXHAUSTED,
        status=(*_NO_OWN_NUMBER, 429),
        code=("402", "insufficient_quota", "billing_hard_limit_reached"),
    ),
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=401, unquoted=wordings.COME_BACK_LATER, scope=Scope.ACCOUNT_MODEL),
    Rule(kind=ErrorKind.RATE_LIMIT, status=429, unquoted=wordings.OF_A_MODEL, scope=Scope.ACCOUNT_MODEL),
    Rule(
        kind=ErrorKind.RATE_LIMIT,
        status=_NO_OWN_NUMBER,
        code=(
            "429",
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limited",
            "too_many_requests",
            "too_many_requests_error",
            "concurrency_limit_exceeded",
        ),
    ),
    Rule(kind=ErrorKind.RATE_LIMIT, status=_NO_OWN_NUMBER, unquoted=wordings.RATE_LIMITED),
    Rule(
        kind=ErrorKind.AUTH,
        status=(400, 403, 404, 422),
        code=("organization_restricted", "account_deactivated", "account_restricted", "account_suspended"),
        scope=Scope.ACCOUNT,
    ),
    Rule(kind=ErrorKind.AUTH, status=(400, 403, 404, 422), unquoted=wordings.ACCOUNT_IS_SHUT_OUT, scope=Scope.ACCOUNT),
    Rule(
        kind=ErrorKind.AUTH,
        status=(400, 403, 422),
        code=(
            "401",
            "API_KEY_INVALID",
            "authentication_error",
            "invalid_api_key",
            "invalid_authentication",
            "wrong_api_key",
        ),
    ),
    Rule(kind=ErrorKind.AUTH, status=(400, 422), unquoted=wordings.KEY_IS_REFUSED),
    Rule(kind=ErrorKind.AUTH, status=(400, 403), unquoted=wordings.COUNTRY_IS_BARRED, scope=Scope.PROVIDER),
    Rule(kind=ErrorKind.AUTH, status=403, unquoted=wordings.OF_A_KEY),
)

_ABILITIES: tuple[Rule, ...] = tuple(
    Rule(kind=ErrorKind.UNSUPPORTED, status=(400, 404, 422), text=text, feature=feature)
    for feature, text in wordings.LACKS.items()
)

# A 404 of a field of the request, or of what it names: the model is there.
_ROUTING: tuple[Rule, ...] = (
    Rule(kind=ErrorKind.UNSUPPORTED, status=404, text=wordings.NO_ROUTE),
    Rule(kind=ErrorKind.UNSUPPORTED, status=404, text=wordings.OF_NO_MODEL),
)

# A fault that no upstream could forgive: the standard's own fields, outside the standard's own bounds.
_FAULTS: tuple[Rule, ...] = tuple(
    Rule(kind=ErrorKind.BAD_REQUEST, status=_REFUSED, text=text) for text in wordings.UNFORGIVABLE
)

USUAL: tuple[Rule, ...] = (
    *_PATHS,
    *_REQUEST,
    *_CAPACITY,
    *_MODEL,
    *_ABILITIES,
    *_ACCOUNT,
    *_ROUTING,
    *_FAULTS,
)
"""Tried after a package's own rules, in this order."""

_BY_STATUS = {
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA_EXHAUSTED,
    403: ErrorKind.UNAVAILABLE,
    404: ErrorKind.MODEL_NOT_FOUND,
    407: ErrorKind.NETWORK,
    408: ErrorKind.TIMEOUT,
    410: ErrorKind.MODEL_NOT_FOUND,
    413: ErrorKind.TOO_LARGE,
    424: ErrorKind.UNAVAILABLE,
    425: ErrorKind.UNAVAILABLE,
    429: ErrorKind.RATE_LIMIT,
    504: ErrorKind.TIMEOUT,
    524: ErrorKind.TIMEOUT,
}


def by_status(status: int) -> ErrorKind:
    """What a status means when no rule knows better. A 400 that nothing explains is not proven to be the client's fault, and a 403
    that does not speak of the key says nothing against it."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return ErrorKind.UNAVAILABLE
    return ErrorKind.UNSUPPORTED if 400 <= status < 500 else ErrorKind.PROTOCOL
