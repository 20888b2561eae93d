"""Paths that are not served, and what is said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple

from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.protocol import ServedProtocol

_CHAT = "Set the client to chat completions, with the base URL {base}."

Encode = Callable[[ClientError, str], bytes]


def unserved(path: str, host: str, owner: ServedProtocol, served: str) -> tuple[ClientError, Encode]:
    """Return the error for a path that is not served, and what writes it in the protocol that the path belongs to.

    `owner` is that protocol if it is served. `host` is the authority by which the request calls this gateway, and `served` are
    its routes."""
    base = f"http://{host}/v1"
    row = next((row for row in _ROWS if row.path.search(path)), None)
    is_owned = owner.claims is not None and owner.claims.search(path) is not None
    message = "Nothing is served at this path. Served are {served}." if row is None or is_owned else row.message
    error = ClientError(
        status=404,
        message=message.format(base=base, served=served),
        type="invalid_request_error",
        code="not_found",
        is_hopeless=True,
    )
    return error, owner.error_body if row is None or is_owned or row.encode is None else row.encode


def _content_body(error: ClientError, request_id: str) -> bytes:  # noqa: ARG001 - this shape has no place for it
    """In the shape of `generateContent`."""
    return json.dumps({"error": {"code": 404, "message": error.message, "status": "NOT_FOUND"}}).encode()


class _UnservedPath(NamedTuple):
    """What is said of some paths."""

    path: re.Pattern[str]
    message: str
    encode: Encode | None = None
    """None for the protocol of chat completions."""


def _row(path: str, message: str, encode: Encode | None = None) -> _UnservedPath:
    return _UnservedPath(re.compile(path), message, encode)


_ROWS = (
    _row(r":(?:\w*[gG]enerateContent|countTokens|embedContent|batchEmbedContents)$|^/v1(?:beta|alpha)\d*(?:/|$)",
         f"generateContent is not served here. {_CHAT}", _content_body),
    _row(r"(?:^|/)responses(?:/|$)", f"The Responses API is not served here. {_CHAT}"),
    _row(r"(?<!/chat)/completions/*$", f"Text completions are not served here. {_CHAT}"),
    _row(r"/(?:chat/completions|embeddings|models)(?:/|$)",
         "Nothing is served at this path: the client's base URL is not this gateway's. Set it to {base}."),
    _row(r"^/+v1/*$", "This is the base URL. Clients append a route to it, such as {base}/chat/completions."),
    _row(r"^/api/(?:chat|generate|tags|show|embed|ps|version)/*$",
         "This protocol is not served here. Set the client to an OpenAI-compatible provider, with the base URL {base}."),
    _row(r"^/v1/\w", "This route is not served. Served are {served}."),
)  # fmt: skip
