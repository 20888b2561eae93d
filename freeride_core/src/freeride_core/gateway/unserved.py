"""Paths: which spellings of a route are understood, and what is said of a path that is not served."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple

from freeride_core.gateway.protocols.errors import ClientError

_DOUBLED = re.compile(r"(?:/+v1)+/+")
"""A base URL with `/v1`, or with a slash at its end, before a path with `/v1`."""
_SERVED = "POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models and GET /health"
_CHAT = "Set the client to chat completions, with the base URL {base}."

Encode = Callable[[ClientError, str], bytes]


def understood(path: str) -> str:
    """Return the route that a path means: without a doubled prefix, a doubled slash before it, and a slash at the end."""
    if path.startswith(("/v1/", "//", "/health/")):
        path = _DOUBLED.sub("/v1/", path, count=1) if _DOUBLED.match(path) else path
        return path.rstrip("/") or "/"
    return path


def unserved(path: str, host: str) -> tuple[ClientError, Encode]:
    """Return what is said of a path that is not served, and how it is written in the protocol that the path belongs to.
    `host` is the authority that the request calls this gateway by."""
    base = f"http://{host}/v1"
    row = next((row for row in _ROWS if row.path.search(path)), None)
    message = f"Nothing is served at this path. Served are {_SERVED}." if row is None else row.message.format(base=base)
    error = ClientError(status=404, message=message, type="invalid_request_error", code="not_found", is_hopeless=True)
    return error, ClientError.body if row is None else row.encode


def _messages_body(error: ClientError, request_id: str) -> bytes:
    """In the shape of the Messages API."""
    inner = {"type": "not_found_error", "message": error.message}
    return json.dumps({"type": "error", "error": inner, "request_id": request_id}).encode()


def _content_body(error: ClientError, request_id: str) -> bytes:  # noqa: ARG001 - this shape has no place for it
    """In the shape of `generateContent`."""
    return json.dumps({"error": {"code": 404, "message": error.message, "status": "NOT_FOUND"}}).encode()


class _UnservedPath(NamedTuple):
    """What is said of some paths."""

    path: re.Pattern[str]
    message: str
    encode: Encode = ClientError.body


def _row(path: str, message: str, encode: Encode = ClientError.body) -> _UnservedPath:
    return _UnservedPath(re.compile(path), message, encode)


_ROWS = (
    _row(r":(?:\w*[gG]enerateContent|countTokens|embedContent|batchEmbedContents)$|^/v1(?:beta|alpha)\d*(?:/|$)",
         f"generateContent is not served here. {_CHAT}", _content_body),
    _row(r"(?:^|/)messages(?:/count_tokens|/batches.*)?/*$", f"The Messages API is not served here. {_CHAT}", _messages_body),
    _row(r"(?:^|/)responses(?:/|$)", f"The Responses API is not served here. {_CHAT}"),
    _row(r"(?<!/chat)/completions/*$", f"Text completions are not served here. {_CHAT}"),
    _row(r"/(?:chat/completions|embeddings|models)(?:/|$)",
         "Nothing is served at this path: the client's base URL is not this gateway's. Set it to {base}."),
    _row(r"^/+v1/*$", "This is the base URL. Clients append a route to it, such as {base}/chat/completions."),
    _row(r"^/api/(?:chat|generate|tags|show|embed|ps|version)/*$",
         "This protocol is not served here. Set the client to an OpenAI-compatible provider, with the base URL {base}."),
    _row(r"^/v1/\w", f"This route is not served. Served are {_SERVED}."),
)  # fmt: skip
