"""Keeps what is certified on the addresses that its rig has opened: a base URL that was forgotten somewhere shows."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, Self
from unittest import mock
from urllib.parse import urlsplit

from freeride_core.answer import ErrorKind, UpstreamRequest
from freeride_core.gateway.http.upstreams import UpstreamError, Upstreams

_PORTS = {"http": 80, "https": 443}


class Guard:
    """A context in which no connection leads anywhere but to loopback ports that were opened with `allow`."""

    def __init__(self) -> None:
        self.escapes: set[str] = set()
        """Addresses that were connected to since the context was entered, as `host:port`."""
        self._ports: set[int] = set()
        self._patches = ExitStack()

    def allow(self, port: int) -> None:
        """Opens a loopback port, for as long as the process lives."""
        self._ports.add(port)

    def __enter__(self) -> Self:
        self.escapes = set()
        replaced: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
            (socket.socket, "connect", self._connect(socket.socket.connect)),
            (socket.socket, "connect_ex", self._connect(socket.socket.connect_ex)),
            (socket, "getaddrinfo", self._look_up(socket.getaddrinfo)),
            # The event loop may have sockets of its own, which pass by the others.
            (Upstreams, "send", self._send(Upstreams.send)),
        )
        for owner, name, guarded in replaced:
            self._patches.enter_context(mock.patch.object(owner, name, guarded))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()

    def _is_open(self, host: str, port: int | None) -> bool:
        if _is_loopback(host) and (port is None or port in self._ports):
            return True
        self.escapes.add(host if port is None else f"{host}:{port}")
        return False

    def _connect(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(own: socket.socket, address: Any) -> Any:
            if own.family in (socket.AF_INET, socket.AF_INET6) and not self._is_open(str(address[0]), address[1]):
                raise ConnectionRefusedError("only the simulator may be reached")
            return connect(own, address)

        return guarded

    def _look_up(self, look_up: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(host: Any, *rest: Any, **more: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name and not self._is_open(name, None):
                raise socket.gaierror("only the simulator may be reached")
            return look_up(host, *rest, **more)

        return guarded

    def _send(self, send: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def guarded(own: Upstreams, request: UpstreamRequest, *rest: Any, **more: Any) -> Any:
            parts = urlsplit(request.url)
            if not self._is_open(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)):
                raise UpstreamError(ErrorKind.NETWORK, "only the simulator may be reached", is_connect=True)
            return await send(own, request, *rest, **more)

        return guarded


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


GUARD = Guard()
