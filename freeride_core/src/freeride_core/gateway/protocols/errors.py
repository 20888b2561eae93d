"""Errors for clients, and how chat completions writes them, so that the official SDKs raise their own exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SSE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
)

_LONGEST_SLEEP_S = 60
"""SDKs sleep as long as they are told to, and show nothing meanwhile: beyond this they are told not to try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientError:
    """An error for the client, in the words of chat completions; each protocol writes it in its own. `message` holds no secret and
    nothing of a prompt."""

    status: int
    message: str
    type: str
    code: str | None = None
    param: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the error object."""
    retry_after_s: int | None = None
    is_hopeless: bool = False
    """No wait helps: SDKs are told not to try again."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        headers = [(b"content-type", b"application/json")]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(self.retry_after_s).encode()))
        if self.is_hopeless or (self.retry_after_s or 0) > _LONGEST_SLEEP_S:
            headers.append((b"x-should-retry", b"false"))
        return headers


def bad_request(
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    status: int = 400,
    more: Mapping[str, Any] | None = None,
) -> ClientError:
    """The client's own fault: sending it again changes nothing."""
    return ClientError(
        status=status,
        message=message,
        type="invalid_request_error",
        code=code,
        param=param,
        more=more or {},
        is_hopeless=True,
    )


def error_body(error: ClientError, request_id: str) -> bytes:
    """Return an error as a whole answer of chat completions."""
    members = {
        "message": error.message,
        "type": error.type,
        "code": error.code,
        "param": error.param,
        "request_id": request_id,
        **error.more,
    }
    return json.dumps({"error": members}, ensure_ascii=False).encode(errors="replace")


def error_event(error: ClientError, request_id: str) -> bytes:
    """Return an error as the last event of a stream of chat completions."""
    return b"data: " + error_body(error, request_id) + b"\n\n"
