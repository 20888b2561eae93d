"""Bodies that an upstream compressed although it was asked not to. httpx knows how; it is imported with this module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import httpx

from freeride_core.answer import ErrorKind
from freeride_core.gateway.http.errors import UpstreamError


async def decoded(headers: Mapping[str, str], read: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    """What `read` gives, until it gives nothing, without its encoding."""
    encoding = headers.get("content-encoding", "identity")
    response = httpx.Response(200, headers={"content-encoding": encoding}, stream=_Pieces(read))
    try:
        async for data in response.aiter_bytes():
            yield data
    except httpx.DecodingError:
        raise UpstreamError(ErrorKind.PROTOCOL, "the answer's encoding is broken") from None


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._read():
            yield data
