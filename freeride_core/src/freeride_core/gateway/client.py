"""The client's side of one request: its body, its response, and whether it is still connected."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from freeride_core.gateway.http.body_buffer import BodyBuffer
from freeride_core.gateway.http.encoding import Decompressor, coding_of
from freeride_core.gateway.http.errors import BodyTooLarge
from freeride_core.gateway.http.server_exchange import EXTENSION, AsgiScope, Receive, Send, ServerExchange
from freeride_core.gateway.http.upstream_response import Hold
from freeride_core.gateway.origins import VARY, HeaderList
from freeride_core.gateway.protocols.errors import SSE_HEADERS, ClientError, error_event
from freeride_core.gateway.protocols.protocol import AnswerEncoder, ServedProtocol

_UNHELD_MOST = 256 * 1024
"""Bytes of a body that are not counted before it is whole."""
_random = random.Random()  # noqa: S311 - for names, not for secrets


class _RequestBody:
    """A request's body as far as it has arrived, and within its limit."""

    __slots__ = ("_buffer", "_hold", "_left", "_unheld")

    def __init__(self, limit: int, hold: Hold) -> None:
        self._buffer = BodyBuffer()
        self._left = limit
        self._hold = hold
        self._unheld = 0

    def add(self, part: bytes) -> None:
        size = len(part)
        self._left -= size
        self._unheld += size
        if self._left < 0:
            raise BodyTooLarge
        if self._unheld > _UNHELD_MOST:
            self._hold(self._unheld)
            self._unheld = 0
        self._buffer.add(part)

    def whole(self) -> bytes:
        self._hold(self._unheld)
        return self._buffer.whole()


class ClientExchange:
    """Wraps the ASGI callables of one HTTP request."""

    __slots__ = (
        "_receive",
        "_send",
        "_server_exchange",
        "_task",
        "_watcher",
        "encoder",
        "extra_headers",
        "headers",
        "is_aborted",
        "is_gone",
        "is_started",
        "method",
        "path",
        "protocol",
        "query",
        "request_id",
    )

    def __init__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.request_id = "req_" + _random.randbytes(4).hex()
        self.protocol: ServedProtocol
        """In which the client is answered. Set it before anything else."""
        self.encoder: AnswerEncoder | None = None
        """What a stream is written by; None: it has the form of chat completions."""
        self.extra_headers: HeaderList = VARY
        """What else the answer carries, whatever it is."""
        self.is_started = False
        """The head of an answer has been sent."""
        self.is_gone = False
        """The client has left."""
        self.is_aborted = False
        """The gateway is stopping and can wait no longer."""
        self._receive = receive
        self._send = send
        extensions = scope.get("extensions")
        self._server_exchange: ServerExchange | None = extensions.get(EXTENSION) if extensions else None
        self._task: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def whole_body(self, limit: int) -> bytes | None:
        """As `read_body`, where there is nothing to wait for and nothing to decode."""
        if self._server_exchange is None or b"content-encoding" in self.headers:
            return None
        body = self._server_exchange.take_whole()
        if body is not None and len(body) > limit:
            raise BodyTooLarge
        return body

    async def read_body(self, limit: int, hold: Hold) -> bytes:
        """The whole body, without its content coding. Raises `BodyTooLarge` before more than `limit` bytes are held, of what came
        or of what came out of it, and `EncodingFault`; and what `hold` raises, which is told of all that is."""
        announced = self.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            raise BodyTooLarge
        coding = coding_of(self.headers.get(b"content-encoding", b"").decode("latin-1"))
        decompressor = None if coding is None else Decompressor(coding, limit)
        body = _RequestBody(limit, hold)
        left, more = limit, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                raise asyncio.CancelledError
            part, more = message.get("body", b""), message.get("more_body", False)
            left -= len(part)
            if left < 0:
                raise BodyTooLarge
            if decompressor is None:
                body.add(part)
                continue
            for piece in decompressor.feed(part):
                body.add(piece)
                await asyncio.sleep(0)  # a few bytes can become very many
        if decompressor is not None:
            decompressor.end()
        return body.whole()

    def give_way(self) -> None:
        """Drops the client, which takes its time while others need the room."""
        if self._server_exchange is not None:
            self._server_exchange.give_way()

    @property
    def is_slow(self) -> bool:
        """The client has not taken all of the answer yet."""
        return self._server_exchange is not None and self._server_exchange.is_slow

    async def drain(self) -> None:
        """Returns when the client has taken most of the answer, or has left."""
        if self._server_exchange is not None:
            await self._server_exchange.drain()

    # Whether the client is still there

    def watch(self) -> None:
        """From here on the current task is cancelled as soon as the client leaves. Ends with `unwatch`."""
        if self._server_exchange is not None:
            self._task = self._server_exchange.task
            self._server_exchange.on_disconnect(self._leave)
        else:  # under another server than ours
            self._task = asyncio.current_task()
            self._watcher = asyncio.ensure_future(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self.is_gone = True
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """The gateway is stopping: ends the exchange with an error."""
        self.is_aborted = True
        if self._task is not None:
            self._task.cancel()

    def unwatch(self) -> None:
        """From here on, a client that leaves has the whole answer."""
        if self._task is None:
            return
        self._task = None
        if self._watcher is not None:
            self._watcher.cancel()
        elif self._server_exchange is not None:
            self._server_exchange.on_disconnect(None)

    # The answer

    async def start(self, status: int, headers: HeaderList) -> None:
        """Takes the list over."""
        self.is_started = True
        self.add_own_headers(headers)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def add_own_headers(self, headers: HeaderList) -> None:
        """Adds what every response has, whichever route it is of. A header for all responses goes here."""
        own_id, id_header = self.request_id.encode(), self.protocol.request_id_header
        headers.append((b"x-freeride-request-id", own_id))
        for name, _ in headers:
            if name == id_header:
                break
        else:  # one agent tries again only after an answer that has it
            headers.append((id_header, own_id))
        headers += self.extra_headers

    async def start_stream(self, headers: HeaderList) -> None:
        await self.start(200, [*SSE_HEADERS, *headers])

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def write_now(self, data: bytes) -> Callable[[], Awaitable[None]] | None:
        """As `write`; what to wait with, if the client takes its time."""
        return partial(self.write, data) if self._server_exchange is None else self._server_exchange.write(data)

    async def end(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def answer(self, status: int, headers: HeaderList, body: bytes) -> None:
        """A whole answer at once. Takes the list over."""
        if self._server_exchange is not None:
            self.is_started = True
            self.add_own_headers(headers)
            return self._server_exchange.answer(status, headers, body)
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        return await self._send({"type": "http.response.body", "body": body})

    async def fail(self, error: ClientError, headers: HeaderList | None = None) -> None:
        """The error as an answer; where one has begun, as the stream's last event."""
        if self.is_started:
            event = error_event if self.encoder is None else self.encoder.error_event
            await self.end(event(error, self.request_id))
        else:
            body = self.protocol.error_body(error, self.request_id)
            await self.answer(error.status, [*error.headers(), *(headers or [])], body)

    async def turn_away(self, error: ClientError) -> None:
        """As `fail`, while the request is still coming: the rest is not read, so nothing can follow on the connection."""
        if self._server_exchange is not None:
            self._server_exchange.keeps_alive = False
        await self.fail(error, [] if self._server_exchange is not None else [(b"connection", b"close")])
