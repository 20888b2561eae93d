"""The hedge: a second provider is asked beside one that stays silent, and whichever says something first serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import (
    EMBEDDER,
    HANG,
    MODEL,
    SSE_HEAD,
    TEXT,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    chunk,
    good,
    good_stream,
    in_turn,
    provider,
    refusal,
    stream,
    text_of,
    until,
)
from freeride_core import Model, Operation, Provider
from freeride_core.gateway.walk import hedge
from freeride_core.gateway.walk.hedge import Hedge, silence_s
from freeride_core.ledger.slots import Slot

TWO = Model(id="double/two", canonical="double/two", tier=1, context=100_000, tools=True)
ROLE = chunk({"role": "assistant", "content": ""})
COMMENTS: Script = [b": still here\n\n", 0.05] * 600
"""Half a minute of them."""
ROLES: Script = [ROLE, 0.05] * 600
SOON_S = 0.3
WITHIN_S = 30.0
STREAMS = pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])


@pytest.fixture
def hedges_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedge, "_SHORTEST_S", SOON_S)
    monkeypatch.setattr(hedge, "_LONGEST_S", SOON_S)
    monkeypatch.setattr(hedge, "_WHOLE_S", SOON_S)


def after(seconds: float) -> Callable[[ReceivedRequest], Script]:
    """A good answer after so many seconds of silence."""
    return lambda seen: [seconds, *good(seen)]


def forward(stage: GatewayStage, seconds: float) -> None:
    """Lets time pass for the gateway."""
    now = stage.thread.gateway.ledger.now
    stage.thread.gateway.ledger.now = stage.thread.gateway.now = lambda: now() + seconds


def asked(stage: GatewayStage) -> dict[str, int]:
    return {name: len(stage[name].posts) for name in stage.names}


def cooled(stage: GatewayStage) -> dict[Slot, str]:
    return {slot: kind for slot, (kind, _) in stage.cooled().items()}


@contextmanager
def staged(home: Path, *names: str, **settings: Any) -> Iterator[GatewayStage]:
    with GatewayStage(home, *map(provider, names or ("alpha", "beta")), **settings) as stage:
        yield stage


@STREAMS
@pytest.mark.usefixtures("hedges_soon")
@pytest.mark.parametrize("keeps_warm", [False, True], ids=["silent", "kept warm"])
def test_a_job_of_three_turns_waits_once_for_a_provider_that_hangs(
    tmp_path: Path, streams: bool, keeps_warm: bool
) -> None:
    """All timeouts are at their defaults: thirty seconds and five minutes."""
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL, TWO)), provider("beta")) as stage:
        stage["alpha"].answer = always(stream(*COMMENTS) if keeps_warm else [HANG])
        began = time.monotonic()
        turns = [stage.ask(stream=streams) for _ in range(3)]
        took_s = time.monotonic() - began
        assert [turn.status_code for turn in turns] == [200, 200, 200]
        assert [turn.headers["x-freeride-provider"] for turn in turns] == ["beta"] * 3
        assert [turn.headers["x-freeride-attempts"] for turn in turns] == ["2", "1", "1"]
        assert SOON_S <= took_s < 15
        assert asked(stage) == {"alpha": 1, "beta": 3}, "later turns do not even try its other model"
        assert until(lambda: stage["alpha"].posts[0].gone_after_s), "its connection is closed"


@pytest.mark.usefixtures("hedges_soon")
@pytest.mark.parametrize(
    ("said", "is_cooled"),
    [
        ([HANG], True),
        ([SSE_HEAD, HANG], True),
        (stream(ROLE, HANG), True),
        (stream(ROLE, *COMMENTS), True),
        (stream(*ROLES), True),
        (stream(*COMMENTS), False),
        (stream(COMMENTS[0], HANG), False),
    ],
    ids=["nothing", "a head", "a role", "a role and comments", "roles", "comments", "a comment"],
)
def test_a_loser_that_had_time_to_say_something_is_not_asked_next(
    tmp_path: Path, said: Script, is_cooled: bool
) -> None:
    with staged(tmp_path) as stage:
        stage["alpha"].answer = always(said)
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"
        assert cooled(stage) == ({Slot("alpha", "*", "double/one"): "timeout"} if is_cooled else {})
        stage["alpha"].answer = good
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"
        assert asked(stage) == {"alpha": 1, "beta": 2}


def test_a_provider_that_only_kept_warm_is_asked_again_after_a_minute(tmp_path: Path) -> None:
    with staged(tmp_path, hedge=SOON_S) as stage:
        stage["alpha"].answer = always(stream(*COMMENTS))
        stage.ask(stream=True)
        stage["alpha"].answer = good
        for seconds, name in ((30, "beta"), (61, "alpha")):
            forward(stage, seconds)
            assert stage.ask(stream=True).headers["x-freeride-provider"] == name


@STREAMS
def test_the_first_serves_where_it_is_quicker_after_all(tmp_path: Path, streams: bool) -> None:
    with staged(tmp_path, hedge=SOON_S) as stage:

        def answer(seen: ReceivedRequest) -> Iterator[Any]:
            until(lambda: stage["beta"].posts, 15)
            yield from good(seen)

        stage["alpha"].answer = answer
        stage["beta"].answer = always([HANG])
        response = stage.ask(stream=streams)
        assert response.headers["x-freeride-provider"] == "alpha"
        assert response.headers["x-freeride-attempts"] == "2"
        assert until(lambda: stage["beta"].posts[0].gone_after_s), "the loser is dropped"
        assert not stage.cooled(), "the second had no time to be silent"
        stage["beta"].answer = good
        assert asked(stage) == {"alpha": 1, "beta": 1}


@STREAMS
def test_events_tell_both_attempts_and_which_was_dropped(tmp_path: Path, streams: bool) -> None:
    with staged(tmp_path, hedge=SOON_S) as stage:
        stage["alpha"].answer = always([HANG])
        assert stage.ask(stream=streams).status_code == 200
        events = until(lambda: stage.events("request_complete") and stage.events())
        told = [
            (event["type"], event.get("provider"), event.get("status"), event.get("hedge", False)) for event in events
        ]
        assert told[0][0] == "request_start"
        assert sorted(told[1:], key=str) == sorted(
            [
                ("provider_attempt", "alpha", None, False),
                ("provider_attempt", "beta", None, True),
                ("provider_response", "beta", "OK", True),
                ("provider_response", "alpha", "CANCELLED", False),
                ("request_complete", "beta", None, False),
            ],
            key=str,
        )
        [complete] = stage.events("request_complete")
        assert complete["attempts"] == 2


OTHERS_MODEL = Model(id="double/other", canonical="double/other", tier=1, context=100_000)
NEVER: dict[str, tuple[Provider, dict[str, Any], dict[str, Any], Callable[[GatewayStage], object]]] = {
    "by setting": (provider("beta"), {"hedge": 0}, {}, lambda _: None),
    "one provider is wanted": (
        provider("beta"),
        {},
        {"headers": {"X-FreeRide-Force-Provider": "alpha"}},
        lambda _: None,
    ),
    "another model was asked for": (
        provider("beta", models=(OTHERS_MODEL,)),
        {},
        {"model": "double/one"},
        lambda _: None,
    ),
    "the other has another key that cools": (
        provider("beta"),
        {"keys": {"beta": 2}},
        {},
        lambda stage: provoke(stage, refusal(401)),
    ),
    "the other did not serve its last request": (
        provider("beta"),
        {},
        {},
        lambda stage: provoke(stage, stream(b"data: {not JSON\n\n")),
    ),
}


def provoke(stage: GatewayStage, script: Script) -> bool:
    """Makes beta fail once."""
    stage["beta"].answer = in_turn(script)
    stage.ask(stream=True, headers={"X-FreeRide-Force-Provider": "beta"})
    return bool(stage["beta"].posts)


@pytest.mark.parametrize("reason", NEVER)
def test_nobody_is_asked_beside_a_silent_provider_where(tmp_path: Path, reason: str) -> None:
    beta, settings, question, prepare = NEVER[reason]
    with GatewayStage(tmp_path, provider("alpha"), beta, **{"hedge": 0.05, **settings}) as stage:
        prepare(stage)
        before = asked(stage)
        stage["alpha"].answer = after(0.6)
        answer = stage.ask(**{"stream": True, **question})
        assert answer.headers["x-freeride-provider"] == "alpha"
        assert answer.headers["x-freeride-attempts"] == "1"
        assert asked(stage)["beta"] == before["beta"]


def test_embeddings_are_not_asked_for_twice(tmp_path: Path) -> None:
    embedders = [provider(name, models=(EMBEDDER,), embeds=True) for name in ("alpha", "beta")]
    with GatewayStage(tmp_path, *embedders, hedge=0.05) as stage:
        stage["alpha"].answer = after(0.6)
        assert stage.embed(EMBEDDER.id).headers["x-freeride-provider"] == "alpha"
        assert asked(stage) == {"alpha": 1, "beta": 0}
    assert Operation.EMBEDDINGS in EMBEDDER.operations


def test_a_concrete_model_is_hedged_where_another_provider_has_it(tmp_path: Path) -> None:
    others = provider("beta", models=(OTHERS_MODEL,))
    with GatewayStage(tmp_path, provider("alpha"), others, provider("gamma"), hedge=0.1) as stage:
        stage["alpha"].answer = always([HANG])
        assert stage.ask("double/one", stream=True).headers["x-freeride-provider"] == "gamma"
        assert asked(stage) == {"alpha": 1, "beta": 0, "gamma": 1}


@STREAMS
def test_a_hedge_that_fails_leaves_the_first_its_time(tmp_path: Path, streams: bool) -> None:
    with staged(tmp_path, hedge=0.1) as stage:
        stage["beta"].answer = always(refusal(500))

        def answer(seen: ReceivedRequest) -> Iterator[Any]:
            until(lambda: cooled(stage), 15)
            yield from good(seen)

        stage["alpha"].answer = answer
        response = stage.ask(stream=streams)
        assert response.headers["x-freeride-provider"] == "alpha"
        assert response.headers["x-freeride-attempts"] == "2"
        assert cooled(stage) == {Slot("beta", "*", "double/one"): "unavailable"}


@STREAMS
def test_a_hedge_under_way_is_waited_for_when_the_first_fails(tmp_path: Path, streams: bool) -> None:
    with staged(tmp_path, "alpha", "beta", "gamma", hedge=0.1) as stage:

        def fail(_: ReceivedRequest) -> Iterator[Any]:
            until(lambda: stage["beta"].posts, 15)
            yield from refusal(500)

        stage["alpha"].answer = fail
        stage["beta"].answer = after(0.3)
        response = stage.ask(stream=streams)
        assert response.headers["x-freeride-provider"] == "beta"
        assert response.headers["x-freeride-attempts"] == "2"
        assert asked(stage) == {"alpha": 1, "beta": 1, "gamma": 0}


def test_a_request_is_hedged_once_and_the_walk_goes_on_after_both(tmp_path: Path) -> None:
    with staged(tmp_path, "alpha", "beta", "gamma", hedge=0.1, first_byte_timeout=0.8) as stage:
        for name in ("alpha", "beta"):
            stage[name].answer = always([HANG])
        stage["gamma"].answer = after(0.3)
        answer = stage.ask(stream=True)
        assert answer.headers["x-freeride-provider"] == "gamma"
        assert answer.headers["x-freeride-attempts"] == "3"
        assert asked(stage) == {"alpha": 1, "beta": 1, "gamma": 1}
        assert set(cooled(stage).values()) == {"timeout"}


def test_a_fault_of_the_client_that_the_hedge_finds_ends_the_wait(tmp_path: Path) -> None:
    with staged(tmp_path, hedge=0.1) as stage:
        stage["alpha"].answer = always([HANG])
        stage["beta"].answer = always(refusal(400, "temperature must be <= 2"))
        answer = stage.ask(stream=True)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "bad_request"
        assert until(lambda: stage["alpha"].posts[0].gone_after_s)


def test_a_client_that_leaves_drops_both(tmp_path: Path) -> None:
    with staged(tmp_path, hedge=0.1, keep_alive_s=0.05) as stage:
        for name in stage.names:
            stage[name].answer = always([HANG])
        with stage.opened() as answer:
            parts = answer.iter_raw()
            assert next(parts).startswith(b":")
            until(lambda: stage["beta"].posts, 15)
        for name in stage.names:
            assert until(lambda: stage[name].posts[0].gone_after_s)  # noqa: B023 - called at once
        assert not stage.cooled(), "nothing was learned"
        until(lambda: not busy(stage))


@STREAMS
def test_a_gateway_that_stops_while_two_are_asked_says_so(tmp_path: Path, streams: bool) -> None:
    with staged(tmp_path, hedge=0.1) as stage, ThreadPoolExecutor(1) as pool:
        for name in stage.names:
            stage[name].answer = always([HANG])
        asking = pool.submit(stage.ask, stream=streams)
        until(lambda: stage["beta"].posts, 15)
        stage.thread._loop.call_soon_threadsafe(stage.thread.gateway.abort)  # type: ignore[union-attr]
        answer = asking.result(15)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "gateway_stopping")
        for name in stage.names:
            assert until(lambda: stage[name].posts[0].gone_after_s)  # noqa: B023 - called at once
        until(lambda: not busy(stage))


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_client_that_leaves_as_the_hedge_wins_is_gone_all_the_same(is_cancelled: bool) -> None:
    async def race() -> str:
        served = asyncio.get_running_loop().create_future()

        async def second() -> Any:
            return await served

        async def first() -> str:
            main = asyncio.current_task()
            assert main is not None
            both = Hedge(main, second())
            await asyncio.sleep(0)
            served.set_result("an outcome")
            if is_cancelled:
                asyncio.get_running_loop().call_soon(main.cancel)
            try:
                await asyncio.sleep(WITHIN_S)
            except asyncio.CancelledError:
                return "won" if both.is_decided and both.has_won() else "gone"
            return "nothing happened"

        return await asyncio.create_task(first())

    assert asyncio.run(race()) == ("gone" if is_cancelled else "won")


def test_a_hedge_that_is_closed_cancels_nobody() -> None:
    async def race() -> bool:
        served = asyncio.get_running_loop().create_future()

        async def second() -> Any:
            return await asyncio.shield(served)

        main = asyncio.current_task()
        assert main is not None
        both = Hedge(main, second())
        await asyncio.sleep(0)
        served.set_result("an outcome")
        both.close()
        for _ in range(5):
            await asyncio.sleep(0)
        return both.is_decided or main.cancelling() > 0

    assert not asyncio.run(race())


def busy(stage: GatewayStage) -> list[str]:
    traffic = stage.thread.gateway.ledger.traffic
    members = stage.thread.gateway.enabled.members
    return [member.provider.name for member in members if traffic.on(member.keys[0]).in_flight]


@STREAMS
def test_no_key_is_busy_after_a_hedge(tmp_path: Path, streams: bool) -> None:
    with staged(tmp_path, hedge=0.1) as stage:
        stage["alpha"].answer = always([HANG])
        assert stage.ask(stream=streams).status_code == 200
        until(lambda: not busy(stage))
        assert stage["beta"].connections == 1


def test_a_stream_that_the_hedge_serves_is_whole(tmp_path: Path) -> None:
    with staged(tmp_path, hedge=0.1) as stage:
        stage["alpha"].answer = always([HANG])
        stage["beta"].answer = always(good_stream())
        assert text_of(stage.ask(stream=True).content).strip() == TEXT


@pytest.mark.parametrize(
    ("set_s", "usual_s", "is_stream", "expected"),
    [
        (None, None, True, 15),
        (None, 0.2, True, 5),
        (None, 3.0, True, 9),
        (None, 40.0, True, 15),
        (None, None, False, 60),
        (None, 0.2, False, 60),
        (2.5, 40.0, True, 2.5),
        (2.5, None, False, 2.5),
    ],
)
def test_a_model_may_be_silent_for_three_times_as_long_as_usual(
    set_s: float | None, usual_s: float | None, is_stream: bool, expected: float
) -> None:
    assert silence_s(set_s, usual_s, is_stream=is_stream) == pytest.approx(expected)
