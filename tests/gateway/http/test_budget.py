"""One budget of bytes for all bodies that are held, of clients and upstreams together; and what is said where it is used up."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from clock import ManualClock
from fake_upstream import (
    HANG,
    SSE_HEAD,
    GatewayStage,
    Script,
    always,
    chunk,
    completion,
    framed,
    good,
    post_of,
    provider,
    question,
    reply,
    until,
)
from freeride_core.gateway.http import budget as budgets
from freeride_core.gateway.http import listener
from freeride_core.gateway.http.budget import PATIENCE_S, Budget, NoRoom
from freeride_core.gateway.http.notice import Notice

LIMIT = 1_000_000
UNCOUNTED = 256 * 1024
"""Bytes of a body that is still coming which may not be counted yet."""
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class BudgetHolder:
    """Holds what it has taken until it gives way."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0
        self.has_given_way = False

    def take(self, size: int) -> None:
        self._budget.take(size)
        self.held += size

    def give_way(self) -> None:
        self.has_given_way = True


# The budget itself


def test_what_is_held_is_counted_and_what_is_given_back_is_free() -> None:
    budget = Budget(100, print)
    budget.take(60)
    budget.take(40)
    with pytest.raises(NoRoom):
        budget.take(1)
    budget.give_back(60)
    budget.take(60)
    assert budget.held == 100


def test_whoever_waits_for_its_client_longest_gives_way_to_others_after_a_while() -> None:
    clock = ManualClock(0.0)
    budget = Budget(100, lambda line: None, clock)
    first, second, third = (BudgetHolder(budget) for _ in range(3))
    for client in (first, second, third):
        budget.begin_wait(client)
        client.take(30)
        clock.now += 1
    clock.now = PATIENCE_S - 1
    with pytest.raises(NoRoom):
        budget.take(20)
    assert not first.has_given_way
    clock.now = PATIENCE_S + 1
    budget.take(20)
    assert (first.has_given_way, second.has_given_way, budget.held) == (True, False, 80)
    budget.take(50)
    assert (second.has_given_way, third.has_given_way, budget.held) == (True, False, 100)
    budget.give_back(first.held)
    assert budget.held == 100, "what it held was counted as free before"


def test_whoever_waits_no_more_does_not_give_way() -> None:
    clock = ManualClock(0.0)
    budget = Budget(100, lambda line: None, clock)
    client = BudgetHolder(budget)
    budget.begin_wait(client)
    client.take(60)
    budget.end_wait(client)
    clock.now = 10 * PATIENCE_S
    with pytest.raises(NoRoom):
        budget.take(60)
    assert not client.has_given_way


def test_that_the_budget_is_used_up_is_told_once_each_time_it_is() -> None:
    clock = ManualClock(0.0)
    lines: list[str] = []
    budget = Budget(100, lines.append, clock)

    def fill() -> None:
        for _ in range(20):
            with contextlib.suppress(NoRoom):
                budget.take(10)

    for at in (0.0, 10.0, 70.0):
        clock.now = at
        fill()
        budget.give_back(30)
        fill()
        budget.give_back(100)
    (line, again) = lines
    assert line == again
    assert "FREERIDE_MAX_BUFFERED" in line


def test_a_notice_is_given_again_once_what_it_is_about_has_ended_a_while_ago() -> None:
    clock = ManualClock(0.0)
    lines: list[str] = []
    notice = Notice(lines.append, clock)
    for at, is_over in ((0.0, False), (100.0, True), (101.0, True), (130.0, True), (162.0, False)):
        clock.now = at
        notice.give(str(at))
        if is_over:
            notice.end()
    assert lines == ["0.0", "101.0", "162.0"]


# Clients


def error_of(said: bytes) -> dict[str, object]:
    error: dict[str, object] = json.loads(said.partition(b"\r\n\r\n")[2])["error"]
    return error


def held_by(stage: GatewayStage) -> int:
    return stage.thread.gateway.budget.held


@pytest.fixture
def uploads(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A gateway that is full of requests that do not come to their end."""
    with GatewayStage(tmp_path, max_buffered=LIMIT, max_body=LIMIT) as stage, contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(stage.raw(HEAD + b"Content-Length: 900000\r\n\r\n" + b" " * 330_000)) for _ in range(3)
        ]
        until(lambda: held_by(stage) > 3 * UNCOUNTED)
        yield stage, connections


def test_beyond_the_budget_a_request_is_answered_with_503_and_when_to_come_back(
    uploads: tuple[GatewayStage, list[socket.socket]], capfd: pytest.CaptureFixture[str]
) -> None:
    stage, connections = uploads
    for _ in range(3):
        answer = stage.ask(user="x" * 300_000)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("gateway_busy", "gateway_busy")
        assert "x-should-retry" not in answer.headers
    assert stage.ask().status_code == 200, "there is room for small ones"
    for connection in connections[:2]:
        connection.close()
    until(lambda: held_by(stage) < 400_000)
    assert stage.ask(user="x" * 300_000).status_code == 200
    assert capfd.readouterr().err.count("FREERIDE_MAX_BUFFERED") == 1


def test_a_request_that_comes_too_slowly_gives_way_to_others(
    uploads: tuple[GatewayStage, list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, connections = uploads
    monkeypatch.setattr(budgets, "PATIENCE_S", 0.0)
    assert stage.ask(user="x" * 300_000).status_code == 200
    said = [connection.recv(65536) for connection in connections[:1]]
    assert said[0].startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in said[0]
    monkeypatch.setattr(budgets, "PATIENCE_S", 30.0)
    before = held_by(stage)
    connections[1].sendall(b" " * 300_000)
    until(lambda: held_by(stage) > before)


def test_an_encoded_request_counts_as_what_comes_out_of_it(tmp_path: Path) -> None:
    body = gzip.compress(json.dumps(question(user="x" * 2 * LIMIT)).encode())
    with GatewayStage(tmp_path, max_buffered=LIMIT) as stage:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = httpx.post(
            f"{stage.url}/v1/chat/completions", content=body, headers=headers, trust_env=False, verify=False
        )
        assert answer.status_code == 503
        until(lambda: held_by(stage) == 0)


@pytest.mark.parametrize("size", [1000, 100_000, 300_000])
def test_a_large_request_counts_until_it_is_answered(tmp_path: Path, size: int) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always([HANG])
        body = json.dumps(question(user="x" * size)).encode()
        with stage.raw(post_of(body)):
            until(lambda: stage["alpha"].posts)
            assert held_by(stage) == (len(body) if size > 1000 else 0)
        until(lambda: held_by(stage) == 0)


# Upstreams

LARGE = json.dumps(completion("x" * 700_000)).encode()


def half_of(body: bytes) -> Script:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (2 * len(body))
    return [head + body, HANG]


def test_answers_count_as_well_and_no_upstream_is_blamed_for_a_lack_of_room(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, max_buffered=LIMIT) as stage:
        stage["alpha"].answer = always(half_of(LARGE))
        with stage.raw(post_of(json.dumps(question()).encode())):
            until(lambda: held_by(stage) > 400_000)
            stage["alpha"].answer = always(reply(200, LARGE))
            answer = stage.ask()
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_busy")
            assert not stage.cooled()
            assert not stage["beta"].posts, "nobody else's answer would fit either"
        until(lambda: held_by(stage) == 0)
        stage["alpha"].answer = always(reply(200, LARGE))
        assert stage.ask().status_code == 200
        until(lambda: held_by(stage) == 0)


def test_a_large_error_without_room_is_what_its_status_says(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, max_buffered=LIMIT) as stage:
        stage["alpha"].answer = always(half_of(LARGE))
        with stage.raw(post_of(json.dumps(question()).encode())):
            until(lambda: held_by(stage) > 400_000)
            stage["alpha"].answer = always(reply(429, b" " * 600_000))
            assert stage.ask().headers["x-freeride-provider"] == "beta"
            assert [kind for kind, _ in stage.cooled().values()] == ["rate_limit"]


def test_a_stream_is_held_by_nobody(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, max_buffered=LIMIT) as stage:
        said = [framed(chunk({"content": "x" * 50_000})) for _ in range(100)]
        stage["alpha"].answer = always([SSE_HEAD, *said, framed(chunk({}, "stop")), b"0\r\n\r\n"])
        assert stage.ask(stream=True).content.count(b"x" * 50_000) == 100


# Clients that do not read what they have asked for

HUGE = json.dumps(completion("x" * 20_000_000)).encode()
"""More than the sockets hold between them."""


def is_seen_off(stage: GatewayStage) -> bool:
    """The upstream's side is done with it, and the client has not taken it."""
    (member,) = stage.thread.gateway.enabled.members
    return bool(held_by(stage)) and stage.thread.gateway.ledger.traffic.on(member.keys[0]).in_flight == 0


def test_an_answer_counts_until_its_client_has_taken_it(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(reply(200, HUGE))
        with stage.raw(post_of(json.dumps(question()).encode(), Connection="close")) as connection:
            until(lambda: is_seen_off(stage))
            assert held_by(stage) > len(HUGE)
            taken = 0
            while data := connection.recv(1 << 20):
                taken += len(data)
        assert taken > len(HUGE)
        until(lambda: held_by(stage) == 0)


def test_a_client_that_does_not_take_its_answer_gives_way_and_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "PATIENCE_S", 0.0)
    with GatewayStage(tmp_path, provider("alpha"), max_buffered=30_000_000) as stage:
        stage["alpha"].answer = always(reply(200, HUGE))
        with stage.raw(post_of(json.dumps(question()).encode())):
            until(lambda: is_seen_off(stage))
            assert stage.ask().status_code == 200
            until(lambda: held_by(stage) == 0)


@pytest.mark.parametrize("more", [{}, {"Connection": "close"}], ids=["kept", "to be closed"])
@pytest.mark.parametrize("streams", [False, True])
def test_a_client_that_takes_nothing_for_minutes_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streams: bool, more: dict[str, str]
) -> None:
    monkeypatch.setattr(listener, "_UNREAD_S", 0.3)
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        said = [framed(chunk({"content": "x" * 50_000})) for _ in range(400)]
        streamed: Script = [SSE_HEAD, *said, framed(chunk({}, "stop")), b"0\r\n\r\n"]
        stage["alpha"].answer = always(streamed if streams else reply(200, HUGE))
        assert stage.thread._server is not None
        connections = stage.thread._server.server_state.connections
        with stage.raw(post_of(json.dumps(question(stream=streams)).encode(), **more)):
            until(lambda: connections)
            until(lambda: not connections)
        until(lambda: held_by(stage) == 0)
        stage["alpha"].answer = good
        assert stage.ask().status_code == 200


def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_UNREAD_S", 0.3)
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(reply(200, HUGE))
        with stage.raw(post_of(json.dumps(question()).encode(), Connection="close")) as connection:
            taken, begun = 0, time.monotonic()
            while data := connection.recv(400_000):
                taken += len(data)
                time.sleep(0.01)  # what is tested is that it takes its time
        assert taken > len(HUGE)
        assert time.monotonic() - begun > 0.5
