"""`/v1/messages` over sockets: what its clients get while providers answer, fail and break off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import (
    HANG,
    TEXT,
    GatewayStage,
    Script,
    always,
    completion,
    in_turn,
    provider,
    refusal,
    reply,
    stream,
    until,
)
from message_cases import A_CALL, TOOLS, A, calls, end, say, text, tool
from message_reader import ReadMessage, read_message

CLIENT = httpx.Client(verify=False, trust_env=False, timeout=20)
VERSION = {"anthropic-version": "2023-06-01"}
DEAD = always(refusal(500, "Internal error"))


def ask(
    stage: GatewayStage, path: str = "/v1/messages", headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    body = {"model": "auto", "max_tokens": 99, "messages": [{"role": "user", "content": "Say hello."}], **fields}
    return CLIENT.post(stage.url + path, json=body, headers={**VERSION, **(headers or {})})


def read(answer: httpx.Response) -> ReadMessage:
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return read_message(answer.content)


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/v1/messages", "/v1/messages/"])
def test_a_message_is_answered_whole_and_streamed(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        whole = ask(stage, path)
        assert whole.json()["content"] == [{"type": "text", "text": TEXT}]
        assert whole.json()["model"] == "double/one"
        assert whole.json()["_freeride_provider"] == "alpha"
        streamed = ask(stage, path, stream=True)
        assert read(streamed).content == [{"type": "text", "text": f"{TEXT} "}]
        for answer in (whole, streamed):
            assert answer.headers["x-freeride-provider"] == "alpha"
            assert answer.headers["request-id"] == answer.headers["x-freeride-request-id"]
        assert [seen.path for seen in stage["alpha"].posts] == ["/v1/chat/completions"] * 2
        assert stage["alpha"].posts[0].json["max_tokens"] == 99
        started = until(lambda: stage.events("request_start"))
        assert started[0]["protocol"] == "messages"


def test_a_tool_call_is_closed_once_it_is_complete(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(stream(say("So"), calls(A), end("stop")))
        message = read(ask(stage, stream=True, tools=TOOLS))
        assert message.content == [text("So"), A_CALL]
        assert message.message["stop_reason"] == "tool_use"


FAULTS: dict[str, Script] = {
    "429": refusal(429, "Slow down", {"retry-after": "9"}),
    "401": refusal(401, "Bad key"),
    "500": refusal(500),
    "HTML": reply(200, b"<html>", content_type="text/html"),
    "an empty stream": stream(end("stop")),
    "an error before the first word": stream(b'data: {"error":{"message":"no","code":429}}\n\n'),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_next_provider_answers_where_the_first_fails(tmp_path: Path, fault: str, *, is_stream: bool) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = in_turn(FAULTS[fault])
        answer = ask(stage, stream=is_stream)
        assert answer.status_code == 200
        assert answer.headers["x-freeride-provider"] == "beta"
        content = read(answer).content if is_stream else answer.json()["content"]
        assert content[0]["text"].strip() == TEXT


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_that_no_client_can_read_is_an_error_or_the_next_providers(
    tmp_path: Path, *, is_stream: bool
) -> None:
    with GatewayStage(tmp_path) as stage:
        entry = tool(0, "a", "Read", '{"x"')
        message = {"role": "assistant", "content": None, "tool_calls": [entry]}
        whole = completion(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])
        stage["alpha"].answer = always(stream(calls(entry), end()) if is_stream else reply(200, whole))
        answer = ask(stage, stream=is_stream, tools=TOOLS)
        if is_stream:
            ended = read(answer)
            assert ended.error is not None
            assert ended.content == []
        else:
            assert answer.headers["x-freeride-provider"] == "beta"


@pytest.mark.parametrize("tail", [[], [HANG]])
def test_a_broken_stream_ends_in_an_error_event(tmp_path: Path, tail: list[Any]) -> None:
    with GatewayStage(tmp_path, provider("alpha"), environ={"FREERIDE_IDLE_TIMEOUT": "0.2"}) as stage:
        stage["alpha"].answer = always(stream(say("Hel"), calls(A), *tail, ends=not tail))
        message = read(ask(stage, stream=True, tools=TOOLS))
        assert message.error is not None
        assert message.error["type"] == "api_error"
        assert message.error["message"].startswith("Network error: ")
        assert message.content == [text("Hel")], "the call may be cut, and is not run"
        assert until(lambda: stage.events("request_mid_stream_error"))


def test_a_client_hears_pings_while_it_waits(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keep_alive_s=0.1) as stage:
        stage["alpha"].answer = always(stream(0.35, say("Hi"), 0.35, end("stop")))
        message = read(ask(stage, stream=True))
        assert message.pings >= 4
        assert message.content == [text("Hi")]


def test_pings_end_in_an_error_event_where_nobody_answers(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keep_alive_s=0.1) as stage:
        stage["alpha"].answer = always([0.3, *refusal(500)])
        message = read(ask(stage, stream=True))
        assert message.pings >= 1
        assert message.error is not None
        assert message.error["type"] == "overloaded_error"
        assert message.error["code"] == "all_upstreams_failed"


def test_a_failed_walk_says_when_to_come_back(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = stage["beta"].answer = always(refusal(429, "Slow down", {"retry-after": "9"}))
        answer = ask(stage)
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 9
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("overloaded_error", "all_upstreams_failed")
        assert {entry["provider"] for entry in error["tried"]} == {"alpha", "beta"}


def test_a_prompt_that_fits_nowhere_is_told_in_the_words_that_agents_look_for(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        words = "This model's maximum context length is 8192 tokens. You requested 9000 tokens."
        stage["alpha"].answer = always(refusal(400, words, code="context_length_exceeded"))
        answer = ask(stage)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == f"prompt is too long: {words}"


@pytest.mark.parametrize(
    ("path", "fields", "status", "kind", "words"),
    [
        ("/v1/messages", {"model": "claude-opus-5-5"}, 404, "not_found_error", "ANTHROPIC_MODEL=auto"),
        ("/v1/messages/count_tokens", {"model": "claude-opus-5-5"}, 404, "not_found_error", "ANTHROPIC_MODEL=auto"),
        ("/v1/messages", {"messages": [{"role": "x", "content": ""}]}, 400, "invalid_request_error", "messages.0.role"),
        ("/v1/messages/count_tokens", {"messages": []}, 400, "invalid_request_error", "at least one message"),
        ("/v1/messages/batches", {}, 404, "not_found_error", "Nothing is served"),
    ],
)  # fmt: skip
def test_an_error_has_the_shape_of_the_protocol(
    tmp_path: Path, path: str, fields: dict[str, Any], status: int, kind: str, words: str
) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        answer = ask(stage, path, **fields)
        body = answer.json()
        assert (answer.status_code, body["type"], body["error"]["type"]) == (status, "error", kind)
        assert words in body["error"]["message"]
        assert body["request_id"] == answer.headers["request-id"]
        assert stage["alpha"].posts == []


def test_a_stranger_is_turned_away_in_the_shape_of_the_protocol(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), environ={"FREERIDE_TOKEN": "let-me-in"}) as stage:
        refused = ask(stage)
        assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
        assert ask(stage, headers={"x-api-key": "let-me-in"}).status_code == 200
        assert ask(stage, headers={"authorization": "Bearer let-me-in"}).status_code == 200


def test_tokens_are_counted_here(tmp_path: Path) -> None:
    """Traps 16 to 18: a count of texts alone, one sent upstream, and one that takes a model out of use."""
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        bare = ask(stage, "/v1/messages/count_tokens?beta=true")
        full = ask(stage, "/v1/messages/count_tokens", tools=TOOLS)
        assert full.json()["input_tokens"] > bare.json()["input_tokens"] + 350
        assert full.headers["x-freeride-estimate"] == "true"
        assert list(full.json()) == ["input_tokens"]
        assert stage["alpha"].posts == []
        assert stage.events("request_start") == []


def test_a_request_for_no_tokens_asks_nobody(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        answer = ask(stage, max_tokens=0).json()
        assert (answer["content"], answer["stop_reason"]) == ([], "max_tokens")
        assert stage["alpha"].posts == []


def test_what_is_left_out_is_named_in_a_header(tmp_path: Path) -> None:
    tools = [*TOOLS, {"type": "web_search_20260318", "name": "web_search"}]
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        for is_stream in (False, True):
            answer = ask(stage, tools=tools, top_k=3, stream=is_stream)
            assert answer.headers["x-freeride-dropped"] == "tools.web_search, top_k"


def test_models_are_listed_in_the_shape_that_the_client_asks_for(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        page = stage.get("/v1/models?limit=1000", **VERSION).json()
        assert page["data"][0]["id"] == "claude-freeride-auto"
        assert "double/one" in [entry["id"] for entry in page["data"]]
        assert stage.get("/v1/models").json()["object"] == "list"
        assert stage.get("/v1/models/double/one", **VERSION).json()["type"] == "model"
        assert stage.get("/v1/models/nope", **VERSION).json()["error"]["type"] == "not_found_error"
        assert ask(stage, model="claude-freeride-auto").status_code == 200


def test_nothing_of_a_conversation_is_kept(tmp_path: Path) -> None:
    secret = "xylophone-7431"
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = in_turn(
            stream(say(secret), calls({**A, "function": {"name": "Read", "arguments": f'{{"x":"{secret}"}}'}}), end()),
            refusal(500, secret),
            stream(say(secret)),
        )
        for _ in range(3):
            ask(stage, stream=True, tools=TOOLS, system=secret, messages=[{"role": "user", "content": secret}])
        ask(stage, messages=[{"role": secret, "content": secret}])
        until(lambda: len(stage.events("request_complete", "request_failed", "request_mid_stream_error")) >= 3)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_a_client_that_leaves_ends_the_upstreams_work(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(stream(say("Hi"), HANG))
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        with CLIENT.stream("POST", f"{stage.url}/v1/messages", json=body) as answer:
            assert next(answer.iter_bytes()).startswith(b"event: message_start")
        until(lambda: stage["alpha"].posts and stage["alpha"].posts[0].gone_after_s is not None)
