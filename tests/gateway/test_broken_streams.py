"""Streams that break: worded so that agents try again, and tried again elsewhere first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import (
    DONE,
    HANG,
    RESET,
    GatewayStage,
    Script,
    always,
    chunk,
    events_of,
    good,
    in_turn,
    key_of,
    provider,
    refusal,
    stream,
)
from freeride_core import Model

ROLE = chunk({"role": "assistant", "content": ""})
WORD = chunk({"content": "Hel"})
THOUGHT = chunk({"reasoning": "Hm"})
CALL = chunk(
    {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a'}}]}
)
LENGTH = chunk({}, "length")


def failing(message: str, **more: Any) -> bytes:
    return b"data: " + json.dumps({"error": {"message": message, **more}}).encode() + b"\n\n"


NETWORK = {
    "a reset": [*stream(ROLE, WORD, ends=False), RESET],
    "a reset in reasoning": [*stream(ROLE, THOUGHT, ends=False), RESET],
    "a reset in a tool call": [*stream(ROLE, CALL, ends=False), RESET],
    "half an event": [*stream(ROLE, WORD, WORD[:20], ends=False), RESET],
    "an end without a finish": stream(ROLE, WORD),
    "silence": stream(ROLE, WORD, HANG),
    "silence after a comment": stream(ROLE, WORD, b": wait\n\n", HANG),
}
REPORTED = {
    "overloaded": (
        failing("Overloaded, try later", code=503),
        "Server error: alpha ended in the middle of the answer: Overloaded, try later.",
    ),
    "an event of errors": (
        b"event: error\n" + failing("Boom.", code=500),
        "Server error: alpha ended in the middle of the answer: Boom.",
    ),
    "a rate limit": (
        failing("Too many tokens", code=429),
        "Server error: alpha ended in the middle of the answer: Too many tokens.",
    ),
    "no words": (
        failing("", code=502),
        "Server error: alpha ended in the middle of the answer: it reported unavailable.",
    ),
    "what a filter says": (
        failing("Flagged.", code="content_filter", status=400, type="invalid_request_error"),
        "alpha ended in the middle of the answer: Flagged.",
    ),
    "controls": (
        failing("Bo\x1b[31mom\u202e", code=500),
        "Server error: alpha ended in the middle of the answer: Bo[31mom.",
    ),
}


@pytest.mark.parametrize("name", NETWORK)
def test_a_break_is_worded_as_a_network_error(tmp_path: Path, name: str) -> None:
    with GatewayStage(tmp_path, idle_timeout=0.2) as stage:
        stage["alpha"].answer = always(NETWORK[name])
        answer = stage.ask(stream=True)
        error = events_of(answer.content)[-1]["error"]
        assert error["type"] == "server_error"
        assert re.match("Network error: alpha broke off", error["message"])
        assert error["code"] in {"network", "timeout"}
        assert not answer.content.endswith(DONE)
        assert answer.headers["x-request-id"] == answer.headers["x-freeride-request-id"] == error["request_id"]


@pytest.mark.parametrize("name", REPORTED)
def test_an_error_that_is_reported_keeps_the_upstreams_words(tmp_path: Path, name: str) -> None:
    event, message = REPORTED[name]
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(ROLE, WORD, event))
        error = events_of(stage.ask(stream=True).content)[-1]["error"]
        assert (error["type"], error["message"]) == ("server_error", f"{message} What came is incomplete.")


def test_a_reported_error_echoes_neither_key_nor_prompt(tmp_path: Path) -> None:
    prompt = "the launch codes are hidden under the seventh stone"
    with GatewayStage(tmp_path) as stage:
        said = failing(f"cannot serve {prompt} for {key_of('alpha')}", code=500)
        stage["alpha"].answer = always(stream(ROLE, WORD, said))
        body = stage.ask(stream=True, messages=[{"role": "user", "content": prompt}]).content
        assert b"cannot serve" in body
        assert prompt.encode() not in body
        assert key_of("alpha").encode() not in body


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/nothing", "/v1/chat/completions"])
def test_every_answer_has_a_request_id(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path) as stage:
        answer = stage.get(path)
        assert answer.headers["x-request-id"] == answer.headers["x-freeride-request-id"]


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_upstreams_request_id_is_kept_and_stands_once(tmp_path: Path, *, is_stream: bool) -> None:
    def answer(seen: Any) -> Script:
        head, *rest = good(seen)
        assert isinstance(head, bytes)
        return [head.replace(b"\r\n", b"\r\nX-Request-Id: up-1\r\n", 1), *rest]

    with GatewayStage(tmp_path) as stage:
        assert len(stage.ask(stream=is_stream).headers.get_list("x-request-id")) == 1
        stage["alpha"].answer = answer
        assert stage.ask(stream=is_stream).headers.get_list("x-request-id") == ["up-1"]
        stage["alpha"].answer = stage["beta"].answer = always(refusal(500))
        assert len(stage.ask(stream=is_stream).headers.get_list("x-request-id")) == 1


LATER = (Model(id="other/one", canonical="other/one", tier=2),)
TWO = (Model(id="double/one", canonical="double/one", tier=1), Model(id="double/two", canonical="double/two", tier=1))


@pytest.mark.parametrize("broken", [*NETWORK.values(), *(stream(ROLE, WORD, event) for event, _ in REPORTED.values())])
def test_the_next_try_goes_to_another_provider_first(tmp_path: Path, broken: Script) -> None:
    with GatewayStage(
        tmp_path, provider("alpha", models=TWO), provider("beta", models=LATER), idle_timeout=0.2
    ) as stage:
        stage["alpha"].answer = always(broken)
        assert b'"error"' in stage.ask(stream=True).content
        for is_stream in (True, False):
            answer = stage.ask(stream=is_stream)
            assert (answer.headers["x-freeride-provider"], answer.headers["x-freeride-attempts"]) == ("beta", "1")
        assert len(stage["alpha"].posts) == 1


def test_a_provider_that_broke_off_is_asked_when_no_other_answers(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=TWO), provider("beta", models=LATER)) as stage:
        stage["alpha"].answer = in_turn(NETWORK["a reset"])
        assert b'"error"' in stage.ask(stream=True).content
        stage["beta"].answer = always(refusal(429))
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "alpha"


def test_a_provider_that_broke_off_has_its_place_again_after_a_minute(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = in_turn(NETWORK["a reset"])
        assert b'"error"' in stage.ask(stream=True).content
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        gateway = stage.thread.gateway
        later = gateway.now() + 61
        gateway.now = gateway.ledger.now = lambda: later
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
