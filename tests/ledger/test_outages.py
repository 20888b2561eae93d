"""Outages: which slots open their breaker, when everything is down, and a laptop that is offline."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fake_upstream import (
    MODEL,
    RESET,
    FakeUpstream,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    good,
    in_turn,
    provider,
    refusal,
    reply,
)
from freeride_core import Model
from freeride_core.ledger.slots import Slot

MODELS = (MODEL, *(Model(id=f"double/{name}", canonical=f"double/{name}", tier=2) for name in ("two", "three", "four")))
PROVIDER = Slot("alpha", "*", "*")


def of_model(name: str) -> Slot:
    return Slot("alpha", "*", f"double/{name}")


@pytest.fixture
def dead_url() -> str:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}/v1"


def forward(stage: GatewayStage, seconds: float) -> None:
    """Lets time pass for the gateway."""
    now = stage.thread.gateway.ledger.now
    stage.thread.gateway.ledger.now = stage.thread.gateway.now = lambda: now() + seconds


def test_one_models_outage_leaves_the_provider_its_others(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = in_turn(refusal(500))
        assert stage.ask().headers["x-freeride-model"] == "double/two"
        assert list(stage.cooled()) == [of_model("one")], "another key would meet the same outage"


def test_a_provider_is_down_when_three_of_its_models_are(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), provider("beta", models=(MODELS[3],))) as stage:
        stage["alpha"].answer = always(refusal(500))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        asked = [seen.json["model"] for seen in stage["alpha"].posts]
        assert asked == ["double/one", "double/two", "double/three"], "the fourth is not asked any more"
        assert set(stage.cooled()) == {of_model("one"), of_model("two"), of_model("three"), PROVIDER}
        assert stage.cooled()[PROVIDER][1] in (29, 30)


def test_three_outages_of_one_model_are_not_those_of_a_provider(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS)) as stage:
        stage["alpha"].answer = always(refusal(500))
        for _ in range(3):
            assert stage.ask("double/one").status_code == 503
        assert list(stage.cooled()) == [of_model("one")]
        assert stage.ask("double/two").status_code == 503
        assert PROVIDER not in stage.cooled()


def test_three_models_count_only_within_a_minute(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS)) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage.ask("double/one")
        stage.ask("double/two")
        forward(stage, 61)
        stage.ask("double/three")
        assert list(stage.cooled()) == [of_model("three")]


def test_a_provider_that_is_back_after_an_outage_serves_all_its_models(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS), provider("beta", models=(MODELS[3],))) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage.ask()
        forward(stage, 40)
        stage["alpha"].answer = good
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
        assert PROVIDER not in dict(stage.thread.gateway.ledger.cooldowns.items())


# When everything is down


@pytest.mark.parametrize("script", [refusal(500), reply(502, b"<html>", content_type="text/html")])
def test_an_outage_that_a_request_has_just_met_is_not_tried_again_with_another_key(
    tmp_path: Path, script: Script
) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=MODELS[:2]), keys={"alpha": 3}) as stage:
        stage["alpha"].answer = always(script)
        stage.ask()
        assert len({seen.json["model"] for seen in stage["alpha"].posts}) == len(stage["alpha"].posts)
        assert {seconds for _, seconds in stage.cooled().values()} == {30}


@pytest.mark.parametrize("script", [refusal(500), refusal(408), [RESET]])
def test_when_all_are_down_the_soonest_is_tried_all_the_same(tmp_path: Path, script: Script) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["beta"].answer = always(script)
        stage.ask(headers={"X-FreeRide-Force-Provider": "beta"})
        forward(stage, 10)
        stage["alpha"].answer = always(script)
        stage.ask(headers={"X-FreeRide-Force-Provider": "alpha"})
        assert [len(stage[name].posts) for name in ("alpha", "beta")] == [1, 1]
        stage["beta"].answer = good
        answer = stage.ask()
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-attempts"] == "1"
        assert [len(stage[name].posts) for name in ("alpha", "beta")] == [1, 2]
        assert stage.ask().headers["x-freeride-provider"] == "beta", "it is back"


def test_only_the_soonest_is_tried_and_only_once(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for name in stage.names:
            stage[name].answer = always(refusal(500))
        stage.ask()
        answer = stage.ask()
        assert answer.status_code == 503
        assert answer.headers["x-freeride-attempts"] == "1"
        assert sum(len(stage[name].posts) for name in stage.names) == 3
        assert {entry["last_error"] for entry in answer.json()["error"]["tried"]} == {"unavailable"}


@pytest.mark.parametrize("other", [refusal(429), refusal(402), refusal(401), refusal(404)])
def test_nobody_is_tried_early_where_one_is_not_down_but_unwilling(tmp_path: Path, other: Script) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(500))
        stage["beta"].answer = always(other)
        stage.ask()
        answer = stage.ask()
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "mixed"
        assert [len(stage[name].posts) for name in stage.names] == [1, 1]


# Offline


def test_nobody_is_cooled_while_nobody_can_be_reached(tmp_path: Path, dead_url: str) -> None:
    with GatewayStage(tmp_path, urls={"alpha": dead_url, "beta": dead_url}, keys={"alpha": 2}) as stage:
        for _ in range(2):
            answer = stage.ask()
            assert answer.status_code == 503
            error = answer.json()["error"]
            assert error["code"] == "network"
            assert [entry["provider"] for entry in error["tried"]] == ["alpha", "beta"]
            assert answer.headers["x-freeride-attempts"] == "2", "another key would not reach it either"
            assert "network" in error["suggestion"]
            assert not list(stage.thread.gateway.ledger.cooldowns.items())


def test_a_host_without_an_address_is_one_that_cannot_be_reached(tmp_path: Path, escapes: list[str]) -> None:
    with GatewayStage(
        tmp_path, urls={"alpha": "http://nowhere.invalid/v1", "beta": "http://nowhere.invalid/v1"}
    ) as stage:
        assert stage.ask().json()["error"]["code"] == "network"
        assert not list(stage.thread.gateway.ledger.cooldowns.items())


def test_a_dead_port_is_cooled_when_another_provider_answers(tmp_path: Path, dead_url: str) -> None:
    with GatewayStage(tmp_path, urls={"alpha": dead_url}) as stage:
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert stage.cooled() == {PROVIDER: ("network", 30)}
        assert stage.ask().headers["x-freeride-attempts"] == "1"


def test_a_dead_port_is_cooled_when_another_provider_answers_anything(tmp_path: Path, dead_url: str) -> None:
    with GatewayStage(tmp_path, urls={"alpha": dead_url}) as stage:
        stage["beta"].answer = always(refusal(401))
        assert stage.ask().status_code == 503
        assert stage.cooled()[PROVIDER] == ("network", 30)


def test_a_dead_port_after_one_that_answered_is_cooled_at_once(tmp_path: Path, dead_url: str) -> None:
    with GatewayStage(tmp_path, urls={"beta": dead_url}) as stage:
        stage["alpha"].answer = always(reply(200, b"not JSON"))
        answer = stage.ask()
        assert answer.status_code == 503
        assert stage.cooled() == {Slot("beta", "*", "*"): ("network", 30)}
        tried = answer.json()["error"]["tried"]
        assert [(entry["last_error"], entry["retry_after_s"]) for entry in tried] == [
            ("protocol", None),
            ("network", 30),
        ]


def test_a_connection_that_does_not_come_about_in_time_is_given_up(tmp_path: Path) -> None:
    # The backlog of a listener that never accepts: once it is full, a handshake hangs.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with GatewayStage(tmp_path, urls={"alpha": f"http://127.0.0.1:{port}/v1"}, connect_timeout=0.3) as stage:
            assert stage.ask().headers["x-freeride-provider"] == "beta"
            assert stage.cooled() == {PROVIDER: ("timeout", 30)}
        for filler in fillers:
            filler.close()


def test_a_provider_that_can_be_reached_again_is_asked_again(tmp_path: Path, dead_url: str) -> None:
    with GatewayStage(tmp_path, provider("alpha"), urls={"alpha": dead_url}) as stage:
        assert stage.ask().status_code == 503
        port = int(dead_url.split(":")[2].split("/")[0])
        with FakeUpstream(port=port):
            assert stage.ask().status_code == 200


def test_a_slow_failure_of_one_does_not_hide_that_it_answered(tmp_path: Path, dead_url: str) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return [0.05, *refusal(503, headers={"Retry-After": "77"})]

    with GatewayStage(tmp_path, urls={"beta": dead_url}) as stage:
        stage["alpha"].answer = answer
        assert stage.ask().status_code == 503
        assert stage.cooled()[of_model("one")] == ("unavailable", 77)
        assert stage.cooled()[Slot("beta", "*", "*")][0] == "network"
