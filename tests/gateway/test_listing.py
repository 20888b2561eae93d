"""`GET /v1/models`: what is free now, in a form that agents read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from fake_upstream import EMBEDDER, FakeUpstream, GatewayBench, GatewayStage, good, plugins, provider, reply, until
from freeride_core import Model
from freeride_core.gateway.server import GatewayThread

SEES = Model(
    id="a-vendor/m:free", canonical="vendor/m", tier=1, context=32_000, tools=True, json_schema=True, reasoning=True
)
SAME = Model(id="m-fp8", canonical="vendor/m", tier=1, context=64_000)
OTHER = Model(id="b/other", canonical="b/other")
PRESETS = ["auto", "freeride/coding", "freeride/fast", "freeride/quality", "freeride/free"]


def stage_of(home: Path, **more: Any) -> GatewayStage:
    providers = provider("alpha", models=(SEES,)), provider("beta", models=(SAME, OTHER, EMBEDDER), embeds=True)
    return GatewayStage(home, *providers, **more)


def test_the_list_holds_presets_and_each_free_model_once(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        answer = stage.get("/v1/models")
        assert answer.headers["x-freeride-request-id"].startswith("req_")
        listing = answer.json()
        assert listing["object"] == "list"
        assert [entry["id"] for entry in listing["data"]] == [*PRESETS, "a-vendor/m:free", "b/other", "double/embed"]
        for entry in listing["data"]:
            assert entry["object"] == "model"
            assert isinstance(entry["created"], int)
            assert entry["owned_by"]
            assert {"supported_parameters", "canonical_id", "available_providers", "provider_ids"} <= set(entry)


def test_an_entry_says_who_serves_the_model_under_which_name(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        entry = next(entry for entry in stage.get("/v1/models").json()["data"] if entry["canonical_id"] == "vendor/m")
        assert entry["owned_by"] == "alpha"
        assert entry["context_length"] == 64_000
        assert entry["available_providers"] == ["alpha", "beta"]
        assert entry["provider_ids"] == {"alpha": "a-vendor/m:free", "beta": "m-fp8"}
        assert {"tools", "tool_choice", "response_format", "reasoning"} <= set(entry["supported_parameters"])


def test_one_model_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        for name in ("a-vendor/m:free", "m-fp8", "vendor/m", "a-vendor%2Fm%3Afree", "auto", "freeride/coding"):
            answer = stage.get(f"/v1/models/{name}")
            assert answer.status_code == 200
            assert answer.json()["id"] == name.replace("%2F", "/").replace("%3A", ":")
        answer = stage.get("/v1/models/nobody/has-this")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"
        assert answer.json()["error"]["request_id"] == answer.headers["x-freeride-request-id"]


def test_every_listed_model_can_be_asked(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        for entry in stage.get("/v1/models").json()["data"]:
            if entry["id"] != "double/embed":
                assert stage.ask(entry["id"]).status_code == 200


def test_providers_without_a_key_and_models_that_are_not_free_are_left_out(tmp_path: Path) -> None:
    with stage_of(tmp_path, keys={"alpha": 0}, environ={"FREERIDE_BETA_FREE_MODELS": "b/other"}) as stage:
        data = stage.get("/v1/models").json()["data"]
        assert [entry["id"] for entry in data] == [*PRESETS, "b/other"]
        assert all("alpha" not in entry["available_providers"] for entry in data)


def test_a_list_fetched_in_the_background_replaces_the_packages_own(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path)
    ids = [{"id": "live/new"}, {"id": "double/one"}, {"odd": 1}, None]
    with FakeUpstream(lambda seen: reply(200, {"data": ids}) if seen.method == "GET" else good(seen)) as upstream:
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha", lists=True))) as gateway:

            def listed() -> set[str]:
                answer = httpx.get(f"{gateway.url}/v1/models", trust_env=False, verify=False)
                return {entry["id"] for entry in answer.json()["data"]}

            until(lambda: {"live/new", "double/one"} <= listed())
        fetched = len(upstream.seen)
        upstream.answer = lambda seen: reply(500, {})
        with GatewayThread(bench.settings(), plugins(provider("alpha", lists=True))) as gateway:
            assert {"live/new", "double/one"} <= listed(), "the list outlives the process"
        assert len(upstream.seen) == fetched, "a fresh list is not asked for again"
