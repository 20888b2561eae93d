"""One request and its response on a client's connection, as ASGI sees them."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, Protocol

from freeride_core.gateway.http.write_batch import WriteBatch

AsgiScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

EXTENSION = "freeride.exchange"
"""Extension of the scope: the exchange itself, for what ASGI lets an application only wait for: that the client has left, that
all of a body has come, that an answer is written. Each of these would be a coroutine or a task, for every request."""

_log = logging.getLogger(__name__)
_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in http.HTTPStatus}
_BODILESS = frozenset({204, 304})
_HIGH_WATER = 256 * 1024
"""Bytes of a request that nobody has asked for yet before the client is no longer read."""
_MANY = 256
"""Parts of a request that wait apart from each other: in a list, a part of one byte takes forty."""
_WORTH_JOINING = 16 * 1024


class ExchangeConnection(Protocol):
    """What an exchange needs of the connection that it is on."""

    @property
    def default_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Of every answer."""

    def write(self, *parts: bytes) -> None: ...

    async def drain(self) -> None:
        """Returns when the client has taken most of what was written."""

    @property
    def is_slow(self) -> bool:
        """There is something to drain."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def end(self, server_exchange: ServerExchange) -> None:
        """The cycle's answer is written."""

    def close(self) -> None: ...

    def give_way(self) -> None:
        """Others need the room: ends at once, with a word where that is still possible."""


class ServerExchange:
    """The answer's head goes out with the first of its body."""

    __slots__ = (
        "_awaits_word",
        "_connection",
        "_head",
        "_is_bodiless",
        "_is_chunked",
        "_is_delivered",
        "_is_old",
        "_is_whole",
        "_left",
        "_loop",
        "_on_disconnect",
        "_outbox",
        "_parts",
        "_size",
        "_tasks",
        "_waiter",
        "is_complete",
        "is_gone",
        "is_started",
        "keeps_alive",
        "task",
    )

    def __init__(
        self,
        connection: ExchangeConnection,
        scope: AsgiScope,
        outbox: WriteBatch,
        *,
        keeps_alive: bool,
        awaits_word: bool,
    ) -> None:
        self.keeps_alive = keeps_alive
        """Another request may follow."""
        self.is_gone = False
        """The client has left."""
        self.is_started = False
        """The answer has a head."""
        self.is_complete = False
        """The answer is written."""
        self._connection = connection
        self._outbox = outbox
        self._awaits_word = awaits_word
        self._is_old = scope["http_version"] == "1.0"
        self._is_bodiless = scope["method"] == "HEAD"
        self._is_chunked = False
        self._head = b""
        self._left: int | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._is_whole = False
        self._is_delivered = False
        self._waiter: asyncio.Future[None] | None = None
        self._on_disconnect: Callable[[], None] | None = None

    # The connection's side

    def start(
        self, app: App, scope: AsgiScope, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]
    ) -> None:
        scope["extensions"] = {EXTENSION: self}
        self.task = loop.create_task(self._run(app, scope))
        self._tasks = tasks
        tasks.add(self.task)
        self._loop = loop
        self._outbox.expected += 1

    @property
    def is_whole(self) -> bool:
        """All of the request has come."""
        return self._is_whole

    @property
    def is_slow(self) -> bool:
        """The client has not taken all that was written yet."""
        return not self.is_gone and self._connection.is_slow

    async def drain(self) -> None:
        """Returns when the client has taken most of what was written, or has left."""
        await self._connection.drain()

    def give_way(self) -> None:
        if not self.is_gone:
            self._connection.give_way()

    def feed(self, data: bytes) -> None:
        if self.is_complete:
            return  # answered without it
        self._parts.append(data)
        self._size += len(data)
        if self._size > _HIGH_WATER and (self._waiter is None or self._waiter.done()):
            self._connection.pause_reading()
        if self._waiter is not None:
            self._outbox.resume(self._waiter)

    def put_together(self) -> None:
        """What has come so far."""
        if len(self._parts) > _MANY:
            self._parts = [b"".join(self._parts)]

    def feed_end(self) -> None:
        self._is_whole = True
        if self._waiter is not None:
            self._outbox.resume(self._waiter)

    def leave(self) -> None:
        """The client has left."""
        self.is_gone = True
        if self._waiter is not None:
            self._outbox.resume(self._waiter)
        if self._on_disconnect is not None and not self.is_complete:
            self._on_disconnect()

    # The application's side

    async def _run(self, app: App, scope: AsgiScope) -> None:
        self._outbox.expected -= 1
        try:
            await app(scope, self.receive, self.send)
            if not self.is_complete and not self.is_gone:
                raise RuntimeError("an answer without an end")
        except Exception as error:
            # Without the error's own words: they may quote a prompt.
            _log.error("internal error: %s", type(error).__name__)
            self._break_off()
        except asyncio.CancelledError:
            self._break_off()
            raise
        finally:
            self._tasks.discard(self.task)

    def _break_off(self) -> None:
        if not self.is_complete and not self.is_gone:
            if not self.is_started or self._head:
                text = b"Internal Server Error"
                fields = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(text)
                self._connection.write(_STATUS_LINES[500], fields, text)
            self._connection.close()

    def on_disconnect(self, callback: Callable[[], None] | None) -> None:
        """Calls back once the client has left before the answer is written; at once if it has."""
        self._on_disconnect = callback
        if callback is not None and self.is_gone:
            callback()

    def take_whole(self) -> bytes | None:
        """All of the request's body, where it has come and nobody has taken of it."""
        if not self._is_whole or self._is_delivered or self.is_gone:
            return None
        self._is_delivered = True
        return self._take()

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """A whole answer at once, with its length."""
        if self.is_gone:
            return
        if self.is_started:
            raise RuntimeError("a second answer")
        fields = [*self._connection.default_headers, *headers]
        if status not in _BODILESS:
            fields.append((b"content-length", b"%d" % len(body)))
        if not self.keeps_alive:
            fields.append((b"connection", b"close"))
        head = _joined(status, fields)
        self.is_started = True
        if self._is_bodiless:
            self._connection.write(head)
        elif len(body) > _WORTH_JOINING:
            self._connection.write(head, body)
        else:
            self._connection.write(head + body)
        self._finish()

    def write(self, data: bytes) -> Callable[[], Awaitable[None]] | None:
        """More of an answer that has begun; what to wait with, if the client takes its time."""
        if self.is_gone:
            return None
        if self._is_chunked and not self._head and not self.is_complete and 0 < len(data) <= _WORTH_JOINING:
            self._connection.write(b"%x\r\n%b\r\n" % (len(data), data))  # what nearly every piece of a stream comes to
        else:
            self._go_on(data, is_last=False)
        return self._connection.drain if self._connection.is_slow else None

    async def receive(self) -> Message:
        if self._awaits_word and not self.is_started and not self.is_gone:
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._awaits_word = False
        while not self.is_gone and not self.is_complete:
            if not self._parts:
                self._connection.resume_reading()  # which may bring what was read ahead
            if self._parts or (self._is_whole and not self._is_delivered):
                body = self._take()  # which may bring the rest
                self._is_delivered = self._is_whole and not self._parts
                return {"type": "http.request", "body": body, "more_body": not self._is_delivered}
            self._waiter = self._loop.create_future()
            await self._outbox.resumed(self._waiter)
        return {"type": "http.disconnect"}

    def _take(self) -> bytes:
        parts, self._parts = self._parts, []
        size, self._size = self._size, 0
        if size > _HIGH_WATER:
            self._connection.resume_reading()  # also where nothing more is to come: else nobody sees the client leave
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def send(self, message: Message) -> None:
        if self.is_gone:
            return
        if not self.is_started:
            self._head = self._make_head(message["status"], message.get("headers", ()))
            self.is_started = True
            return
        is_last = not message.get("more_body", False)
        self._go_on(message.get("body", b""), is_last=is_last)
        if not is_last:
            await self._connection.drain()

    def _go_on(self, body: bytes, *, is_last: bool) -> None:
        if self.is_complete:
            raise RuntimeError("an answer goes on after its end")
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (is_last and self._left and not self._is_bodiless):
                raise RuntimeError("an answer is not as long as it says")
        self._write(body, is_last=is_last)
        if is_last:
            self._finish()

    def _finish(self) -> None:
        self.is_complete = True
        if self._waiter is not None:
            self._outbox.resume(self._waiter)
        self._connection.end(self)

    def _write(self, body: bytes, *, is_last: bool) -> None:
        head, self._head = self._head, b""
        if self._is_bodiless:
            body = b""
        elif self._is_chunked:
            tail = b"0\r\n\r\n" if is_last else b""
            if body:
                head += b"%x\r\n" % len(body)
                tail = b"\r\n" + tail
            if len(body) > _WORTH_JOINING:
                self._connection.write(head, body, tail)
            elif head or tail:
                self._connection.write(b"%b%b%b" % (head, body, tail))
            return
        if len(body) > _WORTH_JOINING:
            self._connection.write(head, body)
        elif head or body:
            self._connection.write(head + body)

    def _make_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        fields = [*self._connection.default_headers, *headers]
        by_name = dict(fields)
        length = by_name.get(b"content-length")
        if by_name.get(b"connection", b"").lower() == b"close":
            self.keeps_alive = False
        if length is not None:
            self._left = int(length)
        elif status not in _BODILESS:
            if self._is_old:
                self.keeps_alive = False  # the end of the answer is the connection's
            elif not self._is_bodiless:
                self._is_chunked = True
                fields.append((b"transfer-encoding", b"chunked"))
        self._is_bodiless = self._is_bodiless or status in _BODILESS
        if not self.keeps_alive and b"connection" not in by_name:
            fields.append((b"connection", b"close"))
        return _joined(status, fields)


def _joined(status: int, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    head = b"%b%b\r\n\r\n" % (_STATUS_LINES[status], b"\r\n".join(map(b": ".join, fields)))
    if not head.count(b"\n") == head.count(b"\r") == len(fields) + 2:
        raise RuntimeError("a header that would be two")
    return head
