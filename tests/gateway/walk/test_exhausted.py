"""When nobody answers: the client hears why, how long to wait, and what its user can do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import (
    MODEL,
    RESET,
    FakeUpstream,
    GatewayBench,
    GatewayStage,
    always,
    good,
    in_turn,
    plugins,
    provider,
    question,
    refusal,
    reply,
    until,
)
from freeride_core import Model, Scope
from freeride_core.gateway.server import GatewayThread

ERROR_MEMBERS = {"message", "type", "code", "param", "request_id", "tried", "suggestion"}
TRIED_MEMBERS = {"provider", "model", "keys_tried", "last_error", "status", "retry_after_s"}


def limited(seconds: int) -> Any:
    return always(refusal(429, "slow down", {"Retry-After": str(seconds)}))


def error_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"], "no wrapper and no stamp: an SDK reads it"
    error: dict[str, Any] = answer.json()["error"]
    assert error["request_id"] == answer.headers["x-freeride-request-id"]
    return error


@pytest.mark.parametrize("streams", [False, True])
def test_a_failed_walk_is_a_503_that_tells_all(tmp_path: Path, streams: bool) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 2}) as stage:
        stage["alpha"].answer = limited(90)
        stage["beta"].answer = always(refusal(401))
        answer = stage.ask(stream=streams)
        error = error_of(answer)
        assert set(error) == ERROR_MEMBERS
        assert (error["type"], error["code"], error["param"]) == ("all_upstreams_failed", "mixed", None)
        assert all(set(entry) == TRIED_MEMBERS for entry in error["tried"])
        assert [tuple(entry.values())[:5] for entry in error["tried"]] == [
            ("alpha", "double/one", 2, "rate_limit", 429),
            ("beta", "double/one", 1, "auth", 401),
        ]
        assert error["tried"][0]["retry_after_s"] in range(88, 91)
        assert error["tried"][1]["retry_after_s"] in range(298, 301)
        assert int(answer.headers["retry-after"]) in range(88, 91), "the soonest slot"
        assert answer.headers["x-should-retry"] == "false", "an SDK would sleep for a minute and a half"
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-attempts"] == "3"
        failed = until(lambda: stage.events("request_failed"))
        assert [(event["code"], event["tried"]) for event in failed] == [("all_upstreams_failed", ["alpha", "beta"])]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (refusal(429), "rate_limit"),
        (refusal(402), "quota_exhausted"),
        (refusal(401), "auth"),
        (refusal(404), "model_not_found"),
        (refusal(500), "unavailable"),
        ([RESET], "network"),
        (reply(200, b"<html>"), "protocol"),
    ],
)
def test_the_code_is_the_kind_that_all_share(tmp_path: Path, script: Any, code: str) -> None:
    with GatewayStage(tmp_path) as stage:
        for name in stage.names:
            stage[name].answer = always(script)
        answer = stage.ask()
        error = error_of(answer)
        assert error["code"] == code
        assert {entry["last_error"] for entry in error["tried"]} == {code}
        assert int(answer.headers["retry-after"]) >= 1
        assert error["suggestion"]


@pytest.mark.parametrize("streams", [False, True])
def test_while_everything_cools_nobody_is_asked_and_the_answer_has_the_same_shape(
    tmp_path: Path, streams: bool
) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer, stage["beta"].answer = limited(60), limited(40)
        first = stage.ask(stream=streams)
        answer = stage.ask(stream=streams)
        error = error_of(answer)
        assert set(error) == ERROR_MEMBERS == set(error_of(first))
        assert (error["type"], error["code"]) == ("all_upstreams_failed", "rate_limit")
        assert [(entry["provider"], entry["keys_tried"], entry["status"]) for entry in error["tried"]] == [
            ("alpha", 0, None),
            ("beta", 0, None),
        ]
        assert int(answer.headers["retry-after"]) in range(37, 41)
        assert "x-freeride-provider" not in answer.headers
        assert len(stage["alpha"].posts) == len(stage["beta"].posts) == 1


def test_one_who_was_asked_and_one_who_cools_are_both_told(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = limited(60)
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        stage["beta"].answer = always(refusal(401))
        error = error_of(stage.ask())
        assert error["code"] == "mixed"
        by_name = {entry["provider"]: entry for entry in error["tried"]}
        assert (by_name["alpha"]["keys_tried"], by_name["beta"]["keys_tried"]) == (0, 1)


def test_the_wait_is_at_least_a_second(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = limited(0)
        assert stage.ask().headers["retry-after"] == "1"


def test_the_wait_is_that_of_the_soonest_key(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = in_turn(
            refusal(429, headers={"Retry-After": "900"}), refusal(429, headers={"Retry-After": "20"})
        )
        assert int(stage.ask().headers["retry-after"]) in range(18, 21)


# What the user can do


def test_refused_keys_are_named_by_their_variables(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for name in stage.names:
            stage[name].answer = always(refusal(401))
        suggestion = error_of(stage.ask())["suggestion"]
        assert "ALPHA_KEY" in suggestion
        assert "BETA_KEY" in suggestion


def test_limits_are_answered_with_the_next_reset_and_the_keys_a_user_could_add(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), provider("beta"), keys={"beta": 0}) as stage:
        stage["alpha"].answer = limited(60)
        suggestion = error_of(stage.ask())["suggestion"]
        assert re.search(r"\d\d:\d\d", suggestion)
        assert "BETA_KEY" in suggestion


@pytest.mark.parametrize("streams", [False, True])
def test_no_usable_key_at_all_is_told_with_the_variables(tmp_path: Path, streams: bool) -> None:
    with GatewayStage(tmp_path, keys={"alpha": 0, "beta": 0}) as stage:
        answer = stage.ask(stream=streams)
        error = error_of(answer)
        assert (error["type"], error["code"]) == ("no_usable_keys", "no_usable_keys")
        assert {"tried", "suggestion"} <= set(error)
        assert "ALPHA_KEY" in error["suggestion"]
        assert "BETA_KEY" in error["suggestion"]
        assert "retry-after" not in answer.headers
        assert answer.headers["x-should-retry"] == "false"


def test_no_provider_at_all_is_told(tmp_path: Path) -> None:
    with GatewayThread(GatewayBench(tmp_path).settings(), plugins()) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=question(), trust_env=False, verify=False)
        assert error_of(answer)["type"] == "no_usable_keys"
        assert "install" in error_of(answer)["suggestion"].lower()


# Models that nobody has


@pytest.mark.parametrize("streams", [False, True])
def test_a_model_that_no_provider_lists_is_a_404(tmp_path: Path, streams: bool) -> None:
    with GatewayStage(tmp_path) as stage:
        answer = stage.ask("nobody/has-this", stream=streams)
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert (error["code"], error["type"], error["param"]) == ("model_not_found", "invalid_request_error", "model")
        assert answer.headers["x-should-retry"] == "false"
        assert not stage["alpha"].posts


def test_a_model_of_a_provider_without_a_key_is_told_with_its_variable(tmp_path: Path) -> None:
    other = Model(id="beta/only", canonical="beta/only")
    with GatewayStage(tmp_path, provider("alpha"), provider("beta", models=(other,)), keys={"beta": 0}) as stage:
        answer = stage.ask("beta/only")
        error = error_of(answer)
        assert error["code"] == "no_usable_keys"
        assert "BETA_KEY" in error["suggestion"]
        assert "ALPHA_KEY" not in error["suggestion"]


def test_a_model_that_is_not_free_is_never_asked_for(tmp_path: Path) -> None:
    dear = Model(id="double/dear", canonical="double/dear")
    free = {"FREERIDE_ALPHA_FREE_MODELS": "double/one"}
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL, dear)), environ=free) as stage:
        answer = stage.ask("double/dear")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"
        assert not stage["alpha"].posts


def catalog(*ids: str) -> Any:
    body = {"data": [{"id": each} for each in ids]}
    return lambda seen: reply(200, body) if seen.method == "GET" else good(seen)


def test_a_request_that_only_a_list_can_decide_waits_for_it(tmp_path: Path) -> None:
    slow: Any = lambda seen: [0.4, *catalog("live/model")(seen)] if seen.method == "GET" else good(seen)  # noqa: E731
    bench = GatewayBench(tmp_path)
    with FakeUpstream(slow) as upstream:
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha", lists=True))) as gateway:
            answer = httpx.post(
                f"{gateway.url}/v1/chat/completions", json=question("live/model"), trust_env=False, verify=False
            )
            assert answer.status_code == 200
            assert upstream.posts[0].json["model"] == "live/model"


def test_a_model_that_cannot_be_looked_up_is_a_503_and_never_a_404(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path)
    with FakeUpstream(always(refusal(500))) as upstream:
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha", lists=True))) as gateway:
            answer = httpx.post(
                f"{gateway.url}/v1/chat/completions", json=question("live/model"), trust_env=False, verify=False
            )
            error = error_of(answer)
            assert error["code"] == "catalog_unavailable"
            assert error["suggestion"]
            assert int(answer.headers["retry-after"]) >= 1
            upstream.answer = good
            known = httpx.post(
                f"{gateway.url}/v1/chat/completions", json=question("double/one"), trust_env=False, verify=False
            )
            assert known.status_code == 200, "the package's own list decides this one"


def test_a_request_that_the_packages_data_decides_waits_for_no_list(tmp_path: Path) -> None:
    hangs: Any = lambda seen: [30.0] if seen.method == "GET" else good(seen)  # noqa: E731
    bench = GatewayBench(tmp_path)
    with FakeUpstream(hangs) as upstream:
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha", lists=True))) as gateway:
            for model in ("auto", "double/one"):
                answer = httpx.post(
                    f"{gateway.url}/v1/chat/completions",
                    json=question(model),
                    trust_env=False,
                    verify=False,
                    timeout=2.5,
                )
                assert answer.status_code == 200


# One provider by force


def test_a_forced_provider_is_the_only_one(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        assert stage.ask(headers={"X-FreeRide-Force-Provider": "beta"}).headers["x-freeride-provider"] == "beta"
        stage["beta"].answer = always(refusal(401))
        answer = stage.ask(headers={"X-FreeRide-Force-Provider": "beta"})
        assert [entry["provider"] for entry in error_of(answer)["tried"]] == ["beta"]
        assert not stage["alpha"].posts


def test_a_forced_provider_that_is_not_installed_is_a_400_with_the_names(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        answer = stage.ask(headers={"X-FreeRide-Force-Provider": "gamma"})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["code"] == "force_provider_unknown"
        assert "alpha" in error["message"]
        assert "beta" in error["message"]
        assert not stage["alpha"].posts


def test_a_forced_provider_without_a_key_is_a_503_with_its_variable(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keys={"beta": 0}) as stage:
        answer = stage.ask(headers={"X-FreeRide-Force-Provider": "beta"})
        error = error_of(answer)
        assert error["code"] == "no_usable_keys"
        assert "BETA_KEY" in error["suggestion"]
        assert "ALPHA_KEY" not in error["suggestion"]
        assert "retry-after" not in answer.headers
        assert answer.headers["x-should-retry"] == "false"
        assert not stage["alpha"].posts


def test_a_forced_provider_that_lacks_the_model_is_a_404(tmp_path: Path) -> None:
    other = Model(id="beta/only", canonical="beta/only")
    with GatewayStage(tmp_path, provider("alpha"), provider("beta", models=(other,))) as stage:
        answer = stage.ask("beta/only", headers={"X-FreeRide-Force-Provider": "alpha"})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"
        assert not stage["beta"].posts


def test_a_proxy_that_wants_a_user_name_is_named_as_that(tmp_path: Path) -> None:
    page = reply(407, b"<html>Proxy Authentication Required</html>", {"Proxy-Authenticate": "Basic"})
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(page)
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        stage["beta"].answer = always(page)
        error = error_of(stage.ask())
        assert error["code"] == "network"
        assert "HTTP_PROXY" in error["suggestion"]
        assert "user name" in error["suggestion"]


def test_a_page_that_blocks_blames_no_key(tmp_path: Path) -> None:
    page = reply(403, b"<html><head><title>Just a moment...</title></head></html>", {"cf-mitigated": "challenge"})
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 2}) as stage:
        stage["alpha"].answer = always(page)
        error = error_of(stage.ask())
        assert error["code"] == "unavailable"
        assert "Replace" not in error["suggestion"]
        assert len(stage["alpha"].posts) == 1
        stage["alpha"].answer = good


def test_a_providers_scope_is_told_for_each_of_its_models(tmp_path: Path) -> None:
    two = Model(id="double/two", canonical="double/two", tier=2)
    with GatewayStage(tmp_path, provider("alpha", models=(MODEL, two), meter=Scope.ACCOUNT)) as stage:
        stage["alpha"].answer = limited(30)
        error = error_of(stage.ask())
        assert [(entry["model"], entry["keys_tried"]) for entry in error["tried"]] == [
            ("double/one", 1),
            ("double/two", 0),
        ]
