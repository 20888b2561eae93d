"""Embeddings: never a word from another model, for vectors of two models cannot be compared."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from fake_upstream import EMBEDDER, MODEL, GatewayStage, always, in_turn, key_of, provider, refusal, reply
from freeride_core import Model, Operation

OTHER = Model(id="other/embed", canonical="other/embed", operations=frozenset({Operation.EMBEDDINGS}))
SAME = Model(id="embed-v1", canonical="double/embed", operations=frozenset({Operation.EMBEDDINGS}))


def stage_of(home: Path, *, beta: tuple[Model, ...] = (OTHER,), keys: int = 1) -> GatewayStage:
    providers = (
        provider("alpha", models=(MODEL, EMBEDDER), embeds=True),
        provider("beta", models=(MODEL, *beta), embeds=True),
    )
    return GatewayStage(home, *providers, keys={"alpha": keys})


def test_an_embedding_comes_from_the_model_that_was_named(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        answer = stage.embed("other/embed", dimensions=2)
        assert answer.status_code == 200
        assert answer.headers["x-freeride-provider"] == "beta"
        assert answer.headers["x-freeride-model"] == "other/embed"
        assert answer.json()["data"][0]["embedding"] == [0.5, 1.0]
        assert answer.json()["_freeride_provider"] == "beta"
        seen = stage["beta"].posts[0]
        assert seen.path == "/v1/embeddings"
        assert seen.json == {"model": "other/embed", "input": "x", "dimensions": 2}


def test_a_failover_goes_to_another_key(tmp_path: Path) -> None:
    with stage_of(tmp_path, keys=2) as stage:
        stage["alpha"].answer = in_turn(refusal(401))
        assert stage.embed("double/embed").status_code == 200
        assert [seen.key for seen in stage["alpha"].posts] == [key_of("alpha"), key_of("alpha", 1)]


def test_a_failover_goes_to_the_same_model_at_another_provider(tmp_path: Path) -> None:
    with stage_of(tmp_path, beta=(OTHER, SAME)) as stage:
        stage["alpha"].answer = always(refusal(429))
        answer = stage.embed("double/embed")
        assert answer.headers["x-freeride-provider"] == "beta"
        assert stage["beta"].posts[0].json["model"] == "embed-v1"


def test_a_failover_never_crosses_models(tmp_path: Path) -> None:
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(429))
        answer = stage.embed("double/embed")
        assert answer.status_code == 503
        assert [entry["provider"] for entry in answer.json()["error"]["tried"]] == ["alpha"]
        assert not stage["beta"].posts


def assert_names_models(answer: httpx.Response) -> None:
    assert "double/embed" in answer.json()["error"]["message"]
    assert "other/embed" in answer.json()["error"]["message"]
    assert "double/one" not in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["auto", "", None, "default", "freeride/fast", "freeride/free"])
def test_a_preset_is_a_400_that_names_the_models(tmp_path: Path, name: str | None) -> None:
    with stage_of(tmp_path) as stage:
        answer = stage.embed(name)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "model"
        assert_names_models(answer)


@pytest.mark.parametrize("name", ["nobody/has-this", "double/one"])
def test_an_unknown_model_is_a_404_that_names_the_models(tmp_path: Path, name: str) -> None:
    with stage_of(tmp_path) as stage:
        answer = stage.embed(name)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"
        assert_names_models(answer)
        assert not stage["alpha"].posts


@pytest.mark.parametrize("body", [{"object": "list", "data": []}, {"object": "list"}, [], b"<html>"])
def test_an_answer_without_embeddings_is_passed_over(tmp_path: Path, body: object) -> None:
    with stage_of(tmp_path, beta=(SAME,)) as stage:
        stage["alpha"].answer = always(reply(200, body))
        assert stage.embed("double/embed").headers["x-freeride-provider"] == "beta"
        assert not stage.cooled()


def test_a_provider_that_lists_the_model_but_has_no_wire_for_it_is_not_asked(tmp_path: Path) -> None:
    providers = provider("alpha", models=(EMBEDDER,)), provider("beta", models=(SAME,), embeds=True)
    with GatewayStage(tmp_path, *providers) as stage:
        assert stage.embed("double/embed").headers["x-freeride-provider"] == "beta"
        assert not stage["alpha"].posts
