"""Upstreams: requests out, responses in, over connections that are kept for the next request."""

from __future__ import annotations

import asyncio
import functools
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from freeride_core.answer import ErrorKind, UpstreamRequest
from freeride_core.gateway.http.budget import Budget
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UNUSABLE_PROXY, UpstreamError
from freeride_core.gateway.http.pool import Pool
from freeride_core.gateway.http.proxies import proxy_for
from freeride_core.gateway.http.upstream_response import UpstreamResponse
from freeride_core.gateway.http.via import pseudonym

if TYPE_CHECKING:
    from freeride_core.gateway.http.proxied import ProxiedOrigin

__all__ = ["UpstreamError", "Upstreams"]

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_PORTS = {"http": 80, "https": 443}


class UpstreamOrigin(NamedTuple):
    """Where a URL leads."""

    scheme: str
    host: str
    port: int


class Upstreams:
    """All upstream connections of the process: one TLS context, and one pool for each origin, for life."""

    def __init__(
        self, connect_timeout_s: float, now: Callable[[], float] = time.time, budget: Budget | None = None
    ) -> None:
        """`now` gives seconds since the epoch. `budget` bounds what is held of all answers, and None is no bound."""
        self.connect_timeout_s = connect_timeout_s
        self.pseudonym = pseudonym()
        """What this gateway is called in `Via`."""
        self.budget = budget or Budget(sys.maxsize, lambda _: None)
        self._now = now
        self._tls: ssl.SSLContext | None = None
        self._origins: dict[UpstreamOrigin, Pool | ProxiedOrigin] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def clock(self) -> float:
        """The loop's, in which all of them live: asking asyncio for it costs a system call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop.time()

    def send(
        self, request: UpstreamRequest, is_wanted: Callable[[], bool] | None = None, *, within_s: float = NEVER
    ) -> Awaitable[UpstreamResponse]:
        """Send and wait for the head. `within_s` goes on counting while the response is read, until that says otherwise.
        `is_wanted` is asked once more just before the first byte goes out.

        Raises `UpstreamError` or `Withdrawn`; being cancelled drops the connection.
        """
        due = self.clock() + within_s
        origin, head = _addressed(request.method, request.url, request.headers)
        pool = self._origins.get(origin)
        if pool is None:
            pool = self._origins[origin] = self._open(origin)
        if not isinstance(pool, Pool):
            return pool.ask(request, connect_s=self.connect_timeout_s, due=due, is_wanted=is_wanted)
        body = request.body
        head += b"content-length: %d\r\n\r\n" % len(body) if body else b"\r\n"
        return pool.ask(head, body, connect_s=self.connect_timeout_s, due=due, is_wanted=is_wanted)

    def _open(self, origin: UpstreamOrigin) -> Pool | ProxiedOrigin:
        """Ours; httpx's own transport where the environment names a proxy."""
        if self._tls is None and origin.scheme == "https":
            self._tls = ssl.create_default_context()
        tls = self._tls if origin.scheme == "https" else None
        proxy = proxy_for(*origin)
        if proxy is None:
            return Pool(origin.host, origin.port, tls, self._now, self._drop_idle)
        try:
            from freeride_core.gateway.http.proxied import ProxiedOrigin  # not above: httpx is slow to import

            return ProxiedOrigin(proxy, tls)
        except (ImportError, ValueError):  # the proxy needs a package that is missing, or its URL is wrong
            raise UpstreamError(ErrorKind.NETWORK, UNUSABLE_PROXY, is_connect=True) from None

    def _drop_idle(self) -> None:
        for pool in self._origins.values():
            if isinstance(pool, Pool):
                pool.drop_idle()

    async def close(self) -> None:
        for pool in self._origins.values():
            if isinstance(pool, Pool):
                pool.close()
            else:
                await pool.close()
        self._origins.clear()


@functools.lru_cache(maxsize=1024)
def _addressed(method: str, url: str, headers: tuple[tuple[str, str], ...]) -> tuple[UpstreamOrigin, bytes]:
    """Where a request goes, and its head but for the body's length: the same for all that go there with one key."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
        if scheme not in _PORTS or not host:
            raise ValueError(scheme)
        origin = UpstreamOrigin(
            scheme, host if host.isascii() else host.encode("idna").decode(), port or _PORTS[scheme]
        )
        authority = f"[{origin.host}]" if ":" in host else origin.host
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_PRINTABLE)
        lines = [
            f"{method} {target} HTTP/1.1",
            f"host: {authority}" if port is None else f"host: {authority}:{port}",
            *(f"{name}: {value}" for name, value in headers),
            "accept-encoding: identity",
            "user-agent: freeride",
        ]
        head = "".join(f"{line}\r\n" for line in lines).encode()
    except ValueError:
        raise UpstreamError(ErrorKind.NETWORK, "the upstream's address cannot be used", is_connect=True) from None
    if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head:
        raise UpstreamError(ErrorKind.PROTOCOL, "the request cannot be sent")
    return origin, head
