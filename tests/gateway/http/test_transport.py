"""The transport, against upstreams that send raw bytes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples import examples
from fake_upstream import HANG, RESET, FakeUpstream, Script, Step, framed, until
from fast_transport import FastTransport

OK = b"HTTP/1.1 200 OK\r\n"
PIECES = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8)


Use = Callable[[FastTransport, str], Awaitable[None]]


def use_on(upstream: FakeUpstream, use: Use) -> None:
    """Uses a transport on the upstream, and closes it."""

    async def main() -> None:
        transport = FastTransport(None)
        try:
            await use(transport, upstream.url)
        finally:
            await transport.aclose()

    asyncio.run(main())


def run(script: Script, use: Use) -> FakeUpstream:
    """Plays the script to every request, and uses a transport on it."""
    with FakeUpstream(lambda _: script) as upstream:
        use_on(upstream, use)
    return upstream


async def ask(transport: FastTransport, url: str, body: bytes = b"{}") -> httpx.Response:
    request = httpx.Request("POST", url, content=body, extensions={"timeout": {"connect": 5.0}})
    return await transport.handle_async_request(request)


def read_twice(script: Script) -> tuple[list[bytes], FakeUpstream]:
    """Two requests, one after the other: their bodies, and the upstream that saw them."""
    bodies: list[bytes] = []

    async def use(transport: FastTransport, url: str) -> None:
        for _ in range(2):
            response = await ask(transport, url)
            bodies.append(await response.aread())

    upstream = run(script, use)
    return bodies, upstream


def test_a_body_of_known_length_is_read_and_the_connection_used_again() -> None:
    bodies, upstream = read_twice([OK + b"content-length: 5\r\n\r\nhello"])
    assert bodies == [b"hello"] * 2
    assert upstream.connections == 1


@settings(max_examples=examples(15), deadline=None)
@given(PIECES)
def test_chunks_and_trailers_come_whole_however_they_are_cut(pieces: list[bytes]) -> None:
    head = OK + b"transfer-encoding: chunked\r\n\r\n"
    steps: list[Step] = [head, *(framed(piece) for piece in pieces), b"0\r\nx-trailer: 1\r\n\r\n"]
    bodies, upstream = read_twice(steps)
    assert bodies == [b"".join(pieces)] * 2
    assert upstream.connections == 1


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def use(transport: FastTransport, url: str) -> None:
        response = await ask(transport, url)
        assert await response.aread() == b"until the end"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\nuntil ")
        await writer.drain()
        writer.write(b"the end")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        transport = FastTransport(None)
        await use(transport, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await transport.aclose()
        server.close()

    asyncio.run(main())


def test_an_interim_answer_is_passed_over() -> None:
    bodies, _ = read_twice([b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 2\r\n\r\nok"])
    assert bodies == [b"ok"] * 2


def test_a_connection_that_is_to_be_closed_is_not_used_again() -> None:
    bodies, upstream = read_twice([OK + b"connection: close\r\ncontent-length: 2\r\n\r\nok"])
    assert bodies == [b"ok"] * 2
    assert upstream.connections == 2


def test_an_answer_that_was_not_read_to_its_end_drops_its_connection() -> None:
    async def use(transport: FastTransport, url: str) -> None:
        response = await ask(transport, url)
        await response.aclose()
        await asyncio.to_thread(until, lambda: upstream.seen[0].gone_after_s is not None)

    with FakeUpstream(lambda _: [OK + b"content-length: 10\r\n\r\nhalf", HANG]) as upstream:
        use_on(upstream, use)


def test_a_cancelled_request_drops_its_connection() -> None:
    async def use(transport: FastTransport, url: str) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(transport, url)
        await asyncio.to_thread(until, lambda: upstream.seen[0].gone_after_s is not None)

    with FakeUpstream(lambda _: [HANG]) as upstream:
        use_on(upstream, use)


@pytest.mark.parametrize(
    "script",
    [
        [b"220 smtp.example ESMTP\r\n"],
        [b"HTTP/1.1 nonsense\r\n\r\n"],
        [OK + b"x-large: " + b"x" * 70_000 + b"\r\n\r\n"],
        [RESET],
        [OK + b"content-length: 10\r\n\r\nhalf", RESET],
        [OK + b"transfer-encoding: chunked\r\n\r\n", b"5\r\nhel", RESET],
    ],
    ids=["another protocol", "no status", "large head", "reset", "cut body", "cut chunk"],
)
def test_what_is_no_answer_is_a_protocol_error(script: Script) -> None:
    async def use(transport: FastTransport, url: str) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await (await ask(transport, url)).aread()

    run(script, use)


def test_a_closed_port_is_a_connect_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    async def main() -> None:
        with pytest.raises(httpx.ConnectError):
            await ask(FastTransport(None), f"http://127.0.0.1:{port}/")

    asyncio.run(main())


def test_a_slow_reader_slows_the_upstream_down() -> None:
    """More than any socket buffers: without back-pressure all of it would pile up here."""
    block, count = b"x" * 1_000_000, 60
    sent: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"content-length: %d\r\n\r\n" % (len(block) * count))
        for at in range(count):
            writer.write(block)
            await writer.drain()
            sent.append(at)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        transport = FastTransport(None)
        response = await ask(transport, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        stalled = -1
        while len(sent) != stalled:  # until the upstream has stood still for a while
            stalled = len(sent)
            await asyncio.sleep(0.3)
        assert stalled < count
        assert len(await response.aread()) == len(block) * count
        await transport.aclose()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
