"""Nonsense is learned from: what answers with pages, with nothing or with refusals is soon asked no more for a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_upstream import (
    DONE,
    GatewayStage,
    Script,
    always,
    chunk,
    completion,
    in_turn,
    provider,
    refusal,
    reply,
    stream,
)
from freeride_core import Model

ROLE = chunk({"role": "assistant", "content": ""})
PAGE = b"<!doctype html><html><body>Sign in</body></html>"
TWO = tuple(Model(id=f"double/{name}", canonical=f"double/{name}", tier=1) for name in ("one", "two"))
LATER = (Model(id="other/one", canonical="other/one", tier=2),)
WHOLE: dict[str, Script] = {
    "a page": reply(200, PAGE, content_type="text/html"),
    "a page called JSON": reply(200, PAGE),
    "half of a JSON text": reply(200, b'{"choices":[{"mess'),
    "a list": reply(200, []),
    "no choices": reply(200, {"object": "chat.completion"}),
    "an empty answer": reply(200, completion("", usage={})),
    "nothing": reply(200, b""),
}
STREAMS: dict[str, Script] = {
    "a page": reply(200, PAGE, content_type="text/html"),
    "a page called a stream": stream(PAGE),
    "an end without a word": stream(ROLE),
    "an empty answer": stream(ROLE, chunk({}, "stop"), DONE),
    "what is no JSON": stream(b"data: <html>\n\n"),
    "nothing": stream(),
}
CASES = [
    *((name, False, script) for name, script in WHOLE.items()),
    *((name, True, script) for name, script in STREAMS.items()),
]


def stage_of(home: Path) -> GatewayStage:
    return GatewayStage(home, provider("alpha", models=TWO), provider("beta", models=LATER))


@pytest.mark.parametrize(
    ("name", "is_stream", "script"), CASES, ids=[f"{name}-{is_stream}" for name, is_stream, _ in CASES]
)
def test_the_third_in_a_row_cools_a_model(tmp_path: Path, name: str, *, is_stream: bool, script: Script) -> None:
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(script)
        asked = []
        for _ in range(8):
            assert stage.ask(stream=is_stream).headers["x-freeride-provider"] == "beta"
            asked.append(len(stage["alpha"].posts))
        assert asked == [1, 2, 3, 4, 5, 6, 6, 6], name
        cooled = stage.cooled()
        assert {kind for kind, _ in cooled.values()} == {"protocol"}
        assert all(20 < wait_s <= 30 for _, wait_s in cooled.values()), cooled


@pytest.mark.parametrize(
    ("name", "is_stream", "script"), CASES, ids=[f"{name}-{is_stream}" for name, is_stream, _ in CASES]
)
def test_another_provider_is_next_after_nonsense(tmp_path: Path, name: str, *, is_stream: bool, script: Script) -> None:
    models = tuple(Model(id=f"double/{number}", canonical=f"double/{number}", tier=1) for number in range(4))
    with GatewayStage(tmp_path, provider("alpha", models=models), provider("beta", models=LATER)) as stage:
        stage["alpha"].answer = always(script)
        assert stage.ask(stream=is_stream).headers["x-freeride-provider"] == "beta", name
        assert len(stage["alpha"].posts) == 1
        stage["beta"].answer = always(refusal(429))
        alone = stage.ask(stream=is_stream)
        assert len(stage["alpha"].posts) > 3, "its other models are asked when no other provider is left"
        assert alone.headers["x-freeride-provider"] == "alpha"


def test_a_good_answer_between_them_begins_anew(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), provider("beta", models=LATER)) as stage:
        page = WHOLE["a page"]
        stage["alpha"].answer = in_turn(page, page, reply(200, completion()), page, page)
        for _ in range(6):
            assert stage.ask().status_code == 200
        assert len(stage["alpha"].posts) == 6
        assert not stage.cooled()


def test_answers_that_are_more_than_a_minute_apart_are_not_in_a_row(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), provider("beta", models=LATER)) as stage:
        stage["alpha"].answer = always(WHOLE["a page"])
        gateway, start = stage.thread.gateway, stage.thread.gateway.now()
        moments = [start]
        gateway.now = gateway.ledger.now = lambda: moments[-1]
        for number in range(5):
            moments.append(start + number * 31)
            assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert len(stage["alpha"].posts) == 5


def test_what_is_cooled_for_nonsense_is_tried_when_nothing_else_is_left(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = in_turn(*[WHOLE["a page"]] * 3)
        assert [stage.ask().status_code for _ in range(3)] == [503, 503, 503]
        assert stage.cooled()
        assert stage.ask().status_code == 200
        assert not stage.cooled()


def test_a_provider_that_refuses_whatever_comes_is_put_last(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(400, "property 'x' is unsupported"))
        asked = []
        for _ in range(5):
            assert stage.ask().headers["x-freeride-provider"] == "beta"
            asked.append(len(stage["alpha"].posts))
        assert asked == [2, 4, 5, 5, 5], "from the third refusal on, within that request too"
        assert not stage.cooled(), "it is asked where no other is left"
        stage["beta"].answer = always(refusal(429))
        stage["alpha"].answer = in_turn()
        assert stage.ask().headers["x-freeride-provider"] == "alpha"


def test_one_clients_own_faults_put_nobody_last(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(400, "temperature must be <= 2"))
        for _ in range(4):
            assert stage.ask().status_code == 400
        stage["alpha"].answer = in_turn()
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
