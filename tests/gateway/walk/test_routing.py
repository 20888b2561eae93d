"""Routing: which provider and model are asked first, and under which name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import (
    EMBEDDER,
    MODEL,
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
from freeride_core import Model, Provider

TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


def model(name: str, **facts: Any) -> Model:
    return Model(**{"id": name, "canonical": name, "context": 100_000, **facts})


def served(stage: GatewayStage, name: str | None = "auto", **fields: Any) -> tuple[str, str]:
    answer = stage.ask(name, **fields)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-freeride-provider"], answer.headers["x-freeride-model"]


def asked(stage: GatewayStage) -> list[tuple[str, str]]:
    """Every (provider, model) that was asked; in order within a provider."""
    return [(name, seen.json["model"]) for name in stage.names for seen in stage[name].posts]


def two(alpha: tuple[Model, ...], beta: tuple[Model, ...]) -> tuple[Provider, Provider]:
    return provider("alpha", models=alpha), provider("beta", models=beta)


# Order


def test_auto_goes_by_tier_before_the_order_of_providers(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, *two((model("a/2", tier=2),), (model("b/1", tier=1), model("b/2", tier=2)))) as stage:
        assert served(stage) == ("beta", "b/1")
        stage["beta"].answer = lambda seen: refusal(404) if seen.json["model"] == "b/1" else good(seen)
        assert served(stage) == ("alpha", "a/2")
        stage["alpha"].answer = always(refusal(401))
        assert served(stage) == ("beta", "b/2")


def test_providers_of_equal_tier_come_by_rank_and_then_by_name(tmp_path: Path) -> None:
    order = [("delta", 5), ("alpha", 10), ("beta", 10), ("gamma", 10)]
    with GatewayStage(tmp_path, *[provider(name, rank=rank) for name, rank in reversed(order)]) as stage:
        for name, _ in order:
            assert served(stage)[0] == name
            stage[name].answer = always(refusal(429))


def test_models_of_equal_tier_come_in_the_packages_order(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=(model("z", tier=2), model("a", tier=2)))) as stage:
        assert served(stage) == ("alpha", "z")


def test_an_order_set_by_the_user_outranks_tier(tmp_path: Path) -> None:
    providers = two((model("a/3", tier=3), model("a/2", tier=2)), (model("b/1", tier=1),))
    with GatewayStage(tmp_path, *providers, providers="alpha,beta") as stage:
        assert served(stage) == ("alpha", "a/2")
        stage["alpha"].answer = always(refusal(404))
        assert served(stage) == ("beta", "b/1")
        assert asked(stage)[:3] == [("alpha", "a/2"), ("alpha", "a/2"), ("alpha", "a/3")]


def test_a_provider_that_the_user_left_out_is_never_asked(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, providers="beta") as stage:
        stage["beta"].answer = always(refusal(401))
        assert stage.ask().status_code == 503
        assert not stage["alpha"].seen


def test_keys_come_by_index_while_nothing_else_is_under_way(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 3}) as stage:
        for _ in range(3):
            stage.ask()
        assert len({seen.key for seen in stage["alpha"].posts}) == 1


# Names


@pytest.mark.parametrize("name", ["auto", "", None, "default", "free", "freeride/auto", "freeride/free"])
def test_auto_has_many_names(tmp_path: Path, name: str | None) -> None:
    with GatewayStage(tmp_path) as stage:
        assert served(stage, name) == ("alpha", "double/one")


def test_a_concrete_model_is_never_swapped_for_another(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, *two((model("a/1", tier=1), model("a/4")), (model("b/1", tier=1),))) as stage:
        assert served(stage, "a/4") == ("alpha", "a/4")
        stage["alpha"].answer = always(refusal(500))
        answer = stage.ask("a/4")
        assert answer.status_code == 503
        assert [entry["model"] for entry in answer.json()["error"]["tried"]] == ["a/4"]
        assert set(asked(stage)) == {("alpha", "a/4")}


@pytest.mark.parametrize("name", ["a-vendor/m:free", "m-fp8", "vendor/m", "VENDOR/M", "M-FP8"])
def test_a_model_fails_over_to_the_same_model_under_its_other_name(tmp_path: Path, name: str) -> None:
    providers = two(
        (model("a-vendor/m:free", canonical="vendor/m", tier=1),), (model("m-fp8", canonical="vendor/m", tier=1),)
    )
    with GatewayStage(tmp_path, *providers) as stage:
        assert served(stage, name) == ("alpha", "a-vendor/m:free")
        stage["alpha"].answer = always(refusal(429))
        assert served(stage, name) == ("beta", "m-fp8")
        assert asked(stage) == [("alpha", "a-vendor/m:free")] * 2 + [("beta", "m-fp8")]


def test_a_variant_that_behaves_otherwise_is_another_model(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, *two((model("v/m:thinking", tier=1),), (model("v/m", tier=1),))) as stage:
        assert served(stage, "v/m") == ("beta", "v/m")
        assert served(stage, "v/m:thinking") == ("alpha", "v/m:thinking")
        stage["alpha"].answer = always(refusal(500))
        assert stage.ask("v/m:thinking").status_code == 503


def test_an_upstreams_own_router_is_where_a_request_begins_and_it_goes_on_as_auto(tmp_path: Path) -> None:
    router = model("beta/router", router=True, tier=4)
    with GatewayStage(tmp_path, *two((model("a/1", tier=1),), (router, model("b/2", tier=2)))) as stage:
        assert served(stage, "beta/router") == ("beta", "beta/router")
        stage["beta"].answer = in_turn(refusal(404))
        assert served(stage, "beta/router") == ("alpha", "a/1")


# Presets


@pytest.mark.parametrize("name", ["freeride/", "freeride/best", "freeride/Coding", "freeride/nothing"])
def test_an_unknown_preset_is_a_400_with_the_presets(tmp_path: Path, name: str) -> None:
    with GatewayStage(tmp_path) as stage:
        answer = stage.ask(name)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["param"] == "model"
        for preset in ("freeride/coding", "freeride/fast", "freeride/quality", "freeride/free"):
            assert preset in error["message"]
        assert not stage["alpha"].posts


def test_coding_wants_tools_and_goes_by_tier(tmp_path: Path) -> None:
    providers = two(
        (model("a/no", tier=1, tools=False), model("a/unknown", tier=1), model("a/3", tier=3, tools=True)),
        (model("b/2", tier=2, tools=True),),
    )
    with GatewayStage(tmp_path, *providers) as stage:
        assert served(stage, "freeride/coding") == ("beta", "b/2")
        stage["beta"].answer = always(refusal(429))
        assert served(stage, "freeride/coding") == ("alpha", "a/3")


def test_quality_goes_by_tier_alone(tmp_path: Path) -> None:
    providers = two((model("a/2", tier=2),), (model("b/1", tier=1),))
    with GatewayStage(tmp_path, *providers, providers="alpha,beta") as stage:
        assert served(stage, "freeride/quality") == ("beta", "b/1")
        assert served(stage, "freeride/free") == ("alpha", "a/2")


def test_fast_goes_by_the_observed_time_to_the_first_event(tmp_path: Path) -> None:
    def slowly(seen: ReceivedRequest) -> Any:
        return [0.25, *good(seen)]

    with GatewayStage(tmp_path, *two((model("a/1", tier=1),), (model("b/4", tier=4),))) as stage:
        stage["alpha"].answer = slowly
        assert served(stage, "freeride/fast", stream=True) == ("alpha", "a/1"), "nothing is known: by tier"
        stage.ask("b/4", stream=True)
        assert served(stage, "freeride/fast", stream=True) == ("beta", "b/4")


# What a request needs


def test_auto_sends_tools_only_where_they_are_known_to_work(tmp_path: Path) -> None:
    providers = two(
        (model("a/no", tier=1, tools=False), model("a/unknown", tier=1)), (model("b/3", tier=3, tools=True),)
    )
    with GatewayStage(tmp_path, *providers) as stage:
        assert served(stage, tools=TOOLS) == ("beta", "b/3")
        assert served(stage, functions=[{"name": "look"}]) == ("beta", "b/3")
        assert served(stage, tools=[]) == ("alpha", "a/no")
        assert served(stage) == ("alpha", "a/no")


def test_auto_sends_images_only_where_they_are_known_to_be_seen(tmp_path: Path) -> None:
    providers = two(
        (model("a/no", tier=1, vision=False), model("a/unknown", tier=1)), (model("b/3", tier=3, vision=True),)
    )
    with GatewayStage(tmp_path, *providers) as stage:
        assert served(stage, messages=IMAGE) == ("beta", "b/3")


def test_a_schema_goes_where_it_is_not_known_to_be_refused(tmp_path: Path) -> None:
    providers = two((model("a/no", tier=1, json_schema=False),), (model("b/unknown", tier=3),))
    with GatewayStage(tmp_path, *providers) as stage:
        assert served(stage, response_format=SCHEMA) == ("beta", "b/unknown")
        assert served(stage, response_format={"type": "json_object"}) == ("alpha", "a/no")


def test_a_named_model_is_tried_where_nobody_knows_what_it_can_do(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=(model("a/unknown"),))) as stage:
        assert served(stage, "a/unknown", tools=TOOLS) == ("alpha", "a/unknown")
        assert served(stage, "a/unknown", messages=IMAGE) == ("alpha", "a/unknown")


@pytest.mark.parametrize(
    ("fields", "feature"),
    [({"tools": TOOLS}, "tools"), ({"messages": IMAGE}, "images"), ({"response_format": SCHEMA}, "json_schema")],
)
@pytest.mark.parametrize("name", ["auto", "a/no"])
def test_what_no_model_can_do_is_a_400_that_says_so(
    tmp_path: Path, fields: dict[str, Any], feature: str, name: str
) -> None:
    unable = model("a/no", tools=False, vision=False, json_schema=False)
    with GatewayStage(tmp_path, provider("alpha", models=(unable,))) as stage:
        answer = stage.ask(name, **fields)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["code"] == "unsupported"
        assert feature in error["message"]
        assert not stage["alpha"].posts


def test_a_long_prompt_goes_only_where_it_fits(tmp_path: Path) -> None:
    providers = two((model("a/1", tier=1, context=10_000), model("a/?", tier=1, context=None)), (model("b/4", tier=4),))
    long = [{"role": "user", "content": "word " * 20_000}]
    with GatewayStage(tmp_path, *providers) as stage:
        assert served(stage) == ("alpha", "a/1")
        assert served(stage, messages=long) == ("beta", "b/4")
        assert served(stage, "a/?", messages=long) == ("alpha", "a/?"), "nobody knows that it does not fit"


def test_a_window_of_unknown_size_is_asked_where_no_other_is_left(tmp_path: Path) -> None:
    models = (model("a/1", tier=1, context=10_000), model("a/?", tier=1, context=None))
    with GatewayStage(tmp_path, provider("alpha", models=models)) as stage:
        assert served(stage, messages=[{"role": "user", "content": "word " * 20_000}]) == ("alpha", "a/?")


def test_an_image_does_not_count_as_a_long_prompt(tmp_path: Path) -> None:
    url = "data:image/png;base64," + "A" * 400_000
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    with GatewayStage(tmp_path, provider("alpha", models=(model("a/1", vision=True, context=10_000),))) as stage:
        assert served(stage, messages=image) == ("alpha", "a/1")


def test_a_prompt_that_fits_no_model_is_a_400_with_the_largest_window(tmp_path: Path) -> None:
    long = [{"role": "user", "content": "word " * 100_000}]
    with GatewayStage(tmp_path) as stage:
        for name in ("auto", "double/one"):
            answer = stage.ask(name, messages=long)
            assert answer.status_code == 400
            error = answer.json()["error"]
            assert error["code"] == "context_length_exceeded"
            assert "100000" in error["message"]
        assert not stage["alpha"].posts


def listing(*names: str) -> Callable[[ReceivedRequest], Script]:
    rows = [{"id": name} for name in names]
    return lambda seen: reply(200, {"object": "list", "data": rows}) if seen.method == "GET" else good(seen)


def declared(home: Path, upstream: FakeUpstream, name: str) -> GatewayStage:
    """A provider with a live list, of which the user says that this model is free."""
    alpha = provider("alpha", models=(MODEL,), embeds=True, lists=True)
    return GatewayStage(home, alpha, urls={"alpha": upstream.url}, environ={"FREERIDE_ALPHA_FREE_MODELS": name})


@pytest.mark.parametrize("name", ["maker/arctic-embed-l", "baai/bge-m3", "intfloat/e5-large"])
def test_an_embedding_model_of_the_users_list_is_asked_for_vectors(tmp_path: Path, name: str) -> None:
    with FakeUpstream(listing(MODEL.id, name, "maker/chat")) as upstream, declared(tmp_path, upstream, name) as stage:
        assert stage.embed(name).status_code == 200
        chat = stage.ask(name)
        assert chat.status_code == 404
        assert "/v1/embeddings" in chat.json()["error"]["message"]
        assert stage.ask("auto").status_code == 404, "nothing says that it chats"
        assert [seen.path for seen in upstream.posts] == ["/v1/embeddings"]


def test_a_model_of_which_only_an_id_is_known_is_asked_for_either(tmp_path: Path) -> None:
    with FakeUpstream(listing("maker/new")) as upstream, declared(tmp_path, upstream, "maker/new") as stage:
        assert stage.embed("maker/new").status_code == 200
        assert stage.ask("maker/new").status_code == 200
        unknown = stage.embed("maker/newer").json()["error"]["message"]
        assert unknown.endswith("No free embedding model is usable now.")


def test_embedding_models_are_not_asked_to_chat(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", models=(EMBEDDER, MODEL), embeds=True)) as stage:
        assert served(stage) == ("alpha", "double/one")
        assert stage.ask("double/embed").status_code == 404
