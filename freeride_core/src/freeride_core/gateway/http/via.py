"""`Via`: the gateways that a request has passed. A request that comes back to one of them would go round for ever."""

from __future__ import annotations

import secrets

from freeride_core.answer import UpstreamRequest

_LONGEST = 1024


def pseudonym() -> str:
    """Return a name for one gateway that says nothing of its machine."""
    return f"freeride-{secrets.token_hex(4)}"


def has_passed(via: bytes, name: str) -> bool:
    """Whether the gateway of this name is among those that a `Via` header lists."""
    return name.encode() in via


def passed_by(request: UpstreamRequest, via: bytes, name: str) -> UpstreamRequest:
    """Return the request with this gateway as the last of those that it has passed."""
    line = f"1.1 {name}"
    if via and via.isascii() and len(via) <= _LONGEST and (before := via.decode()).isprintable():
        line = f"{before}, {line}"
    return UpstreamRequest(request.method, request.url, (*request.headers, ("via", line)), request.body)
