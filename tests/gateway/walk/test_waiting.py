"""Waiting: what a provider that does not answer costs a request, and the ones after it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import (
    EMBEDDER,
    HANG,
    MODEL,
    RESET,
    GatewayStage,
    ReceivedRequest,
    Script,
    Step,
    always,
    chunk,
    good,
    in_turn,
    provider,
    refusal,
    stream,
)
from freeride_core import ErrorKind, Failure, Model, Scope
from freeride_core.gateway.walk import reaction, time_share
from freeride_core.gateway.walk.reaction import cooldown_s, reaction_to
from freeride_core.gateway.walk.time_share import time_share_s
from freeride_core.ledger.slots import Slot

MODELS = (
    MODEL,
    *(Model(id=f"double/{name}", canonical=f"double/{name}", tier=1, context=100_000) for name in ("two", "three")),
)
PROVIDER = Slot("alpha", "*", "*")
WORD = chunk({"content": "Hel"})
COMMENTS: list[Step] = [b": still here\n\n", 0.05] * 600
SILENCES: dict[str, Script] = {"hang": [HANG], "reset": [RESET], "504": refusal(504), "408": refusal(408)}
SOON: dict[str, Any] = {"first_byte_timeout": 0.3, "answer_timeout": 0.3, "idle_timeout": 0.3}


def of_model(name: str) -> Slot:
    return Slot("alpha", "*", f"double/{name}")


def models_asked(stage: GatewayStage, name: str = "alpha") -> list[str]:
    return [str(seen.json["model"]).removeprefix("double/") for seen in stage[name].posts]


def forward(stage: GatewayStage, seconds: float) -> None:
    """Lets time pass for the gateway."""
    now = stage.thread.gateway.ledger.now
    stage.thread.gateway.ledger.now = stage.thread.gateway.now = lambda: now() + seconds


# Who is next


@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("silence", SILENCES)
def test_after_no_answer_another_provider_is_next_and_in_later_turns_too(
    tmp_path: Path, silence: str, streams: bool
) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), provider("beta"), **SOON) as stage:
        stage["alpha"].answer = always(SILENCES[silence])
        turns = [stage.ask(stream=streams) for _ in range(3)]
        assert [turn.headers["x-freeride-provider"] for turn in turns] == ["beta"] * 3
        assert [turn.headers["x-freeride-attempts"] for turn in turns] == ["2", "1", "1"]
        assert models_asked(stage) == ["one"]


@pytest.mark.parametrize("silence", SILENCES)
def test_a_provider_that_did_not_answer_is_asked_again_when_no_other_is_left(tmp_path: Path, silence: str) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return SILENCES[silence] if seen.json["model"] == "double/one" else good(seen)

    with GatewayStage(tmp_path, provider("alpha", models=MODELS), provider("beta"), **SOON) as stage:
        stage["alpha"].answer = answer
        stage["beta"].answer = always(refusal(500))
        served = stage.ask()
        assert (served.headers["x-freeride-provider"], served.headers["x-freeride-model"]) == ("alpha", "double/two")
        assert served.headers["x-freeride-attempts"] == "3"


def test_after_an_error_the_next_model_of_the_same_provider_is_next(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), provider("beta")) as stage:
        stage["alpha"].answer = in_turn(refusal(500))
        assert stage.ask().headers["x-freeride-model"] == "double/two"
        assert models_asked(stage) == ["one", "two"]


def test_a_stream_that_breaks_sends_the_next_request_to_another_provider(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), provider("beta")) as stage:
        stage["alpha"].answer = in_turn([*stream(WORD, ends=False), RESET])
        assert b'"error"' in stage.ask(stream=True).content
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"
        assert models_asked(stage) == ["one"]


def test_a_provider_is_put_last_only_until_its_rest_is_over_or_it_serves(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), provider("beta")) as stage:
        stage["alpha"].answer = in_turn(refusal(504))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert stage.ask(headers={"X-FreeRide-Force-Provider": "alpha"}).headers["x-freeride-model"] == "double/two"
        assert stage.ask().headers["x-freeride-provider"] == "alpha", "it has served"
        stage["alpha"].answer = in_turn(refusal(504))
        forward(stage, 31)
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        forward(stage, 61)
        assert stage.ask().headers["x-freeride-provider"] == "alpha", "its rest is over"


# How long it rests


def rest_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts that a test can wait for lead to rests that it can tell from others."""
    usual = reaction.TABLE[ErrorKind.TIMEOUT]
    monkeypatch.setitem(reaction.TABLE, ErrorKind.TIMEOUT, replace(usual, rest_times=1000))


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port at which a handshake hangs: the queue of its listener is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


@pytest.mark.parametrize(
    ("script", "streams", "is_silence"),
    [
        ([HANG], True, True),
        ([HANG], False, True),
        (stream(chunk({"role": "assistant"}), HANG), True, True),
        (stream(*COMMENTS), True, True),
        (stream(WORD, HANG), True, True),
        ([RESET], True, False),
        ([RESET], False, False),
        (stream(WORD, b"data: ", RESET), True, False),
    ],
    ids=["hang", "hang, whole", "role", "comments", "midway", "reset", "reset, whole", "reset midway"],
)
def test_a_rest_is_longer_than_the_timeout_that_led_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script, streams: bool, is_silence: bool
) -> None:
    rest_long(monkeypatch)
    with GatewayStage(tmp_path, **SOON) as stage:
        stage["alpha"].answer = always(script)
        stage.ask(stream=streams)
        [(slot, (kind, rest_s))] = stage.cooled().items()
        assert slot == of_model("one")
        assert kind == ("timeout" if is_silence else "network")
        assert (rest_s >= 295) == is_silence


def test_a_provider_without_a_connection_rests_longer_than_the_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_port: int
) -> None:
    rest_long(monkeypatch)
    urls = {"alpha": f"http://127.0.0.1:{full_port}/v1"}
    with GatewayStage(tmp_path, urls=urls, connect_timeout=0.3) as stage:
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        kind, rest_s = stage.cooled()[PROVIDER]
        assert kind == "timeout"
        assert rest_s >= 295


@pytest.mark.parametrize(
    ("kind", "strikes", "waited_s", "rest_s"),
    [
        (ErrorKind.TIMEOUT, 1, 30, 120),
        (ErrorKind.TIMEOUT, 1, 2, 30),
        (ErrorKind.TIMEOUT, 4, 30, 240),
        (ErrorKind.TIMEOUT, 9, 300, 1200),
        (ErrorKind.TIMEOUT, 1, 86_400, 86_400),
        (ErrorKind.NETWORK, 1, 200, 30),
        (ErrorKind.NETWORK, 9, 200, 600),
        (ErrorKind.UNAVAILABLE, 1, 200, 30),
    ],
)
def test_a_rest_is_at_least_four_times_the_timeout(
    kind: ErrorKind, strikes: int, waited_s: float, rest_s: float
) -> None:
    failure = Failure(kind=kind)
    assert cooldown_s(failure, reaction_to(failure), Scope.MODEL, strikes, 0.0, waited_s) == rest_s


def test_an_upstreams_own_word_on_its_rest_counts() -> None:
    failure = Failure(kind=ErrorKind.TIMEOUT, retry_at=7.0)
    assert cooldown_s(failure, reaction_to(failure), Scope.MODEL, 1, 0.0, 30.0) == 7


# When the whole provider rests


@pytest.mark.parametrize("silence", ["hang", "reset"])
def test_a_provider_rests_after_two_of_its_models_in_one_request(tmp_path: Path, silence: str) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), **SOON) as stage:
        stage["alpha"].answer = always(SILENCES[silence])
        assert stage.ask().status_code == 503
        assert models_asked(stage) == ["one", "two"]
        assert set(stage.cooled()) == {of_model("one"), of_model("two"), PROVIDER}


def test_a_provider_rests_after_two_of_its_models_however_long_the_request_takes(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        if seen.json["model"] == "double/two":
            forward(stage, 400)
        return [RESET]

    with GatewayStage(tmp_path, provider("alpha", models=MODELS)) as stage:
        stage["alpha"].answer = answer
        assert stage.ask().status_code == 503
        assert PROVIDER in stage.cooled()
        assert models_asked(stage) == ["one", "two"]


@pytest.mark.parametrize(
    ("apart_s", "first", "second", "rests"),
    [
        (120, [RESET], [RESET], True),
        (290, [RESET], [RESET], True),
        (301, [RESET], [RESET], False),
        (1, [RESET], refusal(500), False),
        (1, refusal(500), [RESET], False),
    ],
)
def test_a_provider_rests_after_two_of_its_models_within_five_minutes(
    tmp_path: Path, apart_s: float, first: Script, second: Script, rests: bool
) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS)) as stage:
        stage["alpha"].answer = in_turn(first, second)
        stage.ask("double/one")
        forward(stage, apart_s)
        stage.ask("double/two")
        assert (PROVIDER in stage.cooled()) == rests


def test_a_model_that_served_again_does_not_count_against_its_provider(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS)) as stage:
        stage["alpha"].answer = in_turn(refusal(504))
        assert stage.ask("double/one").status_code == 503
        forward(stage, 31)
        assert stage.ask("double/one").status_code == 200
        stage["alpha"].answer = in_turn(refusal(504))
        stage.ask("double/two")
        assert set(stage.cooled()) == {of_model("two")}


# A request's time, divided


@pytest.mark.parametrize(
    ("left_s", "is_stream", "is_last", "share_s"),
    [
        (300, True, False, 150),
        (100, True, False, 50),
        (15, True, False, 10),
        (300, True, True, 300),
        (3, True, True, 10),
        (300, False, False, 240),
        (150, False, False, 120),
        (300, False, True, 300),
        (60, False, True, 120),
    ],
)
def test_a_share_leaves_time_for_others_and_is_never_too_short_to_answer(
    left_s: float, is_stream: bool, is_last: bool, share_s: float
) -> None:
    assert time_share_s(left_s, is_stream=is_stream, is_last=is_last) == share_s


@pytest.mark.parametrize(
    ("script", "asks", "patience_s"),
    [
        ([HANG], "stream", None),
        ([HANG], "stream", 180.0),
        (stream(*COMMENTS), "stream", 180.0),
        ([HANG], "whole", None),
        ([HANG], "embeddings", None),
    ],
    ids=["stream", "of a patient package", "kept warm", "whole", "embeddings"],
)
def test_no_provider_uses_up_a_requests_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script, asks: str, patience_s: float | None
) -> None:
    monkeypatch.setattr(time_share, "_LEAST_WHOLE_S", 0.5)
    monkeypatch.setattr(time_share, "_LEAST_STREAM_S", 0.5)
    alpha, beta = (provider(name, models=(MODEL, EMBEDDER), embeds=True) for name in ("alpha", "beta"))
    if patience_s is not None:
        alpha.first_byte_timeout = patience_s
    with GatewayStage(tmp_path, alpha, beta, total_timeout=5, hedge=0) as stage:
        stage["alpha"].answer = always(script)
        began = time.monotonic()
        answer = stage.embed(EMBEDDER.id) if asks == "embeddings" else stage.ask(stream=asks == "stream")
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-attempts"] == "2"
        assert time.monotonic() - began < 15


def test_the_last_provider_gets_all_that_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_share, "_LEAST_STREAM_S", 0.1)
    with GatewayStage(tmp_path, provider("alpha"), total_timeout=15) as stage:
        stage["alpha"].answer = lambda seen: [1.0, *good(seen)]
        monkeypatch.setattr(time_share, "_KEPT_FOR_OTHERS_S", 14.9)
        monkeypatch.setattr(time_share, "_LEAST_WHOLE_S", 0.1)
        for streams in (True, False):
            assert stage.ask(stream=streams).headers["x-freeride-attempts"] == "1"
