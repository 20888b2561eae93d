"""Web origins: which pages may send requests, and what their browsers are told (CORS)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

from freeride_core.gateway.http.server_exchange import HeaderList
from freeride_core.settings.resolver import Settings
from freeride_core.system.loopback import is_loopback

Headers = Mapping[bytes, bytes]

VARY: HeaderList = [(b"vary", b"origin")]
"""On every answer: a cache must not give one page's answer to another."""
_MOST_NAMES = 64
_LONGEST_NAMES = 4096
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A field name as RFC 9110 has it."""
_LOOPBACK_NAMES = frozenset(
    {
        *(b"accept", b"authorization", b"content-type", b"content-encoding", b"cache-control", b"idempotency-key"),
        *(b"openai-beta", b"openai-organization", b"openai-project", b"user-agent", b"http-referer", b"x-title"),
        *(b"x-api-key", b"x-request-id", b"x-requested-with", b"x-freeride-force-provider"),
    }
)
_LOOPBACK_PREFIXES = (b"x-stainless-", b"anthropic-", b"x-goog-")
"""The list of such headers grows with every release of an SDK."""
_EXPOSED = (
    *(b"x-request-id", b"request-id", b"retry-after", b"x-should-retry"),
    *(b"x-freeride-request-id", b"x-freeride-provider", b"x-freeride-model", b"x-freeride-attempts"),
)
_LONGEST_HOST = 300
"""More than a name of DNS with its port."""
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\s\[\]/?#@\\:,]+)(?::[0-9]*)?", re.ASCII | re.IGNORECASE)


def hostname_of(authority: str) -> str:
    """Return the host without its port, in lower case; empty if the text cannot be one."""
    return _parsed(authority) if len(authority) <= _LONGEST_HOST else ""


@functools.lru_cache(maxsize=256)
def _parsed(authority: str) -> str:
    found = _AUTHORITY.fullmatch(authority)
    return found[1].strip("[]").lower().rstrip(".") if found else ""


def is_origin_allowed(headers: Headers, settings: Settings) -> bool:
    """Whether the page that sent this request may: it is loopback's, the gateway's own, or allowed by name."""
    return _is_readable(headers[b"origin"].decode("latin-1"), settings) or is_own_origin(headers, settings)


def _is_readable(origin: str, settings: Settings) -> bool:
    return _is_named(origin, settings) or (settings.allows_loopback_origins and _is_loopback_origin(origin))


def _is_named(origin: str, settings: Settings) -> bool:
    """Whether the user allowed it by name. `null` is no name: any page can have it."""
    return "://" in origin and origin in settings.allowed_origins


def _is_loopback_origin(origin: str) -> bool:
    scheme, _, authority = origin.partition("://")
    return scheme in ("http", "https") and is_loopback(hostname_of(authority))


def is_own_origin(headers: Headers, settings: Settings) -> bool:
    """Whether the page came from this gateway, by the name that the request calls it by."""
    origin = headers[b"origin"].decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1").lower()
    name = hostname_of(host)
    is_known = is_loopback(name) or name in settings.allowed_hosts
    return is_known and origin == f"http://{host.removesuffix(':80')}"


def cors_headers(headers: Headers, settings: Settings, more: Iterable[bytes]) -> HeaderList:
    """Return what lets the page read the answer, of its headers the usual ones and `more`; `VARY` alone if it may not."""
    origin = headers[b"origin"]
    if not _is_readable(origin.decode("latin-1"), settings):
        return VARY
    exposed = b", ".join((*_EXPOSED, *more))
    return [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", exposed), *VARY]


def is_preflight(method: str, headers: Headers, settings: Settings) -> bool:
    """Whether a browser asks what a page may send to a route."""
    return (
        method == "OPTIONS"
        and b"origin" in headers
        and b"access-control-request-method" in headers
        and _is_readable(headers[b"origin"].decode("latin-1"), settings)
    )


def preflight_headers(headers: Headers, settings: Settings) -> HeaderList | None:
    """Return the answer to a preflight, or None if the page asks for a header that it may not send."""
    asked = headers.get(b"access-control-request-headers", b"")
    names = [name.strip() for name in asked.split(b",")] if asked.strip() else []
    if len(names) > _MOST_NAMES or len(asked) > _LONGEST_NAMES or not all(map(_TOKEN.fullmatch, names)):
        return None
    if not _is_named(headers[b"origin"].decode("latin-1"), settings) and not all(
        _is_usual(name.lower()) for name in names
    ):
        return None
    answer = [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-max-age", b"600"),
        (b"vary", b"access-control-request-headers"),
    ]
    if names:
        answer.append((b"access-control-allow-headers", b", ".join(names)))
    if headers.get(b"access-control-request-private-network") == b"true":
        answer.append((b"access-control-allow-private-network", b"true"))
    return answer


def _is_usual(name: bytes) -> bool:
    return name in _LOOPBACK_NAMES or name.startswith(_LOOPBACK_PREFIXES)
