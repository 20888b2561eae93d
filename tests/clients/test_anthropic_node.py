"""The official `@anthropic-ai/sdk` package for Node, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import CLOSE, RESET, GatewayStage, ReceivedRequest, Script, always, provider, reply, stream
from installation import find_node, need
from message_cases import CASES, FIELDS, SAYS_SOMETHING, TOOLS, say, whole_of
from programs import loopback_environ, run
from served_gateway import FrontMaker

need("anthropic-node")

SCRIPT = Path(__file__).with_name("anthropic_node.cjs")
EXPECTED = "ONE_TWO"
Play = Callable[..., Any]


@pytest.fixture(scope="module")
def play(
    client_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory, machine_environ: Mapping[str, str]
) -> Play:
    """Plays a scene of the script against a gateway, and gives what it printed."""
    folder = client_folder("anthropic-node")
    node = find_node(machine_environ)
    environ = loopback_environ(tmp_path_factory.mktemp("node"), {})

    def play(scene: str, url: str, *, prompts: object = None, **fields: Any) -> Any:
        own = {"CLIENT_FOLDER": str(folder), "GATEWAY_URL": url, "SCENE": scene}
        given = {"FIELDS": json.dumps(fields), "PROMPTS": json.dumps(prompts)}
        result = run([node, SCRIPT], {**environ, **own, **given})
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return play


def test_a_question_is_answered(play: Play, gateway_url: str) -> None:
    for told in play("question", gateway_url).values():
        message = told["message"]
        assert message["content"][0]["text"] == EXPECTED
        assert message["stop_reason"] == "end_turn"
        assert message["usage"]["input_tokens"] > 0


def test_tokens_are_counted_and_models_listed(play: Play, gateway_url: str) -> None:
    counted = play("counts", gateway_url, tools=TOOLS)
    assert counted["tokens"] > 350
    assert counted["mark"] == "true"
    listed = play("models", gateway_url)
    assert listed["ids"][0] == "claude-freeride-auto"
    assert listed["one"] == listed["ids"][-1]


def test_a_failing_provider_is_never_seen(play: Play, make_front: FrontMaker) -> None:
    front = make_front("groq", "nvidia")
    front.simulators["groq"].always("rate-limited")
    for told in play("question", front.url).values():
        assert told["message"]["content"][0]["text"] == EXPECTED
    assert (front.attempts[0], front.attempts[-1]) == ("groq", "nvidia")


def test_when_every_provider_failed_the_error_says_when_to_come_back(play: Play, make_front: FrontMaker) -> None:
    front = make_front("groq", "nvidia")
    front.all_answer("rate-limited")
    for told in play("question", front.url).values():
        assert (told["thrown"], told["status"]) == ("ServiceUnavailableError", 503)
        assert (told["type"], told["code"]) == ("overloaded_error", "all_upstreams_failed")
        assert int(told["retryAfter"]) >= 1
        assert told["id"].startswith("req_")


@pytest.mark.parametrize(
    ("fields", "thrown", "status", "kind"),
    [
        ({"model": "claude-opus-5-5"}, "NotFoundError", 404, "not_found_error"),
        ({"messages": []}, "BadRequestError", 400, "invalid_request_error"),
    ],
)
def test_a_mistake_throws_the_sdks_own_exception(
    play: Play, gateway_url: str, fields: dict[str, Any], thrown: str, status: int, kind: str
) -> None:
    for told in play("question", gateway_url, **fields).values():
        assert (told["thrown"], told["status"], told["type"]) == (thrown, status, kind)


@pytest.fixture(scope="module")
def told(play: Play, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the SDK makes of every case, whole and streamed. The prompt is the name of the case."""

    def answer(seen: ReceivedRequest) -> Script:
        case = CASES[seen.json["messages"][-1]["content"]]
        return stream(*case.chunks) if seen.json.get("stream") else reply(200, whole_of(case))

    with GatewayStage(tmp_path_factory.mktemp("stage"), provider("alpha")) as stage:
        stage["alpha"].answer = answer
        return play("conversations", stage.url, prompts=SAYS_SOMETHING, **FIELDS)


def blocks_of(message: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in block.items() if value is not None} for block in message["content"]]


@pytest.mark.parametrize("name", SAYS_SOMETHING)
def test_the_sdk_reads_a_stream_as_it_was_meant(told: Any, name: str) -> None:
    case, streamed = CASES[name], told[name]["streamed"]
    if case.stop_reason is None:
        assert streamed["thrown"] is not None
        return
    message = streamed["message"]
    assert blocks_of(message)[: len(case.content)] == case.content
    assert len(message["content"]) == len(case.content) + case.open_blocks
    assert message["stop_reason"] == case.stop_reason
    assert streamed["text"] == "".join(block.get("text", "") for block in case.content)


@pytest.mark.parametrize("name", [name for name in SAYS_SOMETHING if CASES[name].message is not None])
def test_the_sdk_reads_a_whole_answer_as_it_was_meant(told: Any, name: str) -> None:
    message = told[name]["whole"]["message"]
    assert blocks_of(message) == CASES[name].content
    assert message["stop_reason"] == CASES[name].stop_reason


@pytest.mark.parametrize("break_off", [[*stream(say("Hel")), CLOSE], [*stream(say("Hel"), ends=False), RESET]])
def test_the_sdk_throws_where_a_stream_breaks(play: Play, tmp_path: Path, break_off: Script) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(break_off)
        streamed = play("stream", stage.url)
    assert (streamed["thrown"], streamed["type"], streamed["text"]) == ("APIError", "api_error", "Hel")
    assert "Network error" in streamed["words"]
