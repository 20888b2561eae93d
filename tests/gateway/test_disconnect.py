"""A client that goes away takes its upstream request with it, and nothing further is tried."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from departure import MARGIN_S, PROMISED_S, leave, request
from fake_upstream import (
    HANG,
    SSE_HEAD,
    GatewayStage,
    Script,
    always,
    chunk,
    framed,
    key_of,
    post_of,
    provider,
    question,
    refusal,
    stream,
    until,
)


def assert_gone_soon(stage: GatewayStage, name: str, left_at: float) -> None:
    until(lambda: stage[name].posts[-1].gone_after_s is not None)
    assert time.monotonic() - left_at < PROMISED_S + MARGIN_S


def assert_nothing_followed(stage: GatewayStage) -> None:
    """The walk is over, and was one attempt long."""
    failed = until(lambda: stage.events("request_failed"))
    assert [event["code"] for event in failed] == ["client_gone"]
    assert len(stage.events("provider_attempt")) == len([post for name in stage.names for post in stage[name].posts])
    assert not stage.cooled()


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("script", [[HANG], [SSE_HEAD, HANG], [SSE_HEAD, framed(b": waiting\n\n"), HANG]])
def test_a_client_that_leaves_before_the_first_byte_cancels_the_upstream_request(
    tmp_path: Path, script: Script, streams: bool
) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(script)
        connection = stage.raw(request(streams=streams))
        until(lambda: stage["alpha"].posts)
        assert_gone_soon(stage, "alpha", leave(connection))
        assert_nothing_followed(stage)
        assert not stage["beta"].posts


@pytest.mark.parametrize("size", [300_000, 500_000, 700_000])
def test_a_client_that_leaves_after_a_large_body_is_missed_as_soon(tmp_path: Path, size: int) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([HANG])
        connection = stage.raw(post_of(json.dumps(question("auto", user="x" * size)).encode()))
        until(lambda: stage["alpha"].posts)
        assert_gone_soon(stage, "alpha", leave(connection))
        assert_nothing_followed(stage)


def test_a_client_that_leaves_in_the_middle_of_a_walk_ends_it(tmp_path: Path) -> None:
    gamma = provider("gamma", rank=200)
    with GatewayStage(tmp_path, provider("alpha"), provider("beta"), gamma) as stage:
        stage["alpha"].answer = always(refusal(400, "what is this"))
        stage["beta"].answer = always([HANG])
        connection = stage.raw(request(streams=True))
        until(lambda: stage["beta"].posts)
        assert_gone_soon(stage, "beta", leave(connection))
        assert_nothing_followed(stage)
        assert not stage["gamma"].posts


def test_a_client_that_leaves_mid_stream_cancels_the_upstream_request(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(chunk({"content": "Hel"}), HANG))
        connection = stage.raw(request(streams=True))
        while b"Hel" not in connection.recv(65536):
            pass
        assert_gone_soon(stage, "alpha", leave(connection))
        assert_nothing_followed(stage)
        assert not stage.events("request_mid_stream_error"), "the upstream did nothing wrong"


def test_a_client_that_leaves_while_it_hears_comments_cancels_the_upstream_request(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keep_alive_s=0.1) as stage:
        stage["alpha"].answer = always([HANG])
        connection = stage.raw(request(streams=True))
        while b": " not in connection.recv(65536).partition(b"\r\n\r\n")[2]:
            pass
        assert_gone_soon(stage, "alpha", leave(connection))
        assert_nothing_followed(stage)


def test_a_client_that_leaves_before_its_body_is_whole_reaches_nobody(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        connection = stage.raw(request(streams=False)[:-5])
        leave(connection)
        until(lambda: stage.events("request_failed"))
        assert not stage["alpha"].posts
        assert stage.ask().status_code == 200


def test_a_key_is_free_again_when_its_client_has_left(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always([HANG])
        connections = [stage.raw(request(streams=False)) for _ in range(2)]
        until(lambda: len(stage["alpha"].posts) == 2)
        for connection in connections:
            leave(connection)
        until(lambda: len(stage.events("request_failed")) == 2)
        stage["alpha"].answer = always(stream(chunk({"content": "Hi"}), chunk({}, "stop")))
        assert stage.ask(stream=True).status_code == 200
        assert stage["alpha"].posts[-1].key == key_of("alpha", 0)


def test_a_client_that_stops_reading_holds_the_upstream_up_and_not_the_memory(tmp_path: Path) -> None:
    big = chunk({"content": "x" * 60_000})
    sent: list[int] = []

    with GatewayStage(tmp_path) as stage:

        class Counted(list):  # type: ignore[type-arg]
            def __iter__(self):  # type: ignore[no-untyped-def]
                yield SSE_HEAD
                for number in range(2000):
                    sent.append(number)
                    yield framed(big)

        stage["alpha"].answer = always(Counted())
        connection = stage.raw(request(streams=True))
        connection.recv(100)
        seen = 0

        def is_held() -> bool:
            nonlocal seen
            before, seen = seen, len(sent)
            time.sleep(0.1)
            return before == seen > 0

        until(is_held, 20)
        assert len(sent) < 1000, "60 MB are not read for a client that takes nothing"
        leave(connection)
        until(lambda: stage.events("request_failed"))
