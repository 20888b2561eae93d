"""One client's connection: parses requests, plays responses, and notices when the client leaves."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

import httptools

from freeride_core.simulator.reply import ResponseEnding, SimulatedResponse
from freeride_core.simulator.seen import SeenRequest

Respond = Callable[[SeenRequest], SimulatedResponse]
_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class SimulatorConnection(asyncio.Protocol):
    """Requests of one keep-alive connection are answered in order."""

    def __init__(self, respond: Respond, pace: float, alive: set[SimulatorConnection]) -> None:
        self._respond = respond
        self._pace = pace
        self._alive = alive
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[SeenRequest, bool]] = deque()
        self._current: SeenRequest | None = None
        self._worker: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._alive.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it was lost does not matter
        self._alive.discard(self)
        if self._current is not None:
            self._current.disconnected_at = time.monotonic()
        if self._worker is not None:
            self._worker.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", {}, bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        parts = httptools.parse_url(self._url)
        seen = SeenRequest(
            method=self._parser.get_method().decode("ascii"),
            path=unquote((parts.path or b"/").decode("latin-1")),
            query=(parts.query or b"").decode("latin-1"),
            headers=self._headers,
            body=bytes(self._body),
            at=time.monotonic(),
        )
        self._waiting.append((seen, self._parser.should_keep_alive()))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._answer_all())

    # answers

    def abort(self) -> None:
        """Drop the connection at once. It does not count as a client that left."""
        self._current = None
        self._transport.abort()

    async def _answer_all(self) -> None:
        try:
            while self._waiting and not self._transport.is_closing():
                seen, keep_alive = self._waiting.popleft()
                self._current = seen
                await self._play(self._respond(seen), keep_alive=keep_alive)
                self._current = None
                seen.finished_at = time.monotonic()
                if not keep_alive:
                    self._transport.close()
        finally:
            if self._current is not None:
                self._transport.abort()

    async def _play(self, reply: SimulatedResponse, *, keep_alive: bool) -> None:
        await self._sleep(reply.delay_s)
        if reply.head:
            head = _head(reply, close=reply.ending is ResponseEnding.CLOSE or not keep_alive)
            pieces = [_framed(piece) if reply.chunked else piece for piece in reply.pieces]
            if not reply.chunked and pieces:
                # A plain answer leaves in one write, as servers do.
                head += pieces.pop(0)
            await self._write(head)
            for index, piece in enumerate(pieces):
                if index or not reply.chunked:
                    await self._sleep(reply.gap_s)
                await self._write(piece)
            if reply.chunked and reply.ending in {ResponseEnding.KEEP, ResponseEnding.CLOSE}:
                await self._write(b"0\r\n\r\n")
        await self._end(reply)

    async def _end(self, reply: SimulatedResponse) -> None:
        if reply.ending is ResponseEnding.RESET:
            self._reset()
        elif reply.ending in {ResponseEnding.CLOSE, ResponseEnding.CUT}:
            self._current = None
            self._transport.close()
        elif reply.ending is ResponseEnding.REPEAT:
            while True:
                await self._sleep(reply.gap_s)
                await self._write(_framed(reply.pieces[-1]))
        elif reply.ending is ResponseEnding.HANG:
            # connection_lost cancels it.
            await asyncio.get_running_loop().create_future()

    async def _write(self, data: bytes) -> None:
        if data:
            self._transport.write(data)
            await self._writable.wait()

    async def _sleep(self, seconds: float) -> None:
        # Even without a pause the loop gets its turn, so that each piece is a write of its own.
        await asyncio.sleep(seconds * self._pace)

    def _reset(self) -> None:
        """With a linger time of zero, closing sends RST instead of FIN."""
        self._current = None
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()


def _head(reply: SimulatedResponse, *, close: bool) -> bytes:
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in reply.headers)]
    if reply.chunked:
        lines.append("transfer-encoding: chunked")
    else:
        length = sum(map(len, reply.pieces)) if reply.length is None else reply.length
        lines.append(f"content-length: {length}")
    if close:
        lines.append("connection: close")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"


def _framed(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
