"""Errors in the client's protocol, so that the official SDKs raise their own exceptions."""

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
    """An error for the client. `message` holds no secret and nothing of a prompt."""

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

    def body(self, request_id: str) -> bytes:
        """The whole answer in OpenAI's shape."""
        error = {
            "message": self.message,
            "type": self.type,
            "code": self.code,
            "param": self.param,
            "request_id": request_id,
            **self.more,
        }
        return json.dumps({"error": error}, ensure_ascii=False).encode(errors="replace")

    def event(self, request_id: str) -> bytes:
        """The same as one event of a stream that has begun."""
        return b"data: " + self.body(request_id) + b"\n\n"

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
