"""The end: nothing new is taken, what is under way gets its time, and nobody is left in silence."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fake_upstream import (
    HANG,
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    GatewayStage,
    always,
    chunk,
    events_of,
    key_of,
    refusal,
    stream,
    text_of,
    until,
)

BEGUN = chunk({"content": "Hel"})


@pytest.fixture
def alpha() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def bench(tmp_path: Path, alpha: FakeUpstream) -> GatewayBench:
    bench = GatewayBench(tmp_path / "home")
    bench.add("alpha", alpha, key_of("alpha"))
    return bench


def is_closed(process: GatewayProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(process.url.rpartition(":")[2])), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def read_events(bench: GatewayBench) -> str:
    return (bench.home / "events.jsonl").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_under_way_ends_in_an_error_event_after_the_grace(
    bench: GatewayBench, alpha: FakeUpstream, number: signal.Signals
) -> None:
    alpha.answer = always(stream(BEGUN, HANG))
    with GatewayProcess(bench, grace_s=0.4) as process:
        with process.opened() as answer:
            coming = answer.iter_raw()
            received = next(coming)
            process.send(number)
            received += b"".join(coming)
        assert received.startswith(BEGUN)
        (event,) = events_of(received[len(BEGUN) :])
        assert event["error"]["code"] == "gateway_stopping"
        assert b"[DONE]" not in received
        assert process.wait() == 0
        assert "Traceback" not in process.stderr
        assert "Exception" not in process.stderr
        assert '"gateway_stopping"' in read_events(bench), "the last event is written too"
        assert until(lambda: alpha.posts[0].gone_after_s)


def test_a_request_that_has_no_answer_yet_is_told_that_the_gateway_stops(
    bench: GatewayBench, alpha: FakeUpstream
) -> None:
    alpha.answer = always([HANG])
    with GatewayProcess(bench, grace_s=0.3) as process, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(process.ask)
        until(lambda: alpha.posts)
        process.send(signal.SIGTERM)
        answer = waiting.result(10)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "gateway_stopping"
        assert int(answer.headers["retry-after"]) >= 1
        assert process.wait() == 0


def test_what_ends_within_the_grace_ends_well_and_nothing_new_is_taken(
    bench: GatewayBench, alpha: FakeUpstream
) -> None:
    may_end = threading.Event()

    def answer(_: object) -> Iterator[bytes | float | str]:
        head, *begun = stream(BEGUN, ends=False)
        yield from (head, *begun)
        while not may_end.is_set():
            yield 0.01
        yield from stream(chunk({"content": "lo"}), chunk({}, "stop"))[1:]

    alpha.answer = answer
    with GatewayProcess(bench, grace_s=20) as process:
        with process.opened() as coming:
            data = coming.iter_raw()
            received = next(data)
            process.send(signal.SIGTERM)
            until(lambda: is_closed(process))
            assert not process.has_ended
            may_end.set()
            received += b"".join(data)
        assert text_of(received) == "Hello"
        assert events_of(received)[-1] == "[DONE]"
        assert process.wait() == 0
        assert '"request_complete"' in read_events(bench)


def test_what_still_comes_on_a_kept_connection_is_told_that_the_gateway_stops(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        assert stage.ask().status_code == 200
        stage.thread.gateway.is_stopping = True
        for answer in (stage.ask(), stage.get("/health")):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "gateway_stopping"
            assert answer.headers["x-freeride-request-id"].startswith("req_")
        assert len(stage["alpha"].posts) == 1


def test_a_second_interrupt_does_not_wait(bench: GatewayBench, alpha: FakeUpstream) -> None:
    alpha.answer = always(stream(BEGUN, HANG))
    with GatewayProcess(bench, grace_s=60) as process:
        with process.opened() as answer:
            coming = answer.iter_raw()
            received = next(coming)
            process.send(signal.SIGINT)
            until(lambda: is_closed(process))
            assert not process.has_ended
            process.send(signal.SIGINT)
            received += b"".join(coming)
        assert b"gateway_stopping" in received
        assert process.wait() == 0
        assert "Traceback" not in process.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_ends_at_once_and_has_written_everything(
    bench: GatewayBench, alpha: FakeUpstream, number: signal.Signals
) -> None:
    alpha.answer = always(refusal(429, headers={"Retry-After": "900"}))
    with GatewayProcess(bench, grace_s=60) as process:
        assert process.ask().status_code == 503
        process.send(number)
        assert process.wait() == 0
        assert "Traceback" not in process.stderr
        assert '"request_failed"' in read_events(bench)
    alpha.answer = always(refusal(500))
    with GatewayProcess(bench) as process:
        assert process.ask().json()["error"]["tried"][0]["keys_tried"] == 0, "the cooldown is in the state"
