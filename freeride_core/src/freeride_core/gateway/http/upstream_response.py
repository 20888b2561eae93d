"""A response of an upstream: its head has arrived, its body may still be on its way."""

from __future__ import annotations

import asyncio
import enum
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

from freeride_core.answer import ErrorKind
from freeride_core.gateway.http.body_buffer import BodyBuffer
from freeride_core.gateway.http.encoding import Decompressor, EncodingFault, coding_of
from freeride_core.gateway.http.errors import UpstreamError

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an upstream's answer that is read whole; of one that came encoded, whole or not."""
MAX_ERROR_BODY = 1024 * 1024
AT_ONCE = 64 * 1024
"""Bytes of a body that are looked at in one turn of the event loop: up to a third of a microsecond for each."""

Hold = Callable[[int], None]
"""Is told of bytes before they are kept. Raises where there is no room for them."""


def hold_any(size: int) -> None:
    """A budget for bytes that are not counted."""


def decoded(read: Callable[[], Awaitable[bytes]], encodings: Iterable[str]) -> AsyncIterator[bytes] | None:
    """Return what `read` gives, until it gives nothing, without the coding that these `Content-Encoding` headers name, or None
    without a coding. Other tasks run between the pieces. What cannot be decoded raises when it is read."""
    encoding = ",".join(encodings)
    return None if encoding.strip().lower() in ("", "identity") else _decoded(read, encoding)


async def _decoded(read: Callable[[], Awaitable[bytes]], encoding: str) -> AsyncIterator[bytes]:
    try:
        coding = coding_of(encoding)
        decompressor = Decompressor(coding or "gzip", MAX_BODY)
        while data := await read():
            for number, piece in enumerate(decompressor.feed(data) if coding else (data,)):
                if number:
                    await asyncio.sleep(0)
                yield piece
        # Whether all has come is for its reader to say: it looks for the end of what was said, encoded or not.
    except EncodingFault as fault:
        raise UpstreamError(ErrorKind.PROTOCOL, f"the answer is {fault}") from None


class Passage(enum.Enum):
    """How the passing on of a body has ended, for now or for good."""

    OVER = enum.auto()
    """Nothing of the body is left."""
    ENOUGH = enum.auto()
    """The taker wants no more of it."""
    SLOW = enum.auto()
    """The taker wants more once its client has caught up."""


Take = Callable[[bytes], Passage | None]
"""Is given each part of a body. Returns why it takes no other part now, `ENOUGH` or `SLOW`, or None to go on."""


async def pass_on(read: Callable[[], Awaitable[bytes]], take: Take) -> Passage:
    """As `UpstreamResponse.pass_on`, of what is read."""
    while data := await read():
        passage = take(data)
        if passage is not None:
            return passage
    return Passage.OVER


class UpstreamResponse(ABC):
    """Reading raises `UpstreamError`; being cancelled leaves the rest unread. Close it whatever happens."""

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        """Names in lower case; a repeated header keeps its first value."""

    @abstractmethod
    def expect_by(self, due: float) -> None:
        """Whatever is read from here on comes until then, by the loop's clock; else it is trouble. Infinite: any time will do."""

    @abstractmethod
    async def read(self) -> bytes:
        """Return what has come since the last time, or wait for it. Empty means that the body is over.

        It is decoded if the upstream encoded it, although it was asked not to."""

    async def pass_on(self, take: Take) -> Passage:
        """Give `take` each part of the body until it takes no more or nothing is left. What `take` raises is raised."""
        return await pass_on(self.read, take)

    def whole(self, limit: int = MAX_BODY) -> bytes | None:  # noqa: ARG002 - the base class knows of none
        """Return the whole body if there is nothing to wait for, or None if `body` must be asked."""
        return None

    async def body(self, limit: int = MAX_BODY, hold: Hold = hold_any) -> bytes:
        """The whole body; more than `limit` bytes is trouble."""
        body = BodyBuffer()
        size = 0
        while data := await self.read():
            size += len(data)
            if size > limit:
                raise too_large(limit)
            hold(len(data))
            body.add(data)
        return body.whole()

    @abstractmethod
    def close(self) -> None:
        """Gives the connection back, or drops it where the body was not read to its end."""


def too_large(limit: int) -> UpstreamError:
    return UpstreamError(ErrorKind.PROTOCOL, f"the answer is larger than {limit} bytes")
