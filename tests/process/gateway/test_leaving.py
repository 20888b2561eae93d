"""Clients that leave, at every moment: their upstream request ends, nobody else is asked, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from departure import MARGIN_S, PROMISED_S, leave, request
from fake_upstream import (
    DONE,
    HANG,
    SSE_HEAD,
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    GatewayStage,
    ReceivedRequest,
    Script,
    Step,
    always,
    chunk,
    completion,
    framed,
    good,
    key_of,
    post_of,
    provider,
    question,
    refusal,
    reply,
    stream,
    until,
)
from freeride_core import Call
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.http.listener import ClientConnection
from freeride_core.gateway.http.pool import Pool
from freeride_core.gateway.http.server_exchange import ServerExchange
from freeride_core.gateway.http.upstream_response import UpstreamResponse
from freeride_core.gateway.walk.attempt import Attempt
from freeride_core.gateway.walk.walk import Walk
from freeride_core.ledger.slots import Slot
from heartbeat import is_at_rest

OF_A_REQUEST = (Attempt, Call, ServerExchange, ClientExchange, UpstreamResponse, Walk)


class Traces:
    """What requests leave behind in a gateway, against what was there before."""

    def __init__(self, stage: GatewayStage) -> None:
        self._thread = stage.thread
        self._before = self._count()

    def are_gone(self) -> bool:
        return is_at_rest(self._thread.gateway) and self._count() <= self._before

    def _count(self) -> Counter[str]:
        """Objects of a request (other tests' can only become fewer), tasks, and clients' connections."""
        assert self._thread._loop is not None
        assert self._thread._server is not None
        found = Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, OF_A_REQUEST))
        found["task"] = len(asyncio.all_tasks(self._thread._loop))
        found["client"] = len(self._thread._server.server_state.connections)
        return found


def kinds_of(stage: GatewayStage) -> dict[Slot, str]:
    """Why each slot that is cooling is."""
    return {slot: kind for slot, (kind, _) in stage.cooled().items()}


@dataclass(frozen=True)
class Moment:
    """How far the upstreams let a request come."""

    alpha: Script
    beta: Script | None = None
    """Where there is one, it is the one that is being asked."""
    for_streams: bool | None = None
    """None: for others too."""


HALF_A_BODY: Step = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{"id":"'
HALF_AN_ERROR: Step = b'HTTP/1.1 429 X\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{"err'
ROLE = chunk({"role": "assistant", "content": ""})

MOMENTS = {
    "before the head": Moment([HANG]),
    "between head and body": Moment([SSE_HEAD, HANG]),
    "while a body comes": Moment([HALF_A_BODY, HANG]),
    "while an error comes": Moment([HALF_AN_ERROR, HANG]),
    "before the commit": Moment(stream(ROLE, HANG), for_streams=True),
    "after the commit": Moment(stream(ROLE, chunk({"content": "Hel"}), HANG), for_streams=True),
    "after a failover": Moment(refusal(500), [HANG]),
    "after a failover, before the commit": Moment(refusal(429), stream(ROLE, HANG), for_streams=True),
    "with an empty answer in hand": Moment(reply(200, completion("", usage=None)), [HANG], for_streams=False),
    "with an empty stream in hand": Moment(stream(ROLE, chunk({}, "stop"), DONE, HANG), [HANG], for_streams=True),
}


@pytest.mark.parametrize(
    ("moment", "streams", "hears_comments"),
    [
        pytest.param(moment, streams, comments, id=f"{name}{'-stream' * streams}{'-comments' * comments}")
        for name, moment in MOMENTS.items()
        for streams, comments in ((False, False), (True, False), (True, True))
        if moment.for_streams in (None, streams)
    ],
)
def test_whoever_leaves_takes_all_of_the_request_along(
    tmp_path: Path, moment: Moment, streams: bool, hears_comments: bool
) -> None:
    providers = (provider("alpha"), provider("beta"), provider("gamma", rank=200))
    with GatewayStage(tmp_path, *providers, keep_alive_s=0.1 if hears_comments else 10.0) as stage:
        stage.ask(headers={"X-FreeRide-Force-Provider": "gamma"})  # what is made once is there now
        until(lambda: is_at_rest(stage.thread.gateway))
        traces = Traces(stage)
        stage["alpha"].answer = always(moment.alpha)
        stage["beta"].answer = always(moment.beta or refusal(500))
        connection = stage.raw(request(streams=streams))
        last = stage["alpha" if moment.beta is None else "beta"]
        until(lambda: last.posts)
        if hears_comments:
            until(lambda: b"\n\n" in connection.recv(65536).partition(b"\r\n\r\n")[2])
        known = kinds_of(stage)
        left_at = leave(connection)
        until(lambda: last.posts[-1].gone_after_s is not None)
        assert time.monotonic() - left_at < PROMISED_S + MARGIN_S
        until(traces.are_gone)
        assert [len(stage[name].posts) for name in stage.names] == [1, int(moment.beta is not None), 1]
        assert kinds_of(stage) == known, "that nobody waited proves nothing"


def test_a_hundred_that_leave_together_leave_nothing_behind(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return [HANG] if len(stage["alpha"].posts) % 2 else stream(chunk({"content": "Hel"}), HANG)

    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 3}) as stage:
        traces = Traces(stage)
        stage["alpha"].answer = answer
        connections = [stage.raw(request(streams=True)) for _ in range(100)]
        until(lambda: len(stage["alpha"].posts) == 100)
        left_at = [leave(connection) for connection in connections][-1]
        until(lambda: all(seen.gone_after_s is not None for seen in stage["alpha"].posts))
        assert time.monotonic() - left_at < PROMISED_S + 2 * MARGIN_S
        until(traces.are_gone)
        assert len(stage["alpha"].posts) == 100


def open_sockets(process: GatewayProcess) -> int:
    """Not files: modules are still being imported."""
    found = 0
    for entry in Path(f"/proc/{process._process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found += str(entry.readlink()).startswith("socket:")
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="nothing tells which sockets another process has")
@pytest.mark.parametrize("streams", [False, True])
def test_whoever_leaves_while_a_connection_is_made_ends_that_too(tmp_path: Path, streams: bool) -> None:
    bench = GatewayBench(tmp_path / "home", {"FREERIDE_CONNECT_TIMEOUT": "30"})
    # The backlog of a listener that never accepts: once it is full, a handshake waits.
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        FakeUpstream() as beta,
        contextlib.ExitStack() as stack,
    ):
        port = server.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        bench.add("alpha", f"http://127.0.0.1:{port}/v1")
        bench.add("beta", beta)
        process = stack.enter_context(GatewayProcess(bench))
        warm_up = process.ask(headers={"X-FreeRide-Force-Provider": "beta"})
        assert warm_up.status_code == 200
        before = open_sockets(process)
        client = socket.create_connection(("127.0.0.1", int(process.url.rpartition(":")[2])))
        client.sendall(request(streams=streams))
        until(lambda: open_sockets(process) == before + 2)  # the client's, and the one to come
        left_at = leave(client)
        until(lambda: open_sockets(process) == before)
        assert time.monotonic() - left_at < PROMISED_S + MARGIN_S
        assert len(beta.posts) == 1


def test_whoever_leaves_while_waiting_for_anothers_verdict_leaves_that_one_alone(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return refusal(401) if seen.key == key_of("alpha", 1) else [HANG]

    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        traces = Traces(stage)
        stage["alpha"].answer = answer
        first = stage.raw(request(streams=False))
        until(lambda: stage["alpha"].posts)
        second = stage.raw(request(streams=False))
        until(lambda: stage.cooled())
        left_at = leave(second)
        until(lambda: len(stage.thread.gateway.exchanges) == 1)
        assert time.monotonic() - left_at < PROMISED_S
        assert [seen.gone_after_s for seen in stage["alpha"].posts if seen.key == key_of("alpha")] == [None]
        leave(first)
        until(traces.are_gone)
        assert len(stage["alpha"].posts) == 2


@pytest.mark.parametrize("is_chunked", [False, True])
def test_whoever_leaves_amid_an_upload_leaves_nothing_of_it(tmp_path: Path, is_chunked: bool) -> None:
    body = json.dumps(question(padding="x" * 5_000_000)).encode()
    whole = post_of(body)
    if is_chunked:
        whole = whole.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked", 1)
        head, _, _ = whole.partition(b"\r\n\r\n")
        whole = head + b"\r\n\r\n" + framed(body)
    with GatewayStage(tmp_path) as stage:
        traces = Traces(stage)
        connection = stage.raw(whole[: len(whole) // 2])
        until(lambda: stage.thread.gateway.exchanges)
        leave(connection)
        until(traces.are_gone)
        assert not any(stage[name].posts for name in stage.names)


# Slow readers

BETA = {"X-FreeRide-Force-Provider": "beta"}
PIECE = 60_000
PIECES = 700
HELD_MOST = 1_500_000
"""What the gateway may hold of one stream, bytes: 256 KiB and what one reading brings on top (as much again), both of what it
has read and of what it has written and its client has not taken."""


class Flood(Iterable[Step]):
    """A stream of 42 MB, and how far it has come."""

    def __init__(self) -> None:
        self.sent = 0

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield SSE_HEAD
        for number in range(PIECES):
            self.sent += 1
            yield framed(chunk({"content": f"{number:06}" * (PIECE // 6)}))
        yield framed(chunk({}, "stop"))
        yield framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def is_held_up(flood: Flood) -> bool:
    before = flood.sent
    threading.Event().wait(0.2)
    return flood.sent == before > 0


def held_by(stage: GatewayStage) -> int:
    """Bytes of answers that wait in the gateway itself."""
    thread = stage.thread
    assert thread._server is not None
    pools = [pool for pool in thread.gateway.upstreams._origins.values() if isinstance(pool, Pool)]
    clients = [each for each in thread._server.server_state.connections if isinstance(each, ClientConnection)]
    unread = sum(connection._waiting_bytes for pool in pools for connection in pool._all)
    unsent: int = sum(client._transport.get_write_buffer_size() for client in clients)
    return unread + unsent


def read_words(connection: socket.socket) -> str:
    """What a stream says, to its end."""
    with connection.makefile("rb") as answer:
        while answer.readline() not in (b"\r\n", b""):
            pass
        body = bytearray()
        while size := int(answer.readline(), 16):
            body += answer.read(size)
            answer.readline()
    *blocks, last = bytes(body).split(b"\n\n")
    assert (blocks.pop(), last) == (b"data: [DONE]", b"")
    choices = [json.loads(block.removeprefix(b"data: "))["choices"][0] for block in blocks]
    return "".join(choice["delta"].get("content", "") for choice in choices)


def test_a_slow_reader_holds_its_upstream_up_and_gets_every_byte_once_it_reads_on(tmp_path: Path) -> None:
    flood = Flood()
    with GatewayStage(tmp_path) as stage:
        stage.ask(headers=BETA)
        traces = Traces(stage)
        stage["alpha"].answer = lambda seen: flood
        connection = stage.raw(request(streams=True))
        until(lambda: is_held_up(flood), 20)
        assert flood.sent < PIECES / 2, "the rest is in the kernel's buffers, and their size is not ours"
        assert held_by(stage) < HELD_MOST
        assert stage.ask(headers=BETA).status_code == 200, "who reads is not held up"
        connection.settimeout(20)
        assert read_words(connection) == "".join(f"{number:06}" * (PIECE // 6) for number in range(PIECES))
        connection.close()
        until(traces.are_gone)
        assert stage["alpha"].posts[0].gone_after_s is None, "the upstream's answer was read to its end"


def test_a_slow_reader_that_leaves_frees_everything(tmp_path: Path) -> None:
    flood = Flood()
    with GatewayStage(tmp_path) as stage:
        traces = Traces(stage)
        stage["alpha"].answer = lambda seen: flood
        connection = stage.raw(request(streams=True))
        until(lambda: is_held_up(flood), 20)
        left_at = leave(connection)
        until(lambda: stage["alpha"].posts[0].gone_after_s is not None)
        assert time.monotonic() - left_at < PROMISED_S + MARGIN_S
        until(traces.are_gone)
        stage["alpha"].answer = good
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
