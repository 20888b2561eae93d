"""The transport: HTTP/1.1 over httptools and asyncio, behind httpx's interface.

httpx's own transport costs more CPU than everything else that a request meets here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import httptools
import httpx

Trace = Callable[[str, dict[str, Any]], Awaitable[None]]

_KEPT_S = 60.0
"""How long an idle connection is kept."""
_KEPT_MOST = 64
"""Idle connections that are kept to one origin."""
_HIGH_WATER = 256 * 1024
"""Bytes that wait for a slow reader before the upstream is no longer read."""
_MAX_HEAD = 64 * 1024


class Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_paused = False
        self._head_size = 0
        self._error: Exception | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.is_open = True
        self.is_complete = True
        """No answer is under way."""
        self.has_heard = False
        """A byte of the answer under way has come."""
        self.status = 0
        """0: the head has not come yet."""
        self.headers: list[tuple[bytes, bytes]] = []
        self._is_until_eof = False
        self._is_keeping_alive = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # by its methods: uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        if self.is_complete:
            self.drop()  # nobody asked
            return
        self.has_heard = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(httpx.RemoteProtocolError("the upstream does not speak HTTP"))
        else:
            if self._waiting_bytes > _HIGH_WATER and not self._is_paused:
                self._is_paused = True
                self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if not self.is_complete:
            if self._is_until_eof and exc is None and self.status:
                self.is_complete = True
            else:
                self._fail(httpx.RemoteProtocolError("the upstream closed the connection"))
        self._wake()
        self._on_lost(self)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self.drop()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _progress(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # httptools' side

    def on_message_begin(self) -> None:
        self.headers = []
        self._head_size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        if self._head_size > _MAX_HEAD:
            self._fail(httpx.RemoteProtocolError("the upstream's headers are too large"))
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        if status >= 200 and self._error is None:
            self.status = status
            names = {name.lower() for name, _ in self.headers}
            self._is_until_eof = names.isdisjoint((b"content-length", b"transfer-encoding"))
            self._is_keeping_alive = not self._is_until_eof and bool(self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)
        self._waiting_bytes += len(data)

    def on_message_complete(self) -> None:
        if self.status:  # not a 1xx
            self.is_complete = True

    # Ours

    async def ask(self, request: httpx.Request, trace: Trace | None) -> None:
        """Sends a request and waits for the head of its answer."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.has_heard = False
        if trace is not None:
            await trace("http11.send_request_headers.started", {})
        self.is_complete = False
        self._transport.write(_head(request) + request.content)
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._progress()

    async def body(self) -> AsyncIterator[bytes]:
        """The body as it comes; what has come in the meantime comes at once."""
        while True:
            if self._chunks:
                data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
                self._chunks.clear()
                self._waiting_bytes = 0
                if self._is_paused and self.is_open:
                    self._is_paused = False
                    self._transport.resume_reading()
                yield data
            elif self.is_complete:
                return
            elif self._error is not None:
                raise self._error
            else:
                await self._progress()

    def can_be_kept(self) -> bool:
        """Whether the answer is read to its end and the upstream goes on listening."""
        return self.is_open and self.is_complete and self._is_keeping_alive and not self._chunks

    def keep(self) -> None:
        """Idle from now on, for a while."""
        self._expiry = self._loop.call_later(_KEPT_S, self.drop)

    def drop(self) -> None:
        """Closes at once, whatever is under way."""
        self.is_open = False
        if self._expiry is not None:
            self._expiry.cancel()
        self._transport.abort()


def _head(request: httpx.Request) -> bytes:
    lines = [request.method.encode(), b" ", request.url.raw_path, b" HTTP/1.1\r\n"]
    for name, value in request.headers.raw:
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


class _Body(httpx.AsyncByteStream):
    """An answer's body; closing it gives the connection back, or drops it where something was left unread."""

    def __init__(self, connection: Connection, give_back: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._give_back = give_back
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._connection.body()

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._give_back(self._connection)


class FastTransport(httpx.AsyncBaseTransport):
    """Connections to one origin, kept and reused: the last one first."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Of the request's extensions it heeds `timeout.connect` and `trace`, as httpcore has them. Raises httpx's exceptions."""
        trace: Trace | None = request.extensions.get("trace")
        kept = self._kept()
        connection = kept or await self._connect(request)
        try:
            await connection.ask(request, trace)
        except httpx.RemoteProtocolError:
            connection.drop()
            if connection is not kept or connection.has_heard:
                raise
            # The upstream had closed it meanwhile, and most likely the others too: nothing was asked yet.
            self._drop_idle()
            connection = await self._connect(request)
            try:
                await connection.ask(request, trace)
            except BaseException:
                connection.drop()
                raise
        except BaseException:
            connection.drop()
            raise
        return httpx.Response(
            connection.status, headers=connection.headers, stream=_Body(connection, self._give_back), request=request
        )

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    def _drop_idle(self) -> None:
        for connection in tuple(self._idle):
            connection.drop()
        self._idle.clear()

    async def _connect(self, request: httpx.Request) -> Connection:
        url = request.url
        port = url.port or (443 if self._tls else 80)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(request.extensions["timeout"]["connect"]):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._forget),
                    url.host,
                    port,
                    ssl=self._tls,
                    server_hostname=url.host if self._tls else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time") from None
        except (OSError, ssl.SSLError) as error:
            raise httpx.ConnectError("no connection") from error
        self._all.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.can_be_kept() and len(self._idle) < _KEPT_MOST:
            connection.keep()
            self._idle.append(connection)
        else:
            connection.drop()

    def _forget(self, connection: Connection) -> None:
        self._all.discard(connection)
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    async def aclose(self) -> None:
        for connection in tuple(self._all):
            connection.drop()
        self._idle.clear()
