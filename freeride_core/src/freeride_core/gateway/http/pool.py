"""A pool: the connections to one origin, kept and reused."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from collections.abc import Callable

from freeride_core.answer import ErrorKind
from freeride_core.gateway.http.addresses import connected_socket
from freeride_core.gateway.http.deadline import NEVER, until
from freeride_core.gateway.http.errors import UpstreamError, Withdrawn, silence, untrusted
from freeride_core.gateway.http.upstream_connection import UpstreamConnection
from freeride_core.gateway.http.upstream_headers import ResponseHeaders
from freeride_core.gateway.http.upstream_response import (
    MAX_BODY,
    Hold,
    Passage,
    Take,
    UpstreamResponse,
    decoded,
    hold_any,
)

_KEPT_S = 60.0
"""How long an idle connection is kept."""
_KEPT_MOST = 64
"""Idle connections that are kept."""
_NO_FILES = (errno.EMFILE, errno.ENFILE)
_CLOSING_S = 0.01
"""In which dropped connections give their files back."""
_OLDEST_S = 900.0
"""Older connections are not used again: the name may stand for another machine by now."""


class Pool:
    """The last connection given back is the first one used: the others may grow old and go."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        now: Callable[[], float] = time.time,
        spare: Callable[[], None] | None = None,
    ) -> None:
        """`now` gives seconds since the epoch. `spare` closes what is idle, here and elsewhere: a process can have so many files,
        and a connection is one."""
        self._host = host
        self._port = port
        self._tls = tls
        self._now = now
        self._spare = spare or self.drop_idle
        self._idle: dict[UpstreamConnection, float] = {}
        """Each with the time since when. By the wall clock: the loop's stops while a laptop sleeps, and the other end may have
        closed the connection meanwhile."""
        self._all: set[UpstreamConnection] = set()

    async def ask(
        self,
        head: bytes,
        body: bytes,
        *,
        connect_s: float | None = None,
        due: float = NEVER,
        is_wanted: Callable[[], bool] | None = None,
        has_body: bool = True,
    ) -> DirectResponse:
        """Sends a request and waits for the head of its answer, by the loop's clock until `due`, which goes on counting.
        `is_wanted` is asked once more where a connection had to be made first. Close the response afterwards.

        Raises `UpstreamError` or `Withdrawn`; being cancelled drops the connection."""
        kept = self._kept()
        # Nothing has happened since the slot was chosen; it may cool only while a connection is made.
        connection = kept or await self._connect_for(is_wanted, connect_s, due)
        while True:
            connection.alarm.set(due)
            try:
                connection.send(head, body, has_body=has_body)
                await connection.head()
            except UpstreamError as trouble:
                connection.drop()
                if connection is not kept or connection.has_heard or trouble.failure.kind == ErrorKind.TIMEOUT:
                    raise
            except BaseException:
                connection.drop()
                raise
            else:
                return DirectResponse(connection, self)
            # The upstream had closed it meanwhile, and most likely the others too: nothing was asked yet.
            self.drop_idle()
            connection = await self._connect_for(is_wanted, connect_s, due)

    async def _connect_for(
        self, is_wanted: Callable[[], bool] | None, connect_s: float | None, due: float
    ) -> UpstreamConnection:
        connection = await self.connect(connect_s, due)
        if is_wanted is not None and not is_wanted():
            self._keep(connection)
            raise Withdrawn
        return connection

    def _kept(self) -> UpstreamConnection | None:
        while self._idle:
            connection, since = self._idle.popitem()
            if connection.is_open and 0 <= self._now() - since <= _KEPT_S:
                return connection
            connection.drop()
        return None

    def drop_idle(self) -> None:
        """Close the connections that are idle."""
        for connection in tuple(self._idle):
            connection.drop()
        self._idle.clear()

    async def connect(self, within_s: float | None, due: float) -> UpstreamConnection:
        """A new connection."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        connect_due = NEVER if within_s is None else now + within_s
        try:
            async with until(min(due, connect_due)):
                try:
                    connection = await self._open(loop)
                except OSError as error:
                    if error.errno not in _NO_FILES:
                        raise
                    self._spare()
                    await asyncio.sleep(_CLOSING_S)
                    connection = await self._open(loop)
        except TimeoutError:
            if due < connect_due:
                raise silence() from None
            raise UpstreamError(ErrorKind.TIMEOUT, "no connection in time", is_connect=True) from None
        except ssl.SSLCertVerificationError as error:
            raise untrusted(error) from None
        except (OSError, ValueError):  # ValueError: an impossible host name
            raise UpstreamError(ErrorKind.NETWORK, "no connection", is_connect=True) from None
        self._all.add(connection)
        return connection

    async def _open(self, loop: asyncio.AbstractEventLoop) -> UpstreamConnection:
        way = await connected_socket(loop, self._host, self._port)
        try:
            _, connection = await loop.create_connection(
                lambda: UpstreamConnection(loop, self._forget),
                sock=way,
                ssl=self._tls,
                server_hostname=self._host if self._tls else None,
            )
        except BaseException:
            way.close()
            raise
        return connection

    def give_back(self, connection: UpstreamConnection) -> None:
        """Take back the connection: the answer has been read, or its rest is not wanted."""
        if connection.can_be_kept():
            self._keep(connection)
        else:
            connection.drop()

    def _keep(self, connection: UpstreamConnection) -> None:
        now = connection.loop.time()
        if len(self._idle) < _KEPT_MOST and now - connection.born < _OLDEST_S:
            connection.alarm.set(now + _KEPT_S)
            self._idle[connection] = self._now()
        else:
            connection.drop()

    def _forget(self, connection: UpstreamConnection) -> None:
        self._all.discard(connection)
        self._idle.pop(connection, None)

    def close(self) -> None:
        for connection in tuple(self._all):
            connection.drop()
        self._idle.clear()


class DirectResponse(UpstreamResponse):
    """A response that comes over a connection of ours."""

    __slots__ = ("_pieces", "_pool", "connection")

    def __init__(self, connection: UpstreamConnection, pool: Pool) -> None:
        self.status, self.headers = connection.status, ResponseHeaders(connection.headers)
        self.connection = connection
        self._pool = pool
        self._pieces = decoded(connection.read, connection.encodings()) if connection.is_encoded else None

    def expect_by(self, due: float) -> None:
        self.connection.alarm.set(due)

    async def read(self) -> bytes:
        if self._pieces is None:
            return await self.connection.read()
        async for data in self._pieces:
            if data:
                return data
        return b""

    async def pass_on(self, take: Take) -> Passage:
        return await (self.connection.pass_on(take) if self._pieces is None else super().pass_on(take))

    def whole(self, limit: int = MAX_BODY) -> bytes | None:
        return self.connection.whole_now(limit) if self._pieces is None else None

    async def body(self, limit: int = MAX_BODY, hold: Hold = hold_any) -> bytes:
        return await (self.connection.whole(limit, hold) if self._pieces is None else super().body(limit, hold))

    def close(self) -> None:
        self._pool.give_back(self.connection)
