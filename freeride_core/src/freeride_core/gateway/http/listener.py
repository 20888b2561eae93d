"""The listener: a client's connection, under uvicorn.

uvicorn's own protocol sends the head of an answer and its body apart, sets a timer for every request and copies a large
body over and over. Here an answer is one write, and the rest of its work is what HTTP/1.1 asks for.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections import deque
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import httptools
import uvicorn
from uvicorn.server import ServerState

from freeride_core.gateway.http.deadline import NEVER, Deadline
from freeride_core.gateway.http.server_exchange import App, AsgiScope, ServerExchange
from freeride_core.gateway.http.write_batch import write_batch_of

_MAX_WORDLESS = 64 * 1024
"""Bytes in a row that are no body: more than any head needs."""
_BODY_S = 30.0
"""Seconds for a body to come, and what it may take longer for each byte that has: a modem is waited for, a drip is not."""
_BODY_S_PER_BYTE = 1 / 1024
_MAX_PIPELINED = 16
"""Requests on one connection that wait for the answer before theirs until the client is no longer read."""


class ClientConnection(asyncio.Protocol):
    """Passes each request to the application, one after the other. uvicorn makes it, counts it and tells it to stop."""

    __slots__ = (
        "_alarm",
        "_app",
        "_awaits_word",
        "_cycle",
        "_drained",
        "_headers",
        "_is_deaf",
        "_is_paused",
        "_keep_alive_s",
        "_loop",
        "_outbox",
        "_parser",
        "_reading",
        "_server",
        "_state",
        "_transport",
        "_url",
        "_waiting",
        "_wordless_bytes",
    )

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn's signature
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._app = cast("App", config.loaded_app)
        self._state = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._outbox = write_batch_of(self._loop)
        self._keep_alive_s = config.timeout_keep_alive
        self._alarm = Deadline(self._loop, self._give_up)
        self._transport: asyncio.Transport
        self._server: tuple[str, int] | None = None
        """Address and port at which the client reached the gateway."""
        self._parser: Any = None
        self._cycle: ServerExchange | None = None
        """The one that is being answered."""
        self._reading: ServerExchange | None = None
        """The one whose body is coming in."""
        self._waiting: deque[tuple[ServerExchange, AsgiScope]] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_deaf = False
        """What comes is no HTTP, and is not listened to."""
        self._wordless_bytes = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._awaits_word = False

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # by its methods: uvloop's is no subclass
        self._server = transport.get_extra_info("sockname")
        self._parser = httptools.HttpRequestParser(self)
        self._state.connections.add(self)  # type: ignore[arg-type] # uvicorn means its own two classes
        self._alarm.set(self._loop.time() + self._keep_alive_s)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._wordless_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_as_ordinary(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(b"400 Bad Request")
        if self._wordless_bytes > _MAX_WORDLESS:
            self._refuse(b"431 Request Header Fields Too Large")
        if self._reading is not None and self._reading is self._cycle and not self._cycle.is_complete:
            due = self._alarm.due
            self._alarm.set(self._loop.time() + _BODY_S if due == NEVER else due + len(data) * _BODY_S_PER_BYTE)

    def _read_as_ordinary(self, rest: bytes) -> None:
        """The request asks for another protocol and is answered in this one. The parser takes what follows for that protocol,
        so another one reads the request again, as one that asks for nothing of the kind."""
        old = self._parser
        head = [b"%b %b HTTP/%b" % (old.get_method(), self._url, old.get_http_version().encode())]
        lasting = (b"close", b"keep-alive")
        head += [b"%b: %b" % (n, v) for n, v in self._headers if n != b"connection" or v.strip().lower() in lasting]
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join(head) + b"\r\n\r\n" + rest)

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._state.connections.discard(self)
        self._alarm.cancel()
        self.resume_writing()
        self._parser = None  # which refers to this object
        self._waiting.clear()
        cycle, self._cycle, self._reading = self._cycle, None, None  # it refers to this object too
        if cycle is not None:
            cycle.leave()

    def shutdown(self) -> None:
        """uvicorn stops: after the answer under way there is no other."""
        if self._cycle is None:
            self.close()
        else:
            self._cycle.keeps_alive = False

    def _give_up(self) -> None:
        """Nobody asks for anything, or what is being asked takes too long to say."""
        if self._reading is not None and self._reading is self._cycle:
            self._refuse(b"408 Request Timeout")
        else:
            self.close()

    def _refuse(self, status: bytes) -> None:
        """What came is not understood, or is too much: nothing after it can be."""
        if self._is_deaf:
            return
        self._is_deaf = True
        cycle = self._cycle
        if cycle is not None and (cycle.is_whole or cycle.is_started):
            cycle.keeps_alive = False
            self._waiting.clear()
        else:
            self.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.close()

    # httptools' side

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._awaits_word = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.startswith(b"100-"):
            self._awaits_word = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        version: str = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise httptools.HttpParserError("not HTTP/1")
        if parser.should_upgrade():
            if parser.get_method() == b"CONNECT":
                raise httptools.HttpParserError("this is no proxy")
            return
        path, raw_path, query, authority = _parts(self._url)
        if authority:
            # An absolute target overrules the Host header.
            self._headers = [(name, authority if name == b"host" else value) for name, value in self._headers]
        scope: AsgiScope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": "http",
            "server": self._server,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
        }
        self._headers = []  # what follows the body is no header
        self._alarm.stop()
        cycle = ServerExchange(
            self,
            scope,
            self._outbox,
            keeps_alive=version != "1.0" and parser.should_keep_alive(),
            awaits_word=self._awaits_word,
        )
        self._reading = cycle
        if self._cycle is None:
            self._begin(cycle, scope)
        else:
            self._waiting.append((cycle, scope))
            if len(self._waiting) >= _MAX_PIPELINED:
                self.pause_reading()

    def on_body(self, data: bytes) -> None:
        self._wordless_bytes = 0
        if self._reading is not None:
            self._reading.feed(data)

    def on_message_complete(self) -> None:
        self._wordless_bytes = 0
        cycle, self._reading = self._reading, None
        if cycle is not None:
            if cycle is self._cycle and not cycle.is_complete:
                self._alarm.stop()
            cycle.feed_end()

    # A cycle's side

    @property
    def default_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return self._state.default_headers

    def _begin(self, cycle: ServerExchange, scope: AsgiScope) -> None:
        self._cycle = cycle
        cycle.start(self._app, scope, self._loop, self._state.tasks)

    def write(self, *parts: bytes) -> None:
        self._outbox.write(self._transport, *parts)

    @property
    def is_slow(self) -> bool:
        return self._drained is not None

    async def drain(self) -> None:
        if self._drained is not None:
            await self._drained

    def pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def end(self, cycle: ServerExchange) -> None:
        self._state.total_requests += 1
        self._cycle = None
        if not cycle.keeps_alive:
            self.close()
        elif self._waiting:
            self._begin(*self._waiting.popleft())
            self.resume_reading()
            if self._reading is self._cycle:
                self._alarm.set(self._loop.time() + _BODY_S)
        else:
            self.resume_reading()
            self._alarm.set(self._loop.time() + self._keep_alive_s)

    def close(self) -> None:
        """When what is written has gone out."""
        self._is_deaf = True
        self._outbox.flush()
        self._transport.close()


_ASGI = {"version": "3.0", "spec_version": "2.3"}
_AUTHORITY_END = re.compile(rb"[/?#]")


@functools.lru_cache(maxsize=256)
def _parts(url: bytes) -> tuple[str, bytes, bytes, bytes]:
    """Path, path as it was written, query, and who is asked where the URL is absolute. Raises where it is no URL."""
    parsed = httptools.parse_url(url)
    raw_path = parsed.path or b"/"
    path = unquote_to_bytes(raw_path).decode("utf-8", "replace")
    authority = _AUTHORITY_END.split(url.partition(b"://")[2], 1)[0] if parsed.host else b""
    return path, raw_path, parsed.query or b"", authority
