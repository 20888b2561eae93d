"""The upstream pool behind httpx's interface, so that tests can drive it by a client that they know."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import NoReturn

import httpx

from freeride_core.answer import ErrorKind
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.pool import DirectResponse, Pool


class FastTransport(httpx.AsyncBaseTransport):
    """Speaks with one origin, the one of its first request."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._pool: Pool | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Of the request's extensions it heeds `timeout`, its `connect` and its `read`. Raises httpx's exceptions."""
        if self._pool is None:
            self._pool = Pool(request.url.host, request.url.port or (443 if self._tls else 80), self._tls)
        limits = request.extensions.get("timeout", {})
        connect_s, read_s = limits.get("connect"), limits.get("read")
        try:
            reply = await self._pool.ask(
                _head(request),
                request.content,
                connect_s=connect_s,
                due=_due(read_s),
                has_body=request.method != "HEAD",
            )
        except UpstreamError as trouble:
            _raise(trouble)
        return httpx.Response(
            reply.status, headers=reply.connection.headers, stream=_HttpxBody(reply, read_s), request=request
        )

    async def aclose(self) -> None:
        if self._pool is not None:
            self._pool.close()


class _HttpxBody(httpx.AsyncByteStream):
    """An answer's body; closing it gives the connection back, or drops it where something was left unread."""

    def __init__(self, reply: DirectResponse, read_s: float | None) -> None:
        self._reply = reply
        self._read_s = read_s
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self._reply.expect_by(_due(self._read_s))
                data = await self._reply.connection.read()
                if not data:
                    return
                yield data
        except UpstreamError as trouble:
            _raise(trouble)

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._reply.close()


def _due(within_s: float | None) -> float:
    return NEVER if within_s is None else asyncio.get_running_loop().time() + within_s


def _head(request: httpx.Request) -> bytes:
    lines = [request.method.encode(), b" ", request.url.raw_path, b" HTTP/1.1\r\n"]
    for name, value in request.headers.raw:
        lines += (name, b": ", value, b"\r\n")
    return b"".join((*lines, b"\r\n"))


def _raise(trouble: UpstreamError) -> NoReturn:
    """The same in httpx's words."""
    is_late = trouble.failure.kind == ErrorKind.TIMEOUT
    if trouble.is_connect:
        raise (httpx.ConnectTimeout if is_late else httpx.ConnectError)(str(trouble)) from None
    raise (httpx.ReadTimeout if is_late else httpx.RemoteProtocolError)(str(trouble)) from None
