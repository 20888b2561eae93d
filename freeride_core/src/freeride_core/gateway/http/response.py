"""A reply: an upstream's answer whose head has arrived, and whose body may still be on its way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

from freeride_core.answer import ErrorKind
from freeride_core.gateway.http.errors import UpstreamError

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an upstream's answer that is read whole."""
MAX_ERROR_BODY = 1024 * 1024


async def pass_on(read: Callable[[], Awaitable[bytes]], take: Callable[[bytes], bool]) -> bool:
    """Gives `take` what is read until that says no, which makes this true; false: nothing is left."""
    while data := await read():
        if not take(data):
            return True
    return False


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
        """What has come since the last time, decoded where the upstream encoded it although it was asked not to. Waits where
        that is nothing; empty: the body is over."""

    async def pass_on(self, take: Callable[[bytes], bool]) -> bool:
        """Reads on for `take` until that says no, which makes this true; false: the body is over. What `take` raises is raised."""
        return await pass_on(self.read, take)

    def whole(self, limit: int = MAX_BODY) -> bytes | None:  # noqa: ARG002 - the base class knows of none
        """The whole body, where there is nothing to wait for; None: ask for `body`."""
        return None

    async def body(self, limit: int = MAX_BODY) -> bytes:
        """The whole body; more than `limit` bytes is trouble."""
        parts: list[bytes] = []
        size = 0
        while data := await self.read():
            size += len(data)
            if size > limit:
                raise UpstreamError(ErrorKind.PROTOCOL, f"the answer is larger than {limit} bytes")
            parts.append(data)
        return b"".join(parts)

    @abstractmethod
    def close(self) -> None:
        """Gives the connection back, or drops it where the body was not read to its end."""
