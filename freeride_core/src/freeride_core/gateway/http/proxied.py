"""Requests by way of a proxy: through httpx's own transport, which knows how to speak to one."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from freeride_core.answer import ErrorKind, UpstreamRequest
from freeride_core.gateway.http.deadline import NEVER, until
from freeride_core.gateway.http.errors import (
    PROXY_LOGIN,
    PROXY_REFUSAL,
    UpstreamError,
    Withdrawn,
    silence,
    untrusted,
)
from freeride_core.gateway.http.upstream_headers import ResponseHeaders
from freeride_core.gateway.http.upstream_response import UpstreamResponse, decoded

# Below that it quotes every header that it sees, an upstream's echo of a prompt too.
logging.getLogger("httpcore").setLevel(logging.INFO)


class ProxiedResponse(UpstreamResponse):
    """Its time limits are asyncio's: what goes by way of a proxy has time for that."""

    __slots__ = ("_due", "_pieces", "_response")

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.status_code, ResponseHeaders(response.headers.raw))
        self._response = response
        raw = response.aiter_raw()  # httpx would decode it layer by layer, however large that becomes
        encodings = response.headers.get_list("content-encoding")
        self._pieces = decoded(lambda: anext(raw, b""), encodings) or raw
        self._due = NEVER

    def expect_by(self, due: float) -> None:
        self._due = due

    async def read(self) -> bytes:
        try:
            async with until(self._due):
                async for data in self._pieces:
                    if data:
                        return data
        except TimeoutError:
            raise silence() from None
        except httpx.HTTPError as error:
            raise _trouble(error) from None
        return b""

    def close(self) -> None:
        closing = asyncio.ensure_future(self._response.aclose())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()
"""Held until they are done: the event loop alone does not."""


class ProxiedOrigin:
    """One origin behind a proxy: its connections, kept and reused."""

    def __init__(self, proxy: str, tls: ssl.SSLContext | None) -> None:
        """Raise ValueError if there can be no such proxy."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60.0)
        try:
            self._transport = httpx.AsyncHTTPTransport(verify=tls or False, limits=limits, proxy=httpx.Proxy(proxy))
        except httpx.InvalidURL:
            raise ValueError("no URL") from None

    async def ask(
        self, request: UpstreamRequest, *, connect_s: float, due: float, is_wanted: Callable[[], bool] | None
    ) -> ProxiedResponse:
        """Sends and waits for the head, by the loop's clock until `due`, which goes on counting."""
        try:
            message = httpx.Request(
                request.method,
                request.url,
                headers=[*request.headers, ("accept-encoding", "identity"), ("user-agent", "freeride")],
                content=request.body or None,
                extensions={
                    "timeout": {"connect": connect_s, "read": None, "write": None, "pool": None},
                    "trace": _withdraw_unless(is_wanted),
                },
            )
            async with until(due):
                response = await self._transport.handle_async_request(message)
        except TimeoutError:
            raise silence() from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _trouble(error) from None
        response.request = message
        reply = ProxiedResponse(response)
        reply.expect_by(due)
        return reply

    async def close(self) -> None:
        await self._transport.aclose()


def _withdraw_unless(is_wanted: Callable[[], bool] | None) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    async def trace(event: str, info: Mapping[str, Any]) -> None:  # noqa: ARG001 - httpcore's signature
        if is_wanted is not None and event.endswith(".send_request_headers.started") and not is_wanted():
            raise Withdrawn

    return trace


def _trouble(error: Exception) -> UpstreamError:
    """Our own words for what httpx met: its exceptions may quote a header, and headers hold keys."""
    if isinstance(error, httpx.ConnectTimeout):
        return UpstreamError(ErrorKind.TIMEOUT, "no connection in time", is_connect=True)
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return untrusted(cause)
            cause = cause.__cause__ or cause.__context__
        return UpstreamError(ErrorKind.NETWORK, _refusal_of_proxy(str(error)) or "no connection", is_connect=True)
    if isinstance(error, httpx.TimeoutException):
        return silence()
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return UpstreamError(ErrorKind.PROTOCOL, "the request cannot be sent")
    return UpstreamError(ErrorKind.NETWORK, "the connection broke")


def _refusal_of_proxy(text: str) -> str:
    """What a proxy said to the wish for a tunnel; empty if it was no refusal. The words are those of httpcore 1.0."""
    if text.startswith(("407 ", "Requested ", "Invalid username/password")):
        return PROXY_LOGIN
    status = re.match(r"[1-5]\d\d ", text)
    return f"{PROXY_REFUSAL} (status {status[0].strip()})" if status else ""
