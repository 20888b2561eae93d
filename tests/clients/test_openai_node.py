"""The official `openai` package for Node, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from installation import find_node, need
from programs import run
from served_gateway import FrontMaker

need("openai-node")

SCRIPT = Path(__file__).with_name("openai_node.cjs")
EXPECTED = "ONE_TWO"
Play = Callable[..., Any]


@pytest.fixture
def play(client_folder: Callable[[str], Path], client_environ: Mapping[str, str]) -> Play:
    """Plays a scene of the script against a gateway, and gives what it printed."""
    folder = client_folder("openai-node")

    def play(scene: str, url: str, **more: str) -> Any:
        own = {"CLIENT_FOLDER": str(folder), "GATEWAY_URL": url, "SCENE": scene}
        result = run([find_node(), SCRIPT], {**client_environ, **own, **more})
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return play


def test_a_completion_says_who_served(play: Play, gateway_url: str) -> None:
    told = play("completion", gateway_url)
    assert told["text"] == EXPECTED
    assert told["provider"] == told["stamp"] != ""


def test_a_stream_has_the_text_and_the_usage(play: Play, gateway_url: str) -> None:
    told = play("stream", gateway_url)
    assert told["text"] == EXPECTED
    assert told["tokens"] > 0


def test_a_tool_call_goes_round(play: Play, gateway_url: str) -> None:
    told = play("tools", gateway_url)
    assert told["asked"] == ["Paris"]
    assert "sunny, 21 C" in told["text"]


def test_embeddings_are_the_same_in_base64_and_as_numbers(play: Play, gateway_url: str) -> None:
    told = play("embeddings", gateway_url)
    assert told["count"] == 2
    assert told["size"] > 0
    assert told["near"]


def test_models_are_listed_and_found_by_their_names(play: Play, gateway_url: str) -> None:
    told = play("models", gateway_url)
    assert {"auto", "freeride/coding", told["one"]} <= set(told["ids"])


@pytest.mark.parametrize(
    ("model", "thrown", "status"),
    [("freeride/nonsense", "BadRequestError", 400), ("acme/none-such", "NotFoundError", 404)],
)
def test_a_mistake_throws_the_clients_own_exception(
    model: str, thrown: str, status: int, play: Play, gateway_url: str
) -> None:
    for told in play("failure", gateway_url, MODEL=model):
        assert (told["thrown"], told["status"]) == (thrown, status)


def test_when_every_provider_failed_the_error_says_when_to_come_back(play: Play, make_front: FrontMaker) -> None:
    front = make_front("groq", "nvidia")
    front.all_answer("rate-limited")
    for told in play("failure", front.url):
        assert (told["thrown"], told["status"], told["code"]) == ("InternalServerError", 503, "rate_limit")
        assert int(told["retryAfter"]) >= 1


def test_a_stream_that_breaks_midway_throws_after_what_had_come(play: Play, make_front: FrontMaker) -> None:
    front = make_front("groq")
    front.all_answer("cut-mid-stream")
    _, told = play("failure", front.url)
    assert told["thrown"] == "APIError"
    assert told["text"]


def test_the_client_never_sees_a_failing_provider(play: Play, make_front: FrontMaker) -> None:
    front = make_front("groq", "nvidia")
    front.simulators["groq"].always("error-first-event")
    assert play("stream", front.url)["text"] == EXPECTED
    assert (front.attempts[0], front.attempts[-1]) == ("groq", "nvidia")
