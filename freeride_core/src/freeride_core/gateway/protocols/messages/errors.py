"""Errors in the words of the Messages API, by which its clients decide what to do."""

from __future__ import annotations

from typing import Any

from freeride_core.gateway.protocols import json_text
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.messages.models import without_model

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""By status; any other is `invalid_request_error`, or `api_error` from 500 on. From the API's reference, 2026-12-01."""
_GENERIC = frozenset({"invalid_request_error", "server_error"})
"""Types of the gateway's own that say less than the code does."""
_TOO_LONG = "prompt is too long"
"""By these words an agent knows that it has to make its conversation shorter."""


def error_body(error: ClientError, request_id: str) -> bytes:
    """Return the error as a whole answer. It has the gateway's own type or code beside the known one."""
    usual = "api_error" if error.status >= 500 else "invalid_request_error"
    told: dict[str, Any] = {
        "type": _TYPES.get(error.status, usual),
        "message": _message(error),
        "code": error.code if error.type in _GENERIC else error.type,
        "param": error.param,
        **error.more,
    }
    return json_text.encode({"type": "error", "error": told, "request_id": request_id})


def error_event(error: ClientError, request_id: str) -> bytes:
    """Return the error as the last event of a stream. SDKs pass over an event without a name."""
    return b"event: error\ndata: " + error_body(error, request_id) + b"\n\n"


def _message(error: ClientError) -> str:
    if error.code == "model_not_found" and error.status == 404:
        return without_model(error.message)
    if error.code == "context_length_exceeded" and _TOO_LONG not in error.message.lower():
        return f"{_TOO_LONG}: {error.message}"
    return error.message
