"""Embeddings: never a word from another model, for vectors of two models cannot be compared."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

import httpx
import pytest

from fake_upstream import EMBEDDER, MODEL, GatewayStage, Script, always, in_turn, key_of, provider, refusal, reply
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


# One vector for each input, encoded as it was asked for


def answering(*vectors: object, **more: object) -> Script:
    rows = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return reply(200, {"object": "list", "data": rows, "model": "m", "usage": {"prompt_tokens": 1.50}, **more})


FLOATS = [0.5, -1.0, 0.10000000149011612, 3.0]
PACKED = base64.b64encode(struct.pack("<4f", *FLOATS)).decode()


@pytest.mark.parametrize(
    ("asked", "sent", "expected"),
    [
        ("base64", FLOATS, PACKED),
        ("base64", PACKED, PACKED),
        ("float", PACKED, FLOATS),
        ("float", FLOATS, FLOATS),
        (None, PACKED, FLOATS),
        (None, FLOATS, FLOATS),
        ("base64", [1, 2, -3, 0], base64.b64encode(struct.pack("<4f", 1, 2, -3, 0)).decode()),
        ("int8", [1, 2], [1, 2]),
        ("int8", "AQI=", "AQI="),
        ("float", "not base64!", "not base64!"),
        ("float", "AQI=", "AQI="),
        ("base64", ["x"], ["x"]),
        ("base64", {"x": 1}, {"x": 1}),
        ("base64", [], ""),
    ],
)
def test_vectors_are_encoded_as_the_client_asked(
    tmp_path: Path, asked: str | None, sent: object, expected: object
) -> None:
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(answering(sent, sent, x_own={"a": 1}))
        answer = stage.embed("double/embed", input=["a", "b"], encoding_format=asked)
        said = answer.json()
        for row in said["data"]:
            assert row["embedding"] == expected
        assert [(row["object"], row["index"]) for row in said["data"]] == [("embedding", 0), ("embedding", 1)]
        assert (said["model"], said["usage"], said["x_own"]) == ("m", {"prompt_tokens": 1.5}, {"a": 1})
        assert said["_freeride_provider"] == "alpha"
        assert stage["alpha"].posts[0].json["encoding_format"] == asked


def test_an_answer_that_is_encoded_as_asked_is_passed_on_byte_for_byte(tmp_path: Path) -> None:
    body = b'{"data": [ {"embedding" : [0.50, 1E0], "x":"\\u00e9"} ], "usage": {"a": 1.50} }'
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, body))
        assert stage.embed("double/embed").content.startswith(body[:-1])


@pytest.mark.parametrize("count", [1, 300, 2048])
def test_large_answers_are_encoded_too(tmp_path: Path, count: int) -> None:
    vector = [number / 1024 for number in range(1024)]
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(answering(*[vector] * count))
        rows = stage.embed("double/embed", input=["x"] * count, encoding_format="base64").json()["data"]
        assert len(rows) == count
        assert struct.unpack("<1024f", base64.b64decode(rows[-1]["embedding"])) == tuple(vector)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("x", 1),
        (["x"], 1),
        (["x", "y", "z"], 3),
        ([1, 2, 3], 1),
        ([[1, 2], [3]], 2),
        ([{"content": "x"}, {"content": "y"}], 2),
    ],
)
def test_as_many_vectors_as_inputs_are_wanted(tmp_path: Path, value: object, count: int) -> None:
    for has_enough in (True, False):
        with stage_of(tmp_path / str(has_enough), beta=(SAME,)) as stage:
            stage["alpha"].answer = always(answering(*[[0.5]] * (count if has_enough else count + 1)))
            stage["beta"].answer = always(answering(*[[0.5]] * count))
            answer = stage.embed("double/embed", input=value)
            assert answer.headers["x-freeride-provider"] == ("alpha" if has_enough else "beta")
            assert len(answer.json()["data"]) == count
            assert not stage.cooled()


@pytest.mark.parametrize("value", [{"texts": ["x"]}, [], 7, None])
def test_an_input_of_an_unknown_form_is_the_upstreams_to_judge(tmp_path: Path, value: object) -> None:
    with stage_of(tmp_path) as stage:
        stage["alpha"].answer = always(answering([0.5], [0.5]))
        assert len(stage.embed("double/embed", input=value).json()["data"]) == 2
