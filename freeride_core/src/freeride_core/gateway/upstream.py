"""Connections to upstreams: requests out, answers in, and what can go wrong on the way as values.

Speaks httpx's transport interface, so that another transport is a change of this module alone.
"""

from __future__ import annotations

import functools
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from freeride_core.gateway.transport import FastTransport
from freeride_core.loopback import is_loopback
from freeride_core.provider import ErrorKind, Failure, UpstreamRequest

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an upstream's answer that is read whole."""
MAX_ERROR_BODY = 1024 * 1024


class UpstreamTrouble(Exception):
    """A connection failed; `failure` says how, without the exception's own words, which may hold a header."""

    def __init__(self, kind: ErrorKind, message: str, *, is_connect: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, message=message)
        self.is_connect = is_connect
        """The upstream was never reached."""


class Withdrawn(Exception):
    """The request was not sent: its slot cooled while it waited for a connection."""


@dataclass(slots=True)
class UpstreamAnswer:
    """An answer whose head has arrived."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; a repeated header keeps its first value."""
    _response: httpx.Response

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decoded where the upstream encoded it although it was asked not to."""
        try:
            if self.headers.get("content-encoding", "identity") == "identity":
                assert isinstance(self._response.stream, httpx.AsyncByteStream)
                async for chunk in self._response.stream:
                    if chunk:
                        yield chunk
            else:
                async for chunk in self._response.aiter_bytes():
                    if chunk:
                        yield chunk
        except httpx.HTTPError as error:
            raise _trouble(error) from None

    async def body(self, limit: int = MAX_BODY) -> bytes:
        """The whole body; more than `limit` bytes is trouble."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise UpstreamTrouble(ErrorKind.PROTOCOL, f"the answer is larger than {limit} bytes")
            parts.append(chunk)
        return b"".join(parts)

    async def close(self) -> None:
        """Gives the connection back, or drops it where the body was not read to its end."""
        await self._response.aclose()


class Upstreams:
    """All upstream connections of the process: one transport, one TLS context, one keep-alive pool each, for life."""

    def __init__(self, connect_timeout_s: float) -> None:
        self.connect_timeout_s = connect_timeout_s
        self._tls: ssl.SSLContext | None = None
        self._transports: dict[tuple[str, str], httpx.AsyncBaseTransport] = {}

    async def send(self, request: UpstreamRequest, is_wanted: Callable[[], bool] | None = None) -> UpstreamAnswer:
        """Sends and waits for the head. `is_wanted` is asked once more just before the first byte goes out.

        Raises `UpstreamTrouble` or `Withdrawn`; being cancelled drops the connection.
        """
        try:
            response = await self._send(request, is_wanted)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _trouble(error) from None
        except (ImportError, ValueError, RuntimeError):
            # A proxy that needs what is not installed, a host name that is none: nothing was reached.
            raise UpstreamTrouble(ErrorKind.NETWORK, "the upstream's address cannot be used", is_connect=True) from None
        headers: dict[str, str] = {}
        for name, value in response.headers.raw:
            headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        return UpstreamAnswer(response.status_code, headers, response)

    async def _send(self, request: UpstreamRequest, is_wanted: Callable[[], bool] | None) -> httpx.Response:
        message = httpx.Request(
            request.method,
            _parsed(request.url),
            headers=[
                *((name.encode(), value.encode()) for name, value in request.headers),
                (b"accept-encoding", b"identity"),
                (b"user-agent", b"freeride"),
            ],
            content=request.body or None,
            extensions={
                "timeout": {"connect": self.connect_timeout_s, "read": None, "write": None, "pool": None},
                "trace": _withdraw_unless(is_wanted),
            },
        )
        response = await self._transport(request.url).handle_async_request(message)
        response.request = message
        return response

    def _transport(self, url: str) -> httpx.AsyncBaseTransport:
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        transport = self._transports.get(origin)
        if transport is None:
            if self._tls is None and parts.scheme == "https":
                self._tls = ssl.create_default_context()
            transport = self._transports[origin] = _make_transport(parts.scheme, parts.hostname or "", self._tls)
        return transport

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()


def _make_transport(scheme: str, host: str, tls: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
    """Ours; httpx's own where the environment names a proxy."""
    proxy = _proxy_for(scheme, host)
    if proxy is None:
        return FastTransport(tls if scheme == "https" else None)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=60.0)
    return httpx.AsyncHTTPTransport(verify=tls or False, limits=limits, proxy=proxy)


def _proxy_for(scheme: str, host: str) -> httpx.Proxy | None:
    """The proxy that the environment names for this host, as every other tool reads it; never for this machine."""
    address = urllib.request.getproxies().get(scheme)
    if not address or urllib.request.proxy_bypass(host) or is_loopback(host):
        return None
    return httpx.Proxy(address if "://" in address else f"http://{address}")


@functools.lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """Parsing is dear, and a provider has a handful of addresses."""
    return httpx.URL(url)


def _withdraw_unless(is_wanted: Callable[[], bool] | None) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    async def trace(event: str, info: Mapping[str, Any]) -> None:  # noqa: ARG001 - httpcore's signature
        if is_wanted is not None and event.endswith(".send_request_headers.started") and not is_wanted():
            raise Withdrawn

    return trace


def _trouble(error: Exception) -> UpstreamTrouble:
    """Our own words for what httpx met: its exceptions may quote a header, and headers hold keys."""
    if isinstance(error, httpx.ConnectTimeout):
        return UpstreamTrouble(ErrorKind.TIMEOUT, "no connection in time", is_connect=True)
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
        return UpstreamTrouble(ErrorKind.NETWORK, "no connection", is_connect=True)
    if isinstance(error, httpx.TimeoutException):
        return UpstreamTrouble(ErrorKind.TIMEOUT, "no answer in time")
    if isinstance(error, httpx.DecodingError):
        return UpstreamTrouble(ErrorKind.PROTOCOL, "the answer's encoding is broken")
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return UpstreamTrouble(ErrorKind.PROTOCOL, "the request cannot be sent")
    return UpstreamTrouble(ErrorKind.NETWORK, "the connection broke")
