"""Many requests at once: what one has read spares the others, keys share the load, and one request probes for all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from clock import ManualClock
from cooling import cool, key
from fake_upstream import (
    HANG,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    ask_at_once,
    chunk,
    good,
    key_of,
    post_of,
    provider,
    refusal,
    stream,
    until,
)
from freeride_core import Answer, Reading, Scope
from freeride_core.answer import ErrorKind
from freeride_core.gateway.http.upstream_connection import UpstreamConnection
from freeride_core.gateway.walk.attempt import Attempt
from freeride_core.ledger.readiness import Ledger, Readiness
from freeride_core.ledger.slots import Slot
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry

BODY = b'{"model":"auto","messages":[]}'


@contextmanager
def in_background(stage: GatewayStage, count: int) -> Iterator[list[Future[httpx.Response]]]:
    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(stage.ask) for _ in range(count)]


class Gate:
    """An upstream's answer that waits until it is opened."""

    def __init__(self) -> None:
        self.is_open = threading.Event()

    def __call__(self, seen: ReceivedRequest) -> Iterator[Any]:
        while not self.is_open.is_set():
            yield 0.01
        yield from good(seen)


# Dead keys


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("script", [refusal(401), refusal(429), [0.1, *refusal(429)], refusal(402)])
def test_forty_at_once_against_two_dead_keys_cost_at_most_forty_hits(
    tmp_path: Path, script: Script, streams: bool
) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(script)
        answers = ask_at_once(stage, 40, stream=streams)
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["x-freeride-provider"] for answer in answers} == {"beta"}
        assert len(stage["alpha"].posts) <= 40
        assert len(stage["beta"].posts) == 40


@pytest.mark.parametrize("script", [refusal(401), [0.1, *refusal(429)]])
def test_forty_at_once_without_another_provider_cost_at_most_forty_hits(tmp_path: Path, script: Script) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(script)
        answers = ask_at_once(stage, 40)
        assert {answer.status_code for answer in answers} == {503}
        assert len(stage["alpha"].posts) <= 40


def test_keys_that_fail_at_different_speeds_cost_at_most_one_hit_a_request(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return [0.1 if seen.key == key_of("alpha") else 0.5, *refusal(401)]

    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = answer
        ask_at_once(stage, 30)
        assert len(stage["alpha"].posts) <= 30


def test_nothing_is_sent_on_a_key_once_its_failure_has_been_read(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(429))
        stage.ask()
        answers = ask_at_once(stage, 20)
        assert {answer.headers["x-freeride-attempts"] for answer in answers} == {"1"}
        assert len(stage["alpha"].posts) == 1


@pytest.mark.parametrize("streams", [False, True])
def test_a_key_that_begins_to_refuse_is_not_asked_again_once_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    send, read = UpstreamConnection.send, Attempt.read
    sent: list[bytes] = []
    sent_when_read: list[int] = []

    def sending(connection: UpstreamConnection, head: bytes, body: bytes, **options: Any) -> None:
        if b"host: 127.0.0.1:%d\r\n" % stage["alpha"].port in head:
            sent.append(body)
        send(connection, head, body, **options)

    def reading(attempt: Attempt, *told: Any) -> tuple[Answer, Reading]:
        answer, reading = read(attempt, *told)
        if reading.failure is not None:
            sent_when_read.append(len(sent))
        return answer, reading

    def answer(_: ReceivedRequest) -> Script:
        return refusal(429) if len(stage["alpha"].posts) > 100 else [0.01, *good(stage["alpha"].posts[0])]

    def ask_often(_: int) -> list[httpx.Response]:
        return [stage.ask(stream=streams) for _ in range(10)]

    monkeypatch.setattr(UpstreamConnection, "send", sending)
    monkeypatch.setattr(Attempt, "read", reading)
    with GatewayStage(tmp_path) as stage, ThreadPoolExecutor(30) as pool:
        stage["alpha"].answer = answer
        answers = [answer for asked in pool.map(ask_often, range(30)) for answer in asked]
        assert {answer.status_code for answer in answers} == {200}
        assert 100 < len(stage["alpha"].posts) == sent_when_read[0] < 100 + 30
        assert len(stage["beta"].posts) == 300 - 100


def test_a_request_that_waits_for_its_connection_is_withdrawn_when_its_slot_cools(tmp_path: Path) -> None:
    # The backlog of a listener that never accepts: once it is full, a handshake waits.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with GatewayStage(tmp_path, urls={"alpha": f"http://127.0.0.1:{port}/v1"}, connect_timeout=20) as stage:
            with in_background(stage, 1) as waiting, contextlib.ExitStack() as stack:
                until(lambda: stage.events("provider_attempt"))
                cool_elsewhere(tmp_path, Slot("alpha", "*", "*"))
                until(stage.cooled)
                accepted = stack.enter_context(accepting(server))
                answer = waiting[0].result(20)
                fills = {filler.getsockname() for filler in fillers}
                # A handshake that found the backlog full is tried again after 1, 3, 7 and 15 seconds.
                (connection,) = until(lambda: [each for each in accepted if each.getpeername() not in fills], 20)
                connection.setblocking(False)
                with pytest.raises(BlockingIOError):
                    connection.recv(1)  # it is open, and no byte of the request has come
            assert answer.headers["x-freeride-provider"] == "beta"
            assert answer.headers["x-freeride-attempts"] == "1"
        for filler in fillers:
            filler.close()


@contextmanager
def accepting(server: socket.socket) -> Iterator[list[socket.socket]]:
    """The connections of whoever waits."""
    accepted: list[socket.socket] = []
    is_over = threading.Event()
    server.settimeout(0.05)

    def accept() -> None:
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                accepted.append(server.accept()[0])

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield accepted
    finally:
        is_over.set()
        thread.join()
        for connection in accepted:
            connection.close()


def cool_elsewhere(home: Path, slot: Slot) -> None:
    """As another process of the machine does."""
    now = time.time()
    value = {"kind": "rate_limit", "until": now + 900, "strikes": 1, "noted": now, "outage": False}
    store = SqliteStore(home / "state.db")
    store.write([Entry("cooldown", slot.name, value)])
    store.close()


def test_one_good_key_serves_all_when_its_sibling_is_dead(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return refusal(401) if seen.key == key_of("alpha") else [0.05, *good(seen)]

    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = answer
        answers = ask_at_once(stage, 20)
        assert {answer.status_code for answer in answers} == {200}


# Load


@pytest.mark.parametrize("streams", [False, True])
def test_keys_share_what_is_under_way(tmp_path: Path, streams: bool) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 3}) as stage:
        stage["alpha"].answer = always([HANG])
        body = BODY[:-1] + (b',"stream":true}' if streams else b"}")
        connections = [stage.raw(post_of(body)) for _ in range(9)]
        until(lambda: len(stage["alpha"].posts) == 9)
        used = [seen.key for seen in stage["alpha"].posts]
        assert sorted(used) == sorted([key_of("alpha", index) for index in range(3)] * 3)
        for connection in connections:
            connection.close()


def test_a_stream_is_under_way_until_its_end(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(stream(chunk({"content": "Hel"}), HANG))
        with stage.opened() as answer:
            coming = answer.iter_raw()  # the client leaves with its last reference
            next(coming)
            stage["alpha"].answer = good
            assert stage.ask().status_code == 200
            assert stage["alpha"].posts[-1].key == key_of("alpha", 1), "the other one is busy"
        until(lambda: stage["alpha"].posts[0].gone_after_s)
        until(lambda: stage.events("request_failed"))
        assert stage.ask().status_code == 200
        assert stage["alpha"].posts[-1].key == key_of("alpha", 0), "it is free again"


# Back from an outage


def make_due(stage: GatewayStage) -> None:
    """Lets every cooldown end now."""
    now = stage.thread.gateway.now
    stage.thread.gateway.ledger.now = lambda: now() + 3600
    stage.thread.gateway.now = stage.thread.gateway.ledger.now


@pytest.mark.parametrize("script", [refusal(500), refusal(503)])
def test_after_an_outage_one_request_probes_and_others_go_elsewhere(tmp_path: Path, script: Script) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(script)
        stage.ask()
        make_due(stage)
        gate = Gate()
        stage["alpha"].answer = gate
        with in_background(stage, 1) as probes:
            until(lambda: len(stage["alpha"].posts) == 2)
            answers = ask_at_once(stage, 10)
            assert {answer.headers["x-freeride-provider"] for answer in answers} == {"beta"}
            gate.is_open.set()
            assert probes[0].result(10).headers["x-freeride-provider"] == "alpha"
        assert stage.ask().headers["x-freeride-provider"] == "alpha", "it is back for all"


def test_a_failed_probe_cools_for_twice_as_long(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage.ask()
        make_due(stage)
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert [seconds for _, seconds in stage.cooled().values()] == [60]


def test_others_join_a_probe_when_there_is_nowhere_else(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage.ask()
        make_due(stage)
        gate = Gate()
        stage["alpha"].answer = gate
        with in_background(stage, 3) as answers:
            until(lambda: len(stage["alpha"].posts) == 4)
            gate.is_open.set()
            assert {answer.result(10).status_code for answer in answers} == {200}


def test_a_probe_whose_client_leaves_frees_the_slot(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage.ask()
        make_due(stage)
        stage["alpha"].answer = always([HANG])
        connection = stage.raw(post_of(BODY))
        until(lambda: len(stage["alpha"].posts) == 2)
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        connection.close()
        until(lambda: stage["alpha"].posts[1].gone_after_s)
        stage["alpha"].answer = good
        until(lambda: stage.ask().headers["x-freeride-provider"] == "alpha")


def test_a_rate_limit_that_is_over_needs_no_probe(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(429))
        stage.ask()
        make_due(stage)
        stage["alpha"].answer = good
        answers = ask_at_once(stage, 10)
        assert {answer.headers["x-freeride-provider"] for answer in answers} == {"alpha"}


@pytest.mark.parametrize(("script", "wait_s"), [(refusal(500), 30), (refusal(401), 300)])
def test_failures_at_the_same_time_count_as_one(tmp_path: Path, script: Script, wait_s: int) -> None:
    def answer(seen: ReceivedRequest) -> Iterator[Any]:
        while len(stage["alpha"].posts) < 12:
            yield 0.01
        yield from script

    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = answer
        ask_at_once(stage, 12)
        assert len(stage["alpha"].posts) == 12
        (left_s,) = (seconds for _, seconds in stage.cooled().values())
        assert left_s in range(wait_s - 3, wait_s + 1)


# The ledger, with a clock of its own


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        (ErrorKind.UNAVAILABLE, [30, 60, 120, 240, 480, 600, 600]),
        (ErrorKind.AUTH, [300, 600, 1200, 2400, 3600, 3600]),
        (ErrorKind.RATE_LIMIT, [60, 60, 60]),
        (ErrorKind.MODEL_NOT_FOUND, [600, 600]),
    ],
)
def test_waits_double_with_each_failure_in_a_row_up_to_their_limit(kind: ErrorKind, waits: list[float]) -> None:
    clock = ManualClock()
    ledger = Ledger(clock, lambda _: None)
    for wait_s in waits:
        sent_at = clock.now
        clock.now += 1
        assert cool(ledger, kind, sent_at=sent_at) == wait_s
        clock.now += wait_s + 1


def test_a_failure_of_what_was_sent_before_is_the_same_failure() -> None:
    clock = ManualClock()
    ledger = Ledger(clock, lambda _: None)
    sent_at = clock.now
    for _ in range(10):
        clock.now += 1
        assert cool(ledger, ErrorKind.UNAVAILABLE, sent_at=sent_at) == 30


def test_a_good_answer_makes_the_row_begin_again() -> None:
    clock = ManualClock()
    ledger = Ledger(clock, lambda _: None)
    assert cool(ledger, ErrorKind.AUTH, sent_at=clock.now - 1, scope=Scope.KEY) == 300
    clock.now += 301
    ledger.recover(key(), "m")
    assert cool(ledger, ErrorKind.AUTH, sent_at=clock.now - 1, scope=Scope.KEY) == 300


def test_a_shorter_wait_never_shortens_a_longer_one() -> None:
    clock = ManualClock()
    ledger = Ledger(clock, lambda _: None)
    assert cool(ledger, ErrorKind.MODEL_NOT_FOUND, sent_at=clock.now) == 600
    assert cool(ledger, ErrorKind.RATE_LIMIT, sent_at=clock.now) == 600


def test_only_the_first_request_after_an_outage_is_a_probe() -> None:
    clock = ManualClock()
    ledger = Ledger(clock, lambda _: None)
    cool(ledger, ErrorKind.TIMEOUT, sent_at=clock.now)
    assert ledger.state(key(), "m").readiness is Readiness.COOLING
    clock.now += 31
    assert ledger.state(key(), "m").readiness is Readiness.READY
    probe = ledger.begin_probe(key(), "m")
    assert ledger.state(key(1), "m").readiness is Readiness.PROBING
    assert ledger.begin_probe(key(1), "m") == ()
    ledger.end_probe(())
    assert ledger.state(key(1), "m").readiness is Readiness.PROBING, "who joined does not end it"
    ledger.end_probe(probe)
    assert ledger.state(key(1), "m").readiness is Readiness.READY


def test_a_cooldown_that_is_over_for_a_day_is_forgotten_with_its_row() -> None:
    clock = ManualClock()
    written: list[Entry] = []
    ledger = Ledger(clock, written.append)
    cool(ledger, ErrorKind.UNAVAILABLE, sent_at=clock.now - 1)
    clock.now += 30 + 24 * 3600 - 1
    ledger.cooldowns.forget_old(clock.now)
    assert ledger.cooldowns
    clock.now += 2
    ledger.cooldowns.forget_old(clock.now)
    assert not ledger.cooldowns
    assert (written[-1].section, written[-1].value) == ("cooldown", None)
