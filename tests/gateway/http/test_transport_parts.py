"""The transport's small parts: alarms, the outbox, uploads, encodings, replies by way of a proxy."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from freeride_core.answer import ErrorKind, UpstreamRequest
from freeride_core.gateway.http import pool as pool_module
from freeride_core.gateway.http.deadline import NEVER, Deadline, until
from freeride_core.gateway.http.errors import UpstreamError, Withdrawn
from freeride_core.gateway.http.proxied import ProxiedOrigin
from freeride_core.gateway.http.upstreams import Upstreams
from freeride_core.gateway.http.write_batch import WriteBatch, write_batch_of
from freeride_core.gateway.server import _loop_factory

OK = b"HTTP/1.1 200 OK\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


class Server:
    """An upstream that is written by hand."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.connections = 0

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._count, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1/x"
        return self

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


def always(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)
            await writer.drain()

    return serve


def ask(url: str) -> UpstreamRequest:
    return UpstreamRequest("GET", url, (("x-mark", "1"),))


# Alarms


def test_an_alarm_rings_once_and_not_before_its_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        alarm = Deadline(loop, rung.set)
        due = loop.time() + 0.05
        alarm.set(loop.time() + 0.01)
        alarm.set(due)  # moved back: the timer under it rings too early, and looks again
        await asyncio.wait_for(rung.wait(), 5)
        assert loop.time() >= due
        assert alarm.due == NEVER

    run(main())


def test_an_alarm_that_is_moved_to_an_earlier_time_rings_then() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        alarm = Deadline(loop, rung.set)
        alarm.set(loop.time() + 1000)
        alarm.set(loop.time() + 0.01)
        await asyncio.wait_for(rung.wait(), 5)

    run(main())


def test_an_alarm_that_is_stopped_or_cancelled_does_not_ring() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        rung: list[str] = []
        stopped, cancelled = (
            Deadline(loop, lambda: rung.append("stopped")),
            Deadline(loop, lambda: rung.append("cancelled")),
        )
        ended = asyncio.Event()
        for alarm in (stopped, cancelled):
            alarm.set(loop.time() + 0.01)
        stopped.stop()
        cancelled.cancel()
        Deadline(loop, ended.set).set(loop.time() + 0.05)
        await asyncio.wait_for(ended.wait(), 5)
        assert rung == []

    run(main())


def test_a_time_that_does_not_come_limits_nothing() -> None:
    async def main() -> None:
        async with until(NEVER) as block:
            assert block.when() is None

    run(main())


# The outbox


LOOPS = [pytest.param(_loop_factory(), id="usual"), pytest.param(asyncio.new_event_loop, id="plain")]
"""uvloop's transports are stricter than asyncio's."""


class Socket:
    def __init__(self, log: list[bytes]) -> None:
        self.log = log

    def write(self, data: bytes) -> None:
        self.log.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.log.append(b"|".join(parts))

    def is_closing(self) -> bool:
        return False


def test_whoever_is_alone_writes_at_once() -> None:
    async def main() -> None:
        log: list[bytes] = []
        outbox = WriteBatch(asyncio.get_running_loop())
        outbox.write(Socket(log), b"a")  # type: ignore[arg-type]
        outbox.write(Socket(log), b"b", b"c")  # type: ignore[arg-type]
        assert log == [b"a", b"b|c"]

    run(main())


def test_who_comes_before_others_is_sent_with_the_last_of_them_in_order() -> None:
    async def main() -> None:
        log: list[bytes] = []
        outbox = WriteBatch(asyncio.get_running_loop())
        outbox.expected = 2
        for number, left in ((b"1", 2), (b"2", 1), (b"3", 0)):
            assert log == []
            outbox.expected = left
            outbox.write(Socket(log), number)  # type: ignore[arg-type]
        assert log == [b"1", b"2", b"3"]

    run(main())


def test_nobody_waits_for_others_that_do_not_write() -> None:
    async def main() -> None:
        log: list[bytes] = []
        outbox = WriteBatch(asyncio.get_running_loop())
        outbox.expected = 5
        outbox.write(Socket(log), b"1")  # type: ignore[arg-type]
        assert log == []
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert log == [b"1"]

    run(main())


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_whoever_left_before_it_was_sent_spoils_nothing_for_the_others(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    class ConnectedClient(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)
            if len(made) == 2:
                are_made.set()

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set()

    made: list[Any] = []
    lost, are_made = asyncio.Event(), asyncio.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(ConnectedClient, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        others = [await asyncio.open_connection(*address[:2]) for _ in range(2)]
        await are_made.wait()
        outbox = WriteBatch(loop)
        outbox.expected = 3
        try:
            made[0].abort()
            outbox.write(made[0], b"for one that has left")
            outbox.write(made[1], b"hello")
            await lost.wait()
            assert await asyncio.wait_for(others[1][0].read(5), 10) == b"hello"
        finally:
            for _, writer in others:
                writer.close()
            made[1].close()
            server.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_many_writes_do_not_wait_for_more() -> None:
    async def main() -> None:
        log: list[bytes] = []
        outbox = WriteBatch(asyncio.get_running_loop())
        outbox.expected = 1000
        for _ in range(40):
            outbox.write(Socket(log), b"x")  # type: ignore[arg-type]
        assert len(log) >= 32

    run(main())


def test_a_loop_has_one_outbox_and_it_is_balanced_after_requests_that_were_cancelled() -> None:
    async def main() -> None:
        all_asked = asyncio.Barrier(6)

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await all_asked.wait()
            await reader.read()

        async with Server(silent) as server:
            upstreams = Upstreams(5.0)
            asking = [asyncio.ensure_future(upstreams.send(ask(server.url))) for _ in range(5)]
            await all_asked.wait()
            for each in asking:
                each.cancel()
            await asyncio.wait(asking)
            await upstreams.close()
        loop = asyncio.get_running_loop()
        assert write_batch_of(loop) is write_batch_of(loop)
        assert write_batch_of(loop).expected == 0

    run(main())


# Pools


def test_a_connection_that_has_grown_old_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_OLDEST_S", 0.0)

    async def main() -> None:
        async with Server(always(OK + b"content-length: 2\r\n\r\nok")) as server:
            upstreams = Upstreams(5.0)
            for _ in range(3):
                reply = await upstreams.send(ask(server.url))
                assert await reply.body() == b"ok"
                reply.close()
            assert server.connections == 3
            await upstreams.close()

    run(main())


def test_an_idle_connection_goes_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_KEPT_S", 0.05)
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"content-length: 2\r\n\r\nok")
        await reader.read()
        gone.set()

    async def main() -> None:
        async with Server(serve) as server:
            upstreams = Upstreams(5.0)
            reply = await upstreams.send(ask(server.url))
            assert await reply.body() == b"ok"
            reply.close()
            await asyncio.wait_for(gone.wait(), 5)
            await upstreams.close()

    run(main())


def test_no_more_connections_are_kept_than_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_KEPT_MOST", 2)

    async def main() -> None:
        async with Server(always(OK + b"content-length: 2\r\n\r\nok")) as server:
            upstreams = Upstreams(5.0)
            replies = [await upstreams.send(ask(server.url)) for _ in range(5)]
            for reply in replies:
                assert await reply.body() == b"ok"
                reply.close()
            for reply in [await upstreams.send(ask(server.url)) for _ in range(3)]:
                reply.close()
            assert server.connections == 6
            await upstreams.close()

    run(main())


def test_a_request_that_nobody_wants_any_more_is_not_sent_and_its_connection_is_kept() -> None:
    async def main() -> None:
        async with Server(always(OK + b"content-length: 2\r\n\r\nok")) as server:
            upstreams = Upstreams(5.0)
            with pytest.raises(Withdrawn):
                await upstreams.send(ask(server.url), lambda: False)
            reply = await upstreams.send(ask(server.url), lambda: True)
            assert await reply.body() == b"ok"
            assert server.connections == 1
            await upstreams.close()

    run(main())


@pytest.mark.parametrize("spoken", [b"", OK + b"content-length: 9\r\n\r\n", OK + b"content-length: 9\r\n\r\nhalf"])
def test_a_time_limit_goes_on_over_head_and_body(spoken: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(spoken)
        await reader.read()

    async def main() -> None:
        async with Server(serve) as server:
            upstreams = Upstreams(5.0)
            with pytest.raises(UpstreamError) as caught:
                await (await upstreams.send(ask(server.url), within_s=0.1)).body()
            assert caught.value.failure.kind is ErrorKind.TIMEOUT
            assert not caught.value.is_connect
            await upstreams.close()

    run(main())


@pytest.mark.parametrize("value", ["a\r\nx-more: 1", "a\nb", "a\0b", "a\rb"])
def test_a_header_that_would_be_two_is_not_sent(value: str) -> None:
    async def main() -> None:
        upstreams = Upstreams(5.0)
        with pytest.raises(UpstreamError) as caught:
            await upstreams.send(UpstreamRequest("GET", "http://127.0.0.1:1/", (("x", value),)))
        assert "a" not in str(caught.value).split()
        await upstreams.close()

    run(main())


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "no url", "http://127.0.0.1:99999/", "http://[::/"])
def test_an_address_that_is_none_is_a_connection_that_was_never_made(url: str) -> None:
    async def main() -> None:
        upstreams = Upstreams(5.0)
        with pytest.raises(UpstreamError) as caught:
            await upstreams.send(ask(url))
        assert caught.value.is_connect
        await upstreams.close()

    run(main())


@pytest.mark.parametrize(("count", "is_read"), [(250, True), (257, False), (9000, False)])
def test_an_upstream_has_so_many_headers(count: int, is_read: bool) -> None:
    async def main() -> None:
        async with Server(always(OK + b"X: a\r\n" * count + b"content-length: 2\r\n\r\nok")) as server:
            upstreams = Upstreams(5.0)
            if is_read:
                assert await (await upstreams.send(ask(server.url))).body() == b"ok"
            else:
                with pytest.raises(UpstreamError) as caught:
                    await upstreams.send(ask(server.url))
                assert caught.value.failure.kind is ErrorKind.NETWORK
            await upstreams.close()

    run(main())


# Encodings, uploads, proxies


@pytest.mark.parametrize(("name", "encode"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
def test_an_encoding_that_was_not_asked_for_is_taken_off(name: bytes, encode: Callable[[bytes], bytes]) -> None:
    body = encode(b"hello " * 1000)
    head = OK + b"Content-Encoding: %b\r\ncontent-length: %d\r\n\r\n" % (name, len(body))

    async def main() -> None:
        async with Server(always(head + body)) as server:
            upstreams = Upstreams(5.0)
            for _ in range(2):
                reply = await upstreams.send(ask(server.url))
                assert await reply.body() == b"hello " * 1000
                reply.close()
            assert server.connections == 1
            await upstreams.close()

    run(main())


def test_a_broken_encoding_is_trouble() -> None:
    async def main() -> None:
        async with Server(always(OK + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello")) as server:
            upstreams = Upstreams(5.0)
            reply = await upstreams.send(ask(server.url))
            with pytest.raises(UpstreamError) as caught:
                await reply.body()
            assert caught.value.failure.kind is ErrorKind.PROTOCOL
            reply.close()
            await upstreams.close()

    run(main())


def test_a_proxy_is_spoken_to_in_its_own_way() -> None:
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines.append(head.split(b"\r\n")[0])
            writer.write(OK + b"X-Mark: 1\r\ncontent-length: 2\r\n\r\nok")

    async def main() -> None:
        async with Server(serve) as server:
            origin = ProxiedOrigin(f"http://127.0.0.1:{server.port}", None)
            for _ in range(2):
                reply = await origin.ask(ask("http://upstream.invalid/v1"), connect_s=5.0, due=NEVER, is_wanted=None)
                assert (reply.status, reply.headers["x-mark"], await reply.body()) == (200, "1", b"ok")
                reply.close()
                await asyncio.sleep(0)
            with pytest.raises(Withdrawn):
                await origin.ask(ask("http://upstream.invalid/v1"), connect_s=5.0, due=NEVER, is_wanted=lambda: False)
            await origin.close()
        assert lines == [b"GET http://upstream.invalid/v1 HTTP/1.1"] * 2

    run(main())


def test_a_silent_proxy_is_given_up_in_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"content-length: 9\r\n\r\nhalf")
        await reader.read()

    async def main() -> None:
        async with Server(serve) as server:
            origin = ProxiedOrigin(f"http://127.0.0.1:{server.port}", None)
            due = asyncio.get_running_loop().time() + 0.2
            reply = await origin.ask(ask("http://upstream.invalid/v1"), connect_s=5.0, due=due, is_wanted=None)
            assert await reply.read() == b"half"
            with pytest.raises(UpstreamError) as caught:
                await reply.read()
            assert caught.value.failure.kind is ErrorKind.TIMEOUT
            reply.close()
            await asyncio.sleep(0)
            await origin.close()

    run(main())
