"""A client's bytes on a connection, from the first to the last."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
import uvicorn
from uvicorn.server import ServerState

from freeride_core.gateway.http.listener import ClientConnection
from freeride_core.gateway.http.server_exchange import ServerExchange
from freeride_core.gateway.http.upstream_response import hold_any
from fuzz.target import Bytes, Target, cut

Arrived = tuple[str, str, bytes, tuple[tuple[bytes, bytes], ...], bytes]
_loop = asyncio.new_event_loop()


class _ArrivalTransport(asyncio.Transport):
    """Where a connection writes to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def _arrive(pieces: list[bytes]) -> tuple[list[Arrived], _ArrivalTransport]:
    arrived: list[Arrived] = []

    class ArrivalApp:
        exchange_type = ServerExchange

        async def __call__(self, exchange: ServerExchange) -> None:
            body = await exchange.read_body(1_000_000, hold_any)
            arrived.append((exchange.method, exchange.path, exchange.query, tuple(exchange.header_list), body))
            exchange.answer(200, [], b"ok")

    app = ArrivalApp()
    config = uvicorn.Config(cast("Any", app), log_config=None, lifespan="off")
    config.loaded_app = cast("Any", app)
    state, wire = ServerState(), _ArrivalTransport()
    connection = ClientConnection(config, state, {})
    connection.connection_made(wire)
    for piece in pieces:
        if not wire.is_closed and piece:
            connection.data_received(piece)
            await _settle(state)
    connection.connection_lost(None)
    await _settle(state)
    for task in tuple(state.tasks):
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
    return arrived, wire


async def _settle(state: ServerState) -> None:
    for _ in range(4 + 3 * len(state.tasks)):
        await asyncio.sleep(0)


def _read_by_another(sent: bytes) -> list[tuple[str, bytes]]:
    """Methods and bodies, as h11 reads them, up to where it finds no request."""
    found: list[tuple[str, bytes]] = []
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(sent) + 1)
    connection.receive_data(sent)
    method, body = "", b""
    try:
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED) and sent:
            if isinstance(event, h11.Request):
                method, body = event.method.decode(), b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                found.append((method, body))
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
    except h11.ProtocolError:
        pass
    return found


def check(data: bytes) -> None:
    """However it is cut, the same requests arrive, and each gets one answer. Of what two readers could take for requests they
    take the same for the same."""
    source = Bytes(data)
    sizes = [source.byte() for _ in range(4)]
    sent = source.rest()[:4096]
    whole, wire = _loop.run_until_complete(_arrive([sent]))
    pieces, _ = _loop.run_until_complete(_arrive(cut(sent, sizes)))
    both = min(len(whole), len(pieces))  # rubbish ends the connection, at once or after what is waiting before it
    assert whole[:both] == pieces[:both], "it depends on where it is cut"
    assert wire.written.count(b"HTTP/1.1 200 OK\r\n") == len(whole)
    ours, theirs = [(method, body) for method, _, _, _, body in whole], _read_by_another(sent)
    both = min(len(ours), len(theirs))
    assert ours[:both] == theirs[:both], "h11 reads it otherwise"
    for _, _, _, headers, body in whole:
        names = [name for name, _ in headers]
        assert not (b"content-length" in names and b"transfer-encoding" in names)
        assert all(
            b"\r" not in part and b"\n" not in part and b"\0" not in part for header in headers for part in header
        )
        assert not body or b"content-length" in names or b"transfer-encoding" in names


TARGET = Target(
    check,
    seeds=tuple(
        b"\x10\x27\x30\x03" + sent
        for sent in (
            b"POST /chat?key=a%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.0\r\n\r\n",
            b"GET http://a.example/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\nCONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        )
    ),
    words=(
        b"\r\n\r\n",
        b"Host: ",
        b"Content-Length: ",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\n",
        b"Upgrade: h2c\r\n",
        b"Upgrade: websocket\r\n",
        b"Expect: 100-continue\r\n",
        b"HTTP/1.1\r\n",
        b"HTTP/1.0\r\n",
        b"GET ",
        b"POST ",
        b"CONNECT ",
        b"HEAD ",
        b"0\r\n\r\n",
        b"http://",
        b"chunked, identity",
        b" :",
        b"\r\n ",
        b"Connection: close\r\n",
    ),
)
