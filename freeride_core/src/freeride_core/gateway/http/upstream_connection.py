"""A connection to an upstream: HTTP/1.1 over httptools and asyncio, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httptools

from freeride_core.answer import ErrorKind
from freeride_core.gateway.http.body_buffer import BodyBuffer
from freeride_core.gateway.http.deadline import Deadline
from freeride_core.gateway.http.errors import UpstreamError, silence
from freeride_core.gateway.http.upstream_response import AT_ONCE, Hold, Passage, Take, hold_any, too_large
from freeride_core.gateway.http.write_batch import write_batch_of

_HIGH_WATER = 256 * 1024
"""Bytes that wait for a slow reader before the upstream is no longer read."""
_MAX_WORDLESS = 64 * 1024
"""Bytes in a row that are no body: more than any head, trailer or chunk extension needs."""
_MAX_HEADERS = 256
_FEW_BYTES = 16 * 1024
_MAX_CHUNKS = 64
"""Pieces of a body that wait apart from each other: in a list, a piece of one byte takes forty."""
_ENCODING = b"content-encoding"
_ENCODING_LENGTH = len(_ENCODING)
_WORTH_JOINING = 16 * 1024
"""A body of up to this size is sent in one piece with its head; a larger one would be copied for nothing."""


class UpstreamConnection(asyncio.Protocol):
    """Sends a request, and holds what has come of its answer until that is read."""

    __slots__ = (
        "_chunks",
        "_error",
        "_fault",
        "_has_body",
        "_is_keeping_alive",
        "_is_paused",
        "_is_until_eof",
        "_on_lost",
        "_outbox",
        "_parser",
        "_passage",
        "_taker",
        "_transport",
        "_waiter",
        "_waiting_bytes",
        "_wordless_bytes",
        "alarm",
        "born",
        "has_heard",
        "headers",
        "is_complete",
        "is_encoded",
        "is_last",
        "is_open",
        "loop",
        "status",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[UpstreamConnection], None]) -> None:
        self.loop = loop
        self._on_lost = on_lost
        self._outbox = write_batch_of(loop)
        self._transport: asyncio.Transport
        self._parser: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._chunks: list[bytes] = []
        self._waiting_bytes = 0
        self._wordless_bytes = 0
        self._is_paused = False
        self._is_until_eof = False
        self._is_keeping_alive = False
        self._has_body = True
        self._error: UpstreamError | None = None
        self._taker: Take | None = None
        self._passage: Passage | None = None
        """Why the taker takes no more."""
        self._fault: BaseException | None = None
        """What the taker raised."""
        self.born = loop.time()
        self.alarm = Deadline(loop, self._run_out)
        """What is under way, or being idle, ends here at the latest."""
        self.is_open = True
        self.is_complete = True
        """No answer is under way."""
        self.has_heard = False
        """A byte of the answer under way has come."""
        self.status = 0
        """0: the head has not come yet."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_encoded = False
        """The body is compressed, or says so."""
        self.is_last = False
        """Set it where a request was not sent to its end: no other can follow."""

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # by its methods: uvloop's is no subclass
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        if self.is_complete:
            self.drop()  # no request was sent
            return
        self.has_heard = True
        self._wordless_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._misunderstand()
        else:
            if self._wordless_bytes > _MAX_WORDLESS:
                self._fail(_broken("the upstream's headers are too large"))
            elif self._waiting_bytes > _HIGH_WATER and not self._is_paused:
                self._is_paused = True
                self._transport.pause_reading()
        if self._taker is not None and self._chunks and not self._hand_over(self._taker):
            return
        if self._waiting_bytes > _FEW_BYTES and len(self._chunks) > _MAX_CHUNKS:
            self._chunks[:] = [b"".join(self._chunks)]
        if self._waiter is not None:
            self._outbox.resume(self._waiter)

    def _hand_over(self, take: Take) -> bool:
        """Whether the task that waits is to go on itself."""
        if self._waiting_bytes > AT_ONCE:
            return True
        try:
            self._passage = take(self._take())
            if self._passage is None:
                return self.is_complete or self._error is not None
        except BaseException as fault:
            self._fault = fault
        self._taker = None
        return True

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.alarm.cancel()
        if not self.is_complete:
            if self._is_until_eof and exc is None and self._error is None and self.status:
                self.is_complete = True
            else:
                self._fail(_broken("the connection broke"))
        if self._waiter is not None:
            self._outbox.resume(self._waiter)
        self._parser = None  # which refers to this object
        self._on_lost(self)

    def _run_out(self) -> None:
        if self.is_complete:
            self.drop()
        else:
            self._fail(silence())
            if self._waiter is not None:
                self._outbox.resume(self._waiter)

    def _misunderstand(self) -> None:
        if self.is_complete:
            self.drop()  # something came after the answer, which is whole
        else:
            self._fail(_broken("the upstream does not speak HTTP"))

    def _fail(self, error: UpstreamError) -> None:
        self._error = self._error or error
        self.drop()

    def _progress(self) -> Awaitable[None]:
        self._waiter = self.loop.create_future()
        return self._outbox.resumed(self._waiter)

    # httptools' side

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise ValueError("one answer to one request")
        self.headers = []
        self.is_encoded = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:  # else it is a trailer, which is ignored
            self.headers.append((name, value))
            if len(name) == _ENCODING_LENGTH and name.lower() == _ENCODING:
                self.is_encoded = True

    def on_headers_complete(self) -> None:
        status: int = self._parser.get_status_code()
        if status < 200:
            return
        if len(self.headers) > _MAX_HEADERS:
            self._fail(_broken("the upstream has too many headers"))
            return
        self.status = status
        self._is_keeping_alive = self._parser.should_keep_alive()
        if not self._is_keeping_alive:
            names = {name.lower() for name, _ in self.headers}
            self._is_until_eof = names.isdisjoint((b"content-length", b"transfer-encoding"))
        if not self._has_body:
            self._is_keeping_alive = False  # the parser waits for a body that does not come
            self.is_complete = True

    def on_body(self, data: bytes) -> None:
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        self._wordless_bytes = 0

    def on_message_complete(self) -> None:
        if self.status:  # not a 1xx
            self.is_complete = True

    # Ours

    def send(self, head: bytes, body: bytes, *, has_body: bool = True) -> None:
        """Sends a request. `has_body`: whether its answer has one, where it says how long that is."""
        self.status = 0
        self._wordless_bytes = 0
        self._has_body = has_body
        self.has_heard = self.is_complete = False
        if len(body) > _WORTH_JOINING:
            self._outbox.write(self._transport, head, body)
        else:
            self._outbox.write(self._transport, head + body)

    def encodings(self) -> list[str]:
        """What the answer's `Content-Encoding` headers say."""
        return [value.decode("latin-1") for name, value in self.headers if name.lower() == _ENCODING]

    async def head(self) -> None:
        """Returns when `status` and `headers` have come."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._progress()

    async def read(self) -> bytes:
        """Return what has come of the body since the last time, `AT_ONCE` at most, or wait for it. Empty means that the body is
        over."""
        while not self._chunks:
            if self.is_complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._progress()
        return self._take_some()

    async def pass_on(self, take: Take) -> Passage:
        """As that of `UpstreamResponse`. `take` gets each part as it comes. To wait for a turn of the loop and `read` it
        takes 2.7 us more for each chunk (measured 2026-12)."""
        try:
            while True:
                while self._chunks:
                    passage = take(self._take_some())
                    if passage is not None:
                        return passage
                    if self._chunks:
                        await asyncio.sleep(0)
                if self.is_complete:
                    return Passage.OVER
                if self._error is not None:
                    raise self._error
                self._taker = take
                await self._progress()
                if self._fault is not None:
                    raise self._fault
                if self._passage is not None:
                    return self._passage
                self._taker = None
        finally:
            self._taker = self._fault = self._passage = None

    def whole_now(self, limit: int) -> bytes | None:
        """All of the body, where it has come. To wait for it takes 7,000 instructions more, 1.5 us (measured 2026-12)."""
        return self._take() if self.is_complete and self._waiting_bytes <= limit else None

    async def whole(self, limit: int, hold: Hold = hold_any) -> bytes:
        """All that is left of the body."""
        body = BodyBuffer()
        size = 0
        while not self.is_complete:
            if self._error is not None:
                raise self._error
            if self._waiting_bytes > _HIGH_WATER:
                size += self._waiting_bytes
                if size > limit:
                    break
                hold(self._waiting_bytes)
                body.add(self._take())
            await self._progress()
        if size + self._waiting_bytes > limit:
            raise too_large(limit)
        hold(self._waiting_bytes)
        body.add(self._take())
        return body.whole()

    def _take_some(self) -> bytes:
        """`AT_ONCE` at most."""
        if self._waiting_bytes <= AT_ONCE:
            return self._take()
        waiting = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks[:] = [waiting[AT_ONCE:]]
        self._waiting_bytes -= AT_ONCE
        return waiting[:AT_ONCE]

    def _take(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._waiting_bytes = 0
        if self._is_paused and self.is_open:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def can_be_kept(self) -> bool:
        """Whether the answer is read to its end and the upstream goes on listening."""
        is_read = self.is_complete and not self._chunks
        return is_read and self.is_open and self._is_keeping_alive and not self.is_last

    def drop(self) -> None:
        """Closes at once, whatever is under way."""
        self.is_open = False
        self._transport.abort()


def _broken(message: str) -> UpstreamError:
    return UpstreamError(ErrorKind.NETWORK, message)
