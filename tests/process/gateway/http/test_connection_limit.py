"""How many clients are connected at most, who goes first, and what is kept back for the gateway itself."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fake_upstream import (
    HANG,
    SERVE,
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    GatewayStage,
    always,
    completion,
    good,
    post_of,
    provider,
    reply,
    until,
)
from freeride_core.gateway.http import budget, connection_limit
from freeride_core.gateway.http.connection_limit import ConnectionLimit, clients_by_files

BODY = b'{"model":"auto","messages":[]}'
ASKS = post_of(BODY)
resource = pytest.importorskip("resource", reason="the system has no limit of open files")


@dataclass(eq=False)
class FakeGuest:
    idle_until: float
    is_idle: bool = True
    is_evicted: bool = field(default=False, init=False)

    def evict(self) -> None:
        self.is_evicted = True


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> ConnectionLimit:
    monkeypatch.setattr(connection_limit, "clients_by_files", lambda: 1000)
    return ConnectionLimit(lambda: 30, lambda: False, lines.append, lambda: 0.0)


# The limit itself


def test_those_that_have_been_idle_for_longest_go_first(limit: ConnectionLimit, lines: list[str]) -> None:
    idle = [FakeGuest(float(at)) for at in reversed(range(20))]
    busy = [FakeGuest(0.0, is_idle=False) for _ in range(10)]
    newcomer = FakeGuest(7.5)
    assert limit.admits(newcomer, [*idle, *busy, newcomer])
    assert sorted(guest.idle_until for guest in idle if guest.is_evicted) == [float(at) for at in range(7)]
    assert not any(guest.is_evicted for guest in (*busy, newcomer))
    assert len(lines) == 1


def test_of_those_that_have_just_come_one_goes(limit: ConnectionLimit) -> None:
    idle = [FakeGuest(10.0 + at / 100) for at in range(30)]
    newcomer = FakeGuest(11.0)
    assert limit.admits(newcomer, [*idle, newcomer])
    assert [guest.idle_until for guest in idle if guest.is_evicted] == [10.0]


def test_where_all_are_busy_there_is_no_room(limit: ConnectionLimit, lines: list[str]) -> None:
    busy = [FakeGuest(0.0, is_idle=False) for _ in range(30)]
    for _ in range(5):
        newcomer = FakeGuest(1.0)
        assert not limit.admits(newcomer, [*busy, newcomer])
        assert not newcomer.is_evicted
    (line,) = lines
    assert line.startswith("30 clients are connected, as many as FREERIDE_MAX_CONNECTIONS allows; ")


def test_below_the_limit_nobody_goes_and_nothing_is_said(limit: ConnectionLimit, lines: list[str]) -> None:
    guests = [FakeGuest(0.0) for _ in range(30)]
    assert limit.admits(guests[0], guests)
    assert not any(guest.is_evicted for guest in guests)
    assert lines == []


def test_where_files_are_scarce_half_of_them_are_for_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, clients in ((256, 96), (1024, 480), (40, 1), (resource.RLIM_INFINITY, None)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert clients_by_files() == clients
    lines: list[str] = []
    monkeypatch.setattr(connection_limit, "clients_by_files", lambda: 1)
    guests = [FakeGuest(0.0, is_idle=False), FakeGuest(1.0)]
    assert not ConnectionLimit(lambda: 30, lambda: False, lines.append).admits(guests[1], guests)
    assert lines[0].startswith("1 clients are connected, as many as the system's limit of open files allows; ")


# In a gateway


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[GatewayStage]:
    with GatewayStage(tmp_path, provider("alpha"), max_connections=8) as stage:
        yield stage


def connections(stage: GatewayStage) -> int:
    assert stage.thread._server is not None
    return len(stage.thread._server.server_state.connections)


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.setblocking(True)


@pytest.mark.parametrize("start", [b"", b"GET /hea", ASKS + b"GET /hea"], ids=["silent", "half a head", "answered"])
def test_an_idle_client_makes_room_for_one_that_asks(
    stage: GatewayStage, start: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(stage.raw(start)) for _ in range(8)]
        if start.startswith(b"POST"):
            for connection in crowd:
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        until(lambda: connections(stage) == 8)
        with stage.raw(ASKS) as late:
            assert late.recv(65536).startswith(b"HTTP/1.1 200 ")
        until(lambda: any(map(is_closed, crowd)))
        assert not all(map(is_closed, crowd)), "no more go than have to"
    assert capfd.readouterr().err.count("FREERIDE_MAX_CONNECTIONS") == 1


def test_busy_clients_are_left_alone_and_new_ones_are_answered_at_once(
    stage: GatewayStage, capfd: pytest.CaptureFixture[str]
) -> None:
    stage["alpha"].answer = always([HANG])
    with ExitStack() as stack:
        crowd = [stack.enter_context(stage.raw(ASKS)) for _ in range(8)]
        until(lambda: len(stage["alpha"].posts) == 8)
        for _ in range(20):
            with stage.raw(b"") as late:
                said = late.recv(65536)
                assert said.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 1\r\n" in said
                assert late.recv(1) == b"", "it is closed"
        assert not any(map(is_closed, crowd))
        assert [seen.gone_after_s for seen in stage["alpha"].posts] == [None] * 8
    until(lambda: connections(stage) == 0)
    stage["alpha"].answer = good
    assert stage.ask().status_code == 200
    assert capfd.readouterr().err.count("FREERIDE_MAX_CONNECTIONS") == 1


def test_a_request_that_comes_too_slowly_gives_its_place_to_a_new_client(
    stage: GatewayStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(stage.raw(ASKS[:-5])) for _ in range(8)]
        until(lambda: len(stage.thread.gateway.exchanges) == 8)
        with stage.raw(b"") as late:
            assert late.recv(100).startswith(b"HTTP/1.1 503 ")
        monkeypatch.setattr(budget, "PATIENCE_S", 0.0)
        with stage.raw(ASKS) as late:
            assert late.recv(100).startswith(b"HTTP/1.1 200 ")
        assert [connection.recv(12) for connection in crowd[:1]] == [b"HTTP/1.1 503"]
        assert not any(map(is_closed, crowd[1:]))


def test_the_limit_can_be_changed_while_the_gateway_runs(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("max_connections = 2\n")
    with GatewayStage(tmp_path, provider("alpha")) as stage, ExitStack() as stack:
        stage["alpha"].answer = always([HANG])
        for _ in range(2):
            stack.enter_context(stage.raw(ASKS))
        until(lambda: len(stage["alpha"].posts) == 2)
        with stage.raw(b"") as late:
            assert late.recv(100).startswith(b"HTTP/1.1 503 ")
        (tmp_path / "config.toml").write_text("max_connections = 200\n")
        until(lambda: stage.thread.gateway.settings.max_connections == 200)
        stage["alpha"].answer = always(reply(200, completion()))
        assert stage.ask().status_code == 200


# With few files


@pytest.fixture
def with_few_files(tmp_path: Path) -> Iterator[GatewayProcess]:
    bench = GatewayBench(tmp_path / "home")
    names = ("alpha", "beta", "gamma")
    command = ("bash", "-c", 'ulimit -n 128 && exec "$@"', "bash", sys.executable, "-c", SERVE, "10", *names)
    with ExitStack() as stack:
        for name in names:
            bench.add(name, stack.enter_context(FakeUpstream()))
        yield stack.enter_context(GatewayProcess(bench, command=command))


def test_a_crowd_that_says_nothing_shuts_nobody_out_though_files_are_few(with_few_files: GatewayProcess) -> None:
    host, port = with_few_files.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(300):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
        assert [with_few_files.ask().status_code for _ in range(5)] == [200] * 5
    assert with_few_files.stderr.count("the system's limit of open files") == 1
    assert "events are not being recorded" not in with_few_files.stderr


def test_idle_connections_to_one_upstream_make_room_for_another(with_few_files: GatewayProcess) -> None:
    """Each has a file, and those for clients are half of them."""
    host, port = with_few_files.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection((host, int(port)), timeout=20)) for _ in range(30)]
        for name in ("alpha", "beta", "gamma") * 2:
            for connection in crowd:
                connection.sendall(post_of(BODY, X_FreeRide_Force_Provider=name))
            assert {connection.recv(65536)[:12] for connection in crowd} == {b"HTTP/1.1 200"}
