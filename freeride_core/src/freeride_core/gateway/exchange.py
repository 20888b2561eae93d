"""One exchange with a client: its request in, its answer out, and whether it is still there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from freeride_core.gateway.dialect import SSE_HEADERS, ClientError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]


class BodyTooLarge(Exception):
    """The request's body is larger than is read."""


class Exchange:
    """Wraps the ASGI callables of one HTTP request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, extra_headers: HeaderList) -> None:
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope["query_string"]
        self.request_id = "req_" + secrets.token_hex(4)
        self.is_started = False
        """The head of an answer has been sent."""
        self.is_gone = False
        """The client has left."""
        self.is_aborted = False
        """The gateway is stopping and can wait no longer."""
        self._receive = receive
        self._send = send
        self._extra_headers = extra_headers
        self._task: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def read_body(self, limit: int) -> bytes:
        """The whole body. Raises `BodyTooLarge` before more than `limit` bytes are held."""
        announced = self.headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            raise BodyTooLarge
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                raise asyncio.CancelledError
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise BodyTooLarge
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    # Whether the client is still there

    def watch(self) -> None:
        """From here on the current task is cancelled as soon as the client leaves. Ends with `unwatch`."""
        self._task = asyncio.current_task()
        self._watcher = asyncio.ensure_future(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        """The gateway is stopping: ends the exchange with an error."""
        self.is_aborted = True
        if self._task is not None:
            self._task.cancel()

    def unwatch(self) -> None:
        """Whoever leaves now leaves an answer that is whole."""
        self._task = None
        if self._watcher is not None:
            self._watcher.cancel()

    # The answer

    async def start(self, status: int, headers: HeaderList) -> None:
        self.is_started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, (b"x-freeride-request-id", self.request_id.encode()), *self._extra_headers],
            }
        )

    async def start_stream(self, headers: HeaderList) -> None:
        await self.start(200, [*SSE_HEADERS, *headers])

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def answer(self, status: int, headers: HeaderList, body: bytes) -> None:
        """A whole answer at once."""
        await self.start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self.end(body)

    async def fail(self, error: ClientError, headers: HeaderList | None = None) -> None:
        """The error as an answer; where one has begun, as the stream's last event."""
        if self.is_started:
            await self.end(error.event(self.request_id))
        else:
            await self.answer(error.status, [*error.headers(), *(headers or [])], error.body(self.request_id))
