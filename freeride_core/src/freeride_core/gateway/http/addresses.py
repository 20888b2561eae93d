"""Addresses: a connection to the first of a host's addresses that answers, as RFC 8305 describes."""

from __future__ import annotations

import asyncio
import itertools
import socket
from typing import Any

_NEXT_AFTER_S = 0.25
"""How long an address may be silent before the next one is tried beside it."""
_Address = tuple[int, int, int, Any]
"""Family, type and protocol of the socket, and where it connects to."""


async def connected_socket(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """A connected socket that does not block. Raises OSError where no address can be reached, with the first one's reason."""
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = _in_turn([(family, kind, proto, address) for family, kind, proto, _, address in found])
    if not addresses:
        raise OSError("the host has no address")
    if len(addresses) == 1:
        return await _connect(loop, addresses[0])
    return await _first_of(loop, addresses)


def _in_turn(addresses: list[_Address]) -> list[_Address]:
    """In the resolver's order, but with the families in turn: where one family leads nowhere, the second try is the other."""
    by_family: dict[int, list[_Address]] = {}
    for address in addresses:
        by_family.setdefault(address[0], []).append(address)
    rounds = itertools.zip_longest(*by_family.values())
    return [address for row in rounds for address in row if address is not None]


async def _first_of(loop: asyncio.AbstractEventLoop, addresses: list[_Address]) -> socket.socket:
    left = iter(addresses)
    following = next(left, None)
    attempts: list[asyncio.Task[socket.socket]] = []
    running: set[asyncio.Task[socket.socket]] = set()
    winner: asyncio.Task[socket.socket] | None = None
    try:
        while following is not None or running:
            if following is not None:
                attempts.append(loop.create_task(_connect(loop, following)))
                running.add(attempts[-1])
                following = next(left, None)
            wait_s = None if following is None else _NEXT_AFTER_S
            done, running = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                if attempt.exception() is None:
                    winner = attempt
                    return attempt.result()
        return attempts[0].result()  # which raises
    finally:
        for attempt in attempts:
            if attempt is not winner:
                attempt.cancel()
                attempt.add_done_callback(_close)


async def _connect(loop: asyncio.AbstractEventLoop, address: _Address) -> socket.socket:
    family, kind, proto, where = address
    connection = socket.socket(family, kind, proto)
    try:
        connection.setblocking(False)
        await loop.sock_connect(connection, where)
    except BaseException:
        connection.close()
        raise
    return connection


def _close(attempt: asyncio.Task[socket.socket]) -> None:
    """Closes the connection of an attempt that came too late."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
