"""Addresses of one host: the next one is tried while the one before it is silent."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fake_upstream import FakeUpstream, ReceivedRequest, Script, reply
from freeride_core.answer import ErrorKind, UpstreamRequest
from freeride_core.gateway.http import addresses, pool
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.upstreams import Upstreams
from freeride_core.gateway.server import _loop_factory

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, _loop_factory()]
HOST = "two-addresses.invalid"
WITHIN_S = 30.0
"""Far more than it takes, and far less than a connection that never comes."""
SILENT, DEAD, ALIVE = "silent", "dead", "alive"


def answer(_: ReceivedRequest) -> Script:
    return reply(200, {"ok": True})


@contextlib.contextmanager
def silent(family: int, host: str, port: int = 0) -> Iterator[int]:
    """A port at which a handshake hangs: the queue of its listener is full. Gives the port."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.bind((host, port))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            filler.setblocking(False)
            filler.connect_ex((host, port))
        yield port


def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ways: tuple[str, int], host: str = HOST) -> None:
    """What every event loop's resolver says of the host."""
    kinds: list[Any] = [asyncio.BaseEventLoop]
    with contextlib.suppress(ImportError):  # not on Windows
        import uvloop

        kinds.append(uvloop.Loop)
    for kind in kinds:
        resolve = kind.getaddrinfo

        async def found(loop: Any, name: Any, *more: Any, resolve: Any = resolve, **options: Any) -> Any:
            if name not in (host, host.encode()):
                return await resolve(loop, name, *more, **options)
            return [
                (socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))
                for ip, port in ways
            ]

        monkeypatch.setattr(kind, "getaddrinfo", found)


async def ask(url: str, connect_s: float = WITHIN_S) -> int:
    upstreams = Upstreams(connect_s)
    try:
        response = await upstreams.send(UpstreamRequest("POST", url, (), b"{}"))
        assert await response.body()
        response.close()
        return response.status
    finally:
        await upstreams.close()


def run(loop_factory: Callable[[], asyncio.AbstractEventLoop], work: Any) -> Any:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "the gateway's"])
@pytest.mark.parametrize(
    "order",
    [(SILENT, ALIVE), (DEAD, ALIVE), (SILENT, SILENT, ALIVE), (SILENT, DEAD, ALIVE), (ALIVE, SILENT), (ALIVE, DEAD)],
    ids=" ".join,
)
def test_an_address_that_is_silent_does_not_hide_the_next(
    monkeypatch: pytest.MonkeyPatch, loop_factory: Callable[[], asyncio.AbstractEventLoop], order: tuple[str, ...]
) -> None:
    with FakeUpstream(answer) as upstream, silent(socket.AF_INET, "127.0.0.1") as port:
        ports = {SILENT: port, DEAD: dead_port(), ALIVE: upstream.port}
        resolve_to(monkeypatch, *(("127.0.0.1", ports[each]) for each in order))
        began = time.monotonic()
        assert run(loop_factory, ask(f"http://{HOST}:1/v1")) == 200
        assert time.monotonic() - began < WITHIN_S / 2
        assert upstream.connections == 1


@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "the gateway's"])
@pytest.mark.parametrize(
    ("order", "kind"),
    [((DEAD, DEAD), ErrorKind.NETWORK), ((SILENT, DEAD), ErrorKind.TIMEOUT), ((SILENT, SILENT), ErrorKind.TIMEOUT)],
    ids=["dead", "silent and dead", "silent"],
)
def test_a_host_none_of_whose_addresses_answers_is_never_reached(
    monkeypatch: pytest.MonkeyPatch,
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    order: tuple[str, ...],
    kind: ErrorKind,
) -> None:
    with silent(socket.AF_INET, "127.0.0.1") as port:
        ports = {SILENT: port, DEAD: dead_port()}
        resolve_to(monkeypatch, *(("127.0.0.1", ports[each]) for each in order))
        with pytest.raises(UpstreamError) as caught:
            run(loop_factory, ask(f"http://{HOST}:1/v1", 0.6))
    assert caught.value.failure.kind is kind
    assert caught.value.is_connect


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6: a proxy with two families was not tested")
@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "the gateway's"])
def test_a_proxys_silent_address_does_not_hide_its_next(
    monkeypatch: pytest.MonkeyPatch, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    with FakeUpstream(answer) as upstream, silent(socket.AF_INET6, "::1", upstream.port):
        resolve_to(monkeypatch, ("::1", upstream.port), ("127.0.0.1", upstream.port), host="localhost")
        monkeypatch.setenv("http_proxy", f"http://localhost:{upstream.port}")
        monkeypatch.setenv("no_proxy", "")
        began = time.monotonic()
        assert run(loop_factory, ask("http://upstream.invalid/v1")) == 200
        assert time.monotonic() - began < WITHIN_S / 2
        assert upstream.seen[0].path.startswith("http://upstream.invalid"), "it went by way of the proxy"


def test_the_families_of_a_host_are_tried_in_turn() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    listed: list[tuple[int, int, int, Any]] = [
        (int(family), 1, 6, number) for number, family in enumerate((six, six, six, four, four))
    ]
    tried = addresses._in_turn(listed)
    assert [number for *_, number in tried] == [0, 3, 1, 4, 2]


def test_a_lack_of_files_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool makes room for it, where one address has another trouble too."""
    spared = threading.Event()
    monkeypatch.setattr(pool.Pool, "drop_idle", lambda _: spared.set())

    def no_socket(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "no files")

    resolve_to(monkeypatch, ("127.0.0.1", dead_port()), ("127.0.0.1", dead_port()))

    async def connect() -> None:
        ours = pool.Pool(HOST, 1, None)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "socket", no_socket)
            with pytest.raises(UpstreamError):
                await ours.connect(WITHIN_S, asyncio.get_running_loop().time() + WITHIN_S)

    asyncio.run(connect())
    assert spared.is_set()


@pytest.mark.skipif(sys.platform == "win32", reason="counts files by /dev/fd")
@pytest.mark.parametrize("loop_factory", LOOPS, ids=["asyncio", "the gateway's"])
def test_the_sockets_of_addresses_that_lost_are_closed(
    monkeypatch: pytest.MonkeyPatch, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    made: list[socket.socket] = []

    class CountedSocket(socket.socket):
        def __init__(self, *of_kind: Any) -> None:
            super().__init__(*of_kind)
            made.append(self)

    with socket.create_server(("127.0.0.1", 0)) as alive, silent(socket.AF_INET, "127.0.0.1") as port:
        resolve_to(monkeypatch, ("127.0.0.1", port), ("127.0.0.1", port), ("127.0.0.1", alive.getsockname()[1]))

        async def connect() -> None:
            with monkeypatch.context() as patched:
                patched.setattr(socket, "socket", CountedSocket)
                won = await addresses.connected_socket(asyncio.get_running_loop(), HOST, 1)
                until = time.monotonic() + WITHIN_S
                while sum(each.fileno() != -1 for each in made) > 1:
                    assert time.monotonic() < until
                    await asyncio.sleep(0)
            assert (len(made), won.fileno() != -1) == (3, True)
            won.close()

        run(loop_factory, connect())
