"""Strangers' providers and binders do for a user what ours do: whole answers, streams, tools, failures, and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from distributions import Site
from outside_plugins import MODELS, ask, fronted
from programs import clean_environ, post, run

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]
STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
each_provider = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="session")
def gateway(beside_core: Site) -> Iterator[str]:
    with fronted(beside_core, "acme", "orbit") as url:
        yield url


def check_head(body: dict[str, Any], kind: str) -> None:
    assert body["object"] == kind
    assert isinstance(body["id"], str)
    assert isinstance(body["model"], str)
    assert type(body["created"]) is int
    assert body["created"] > 1_700_000_000
    for usage in filter(None, [body.get("usage")]):
        counted = [usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
        assert all(type(number) is int for number in counted)


def choice_of(answer: httpx.Response) -> dict[str, Any]:
    """The one choice of a whole answer, as an official SDK would take it."""
    body = answer.json()
    check_head(body, "chat.completion")
    assert body["usage"]["completion_tokens"] > 0
    [choice] = body["choices"]
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"
    return dict(choice)


def chunks_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The choices of a stream's chunks, one by one."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [block.removeprefix("data: ") for block in answer.text.split("\n\n") if block.startswith("data: ")]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    for chunk in chunks:
        check_head(chunk, "chat.completion.chunk")
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    return choices


@each_provider
def test_it_answers_whole_and_streamed(gateway: str, name: str) -> None:
    said = f"Hello! This is {MODELS[name]}, as simulated for {name}."
    choice = choice_of(ask(gateway, name))
    assert (choice["message"]["content"], choice["finish_reason"]) == (said, "stop")
    choices = chunks_of(ask(gateway, name, **STREAM))
    assert len(choices) > 3, "it came in one piece"
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == said
    assert choices[-1]["finish_reason"] == "stop"


@each_provider
def test_it_calls_tools_whole_and_streamed(gateway: str, name: str) -> None:
    text = "Use get_weather for Paris"
    choice = choice_of(ask(gateway, name, text, tools=TOOLS))
    [call] = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]["name"], choice["finish_reason"]) == (
        "function",
        "get_weather",
        "tool_calls",
    )
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}

    choices = chunks_of(ask(gateway, name, text, tools=TOOLS, **STREAM))
    parts = [part for choice in choices for part in choice["delta"].get("tool_calls") or []]
    assert {part["index"] for part in parts} == {0}
    assert [bool(part.get("id")) for part in parts] == [True] + [False] * (len(parts) - 1)
    assert parts[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(part["function"].get("arguments", "") for part in parts)) == {"city": "Paris"}
    assert choices[-1]["finish_reason"] == "tool_calls"


@each_provider
def test_a_tools_result_reaches_the_model(gateway: str, name: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    messages = [
        {"role": "user", "content": "Use get_weather for Paris"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "drizzle"},
    ]
    content = choice_of(ask(gateway, name, tools=TOOLS, messages=messages))["message"]["content"]
    assert content.startswith("The tool answered: ")
    assert "drizzle" in content


def test_an_agent_is_bound_and_let_go_to_the_same_bytes(beside_core: Site, tmp_path: Path) -> None:
    settings = tmp_path / ".acmecode" / "settings.conf"
    settings.parent.mkdir()
    before = b"# mine\r\nmodel = acme/anvil-70b   # fast\r\n\r\ntheme = dark"
    settings.write_bytes(before)

    def bind(*options: str) -> str:
        result = run([beside_core.freeride, "bind", "acmecode", *options], clean_environ(tmp_path), cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert "+base_url = http://127.0.0.1:11343/v1" in bind("--dry-run")
    assert settings.read_bytes() == before
    bind()
    assert settings.read_bytes() == (
        b"# mine\r\nmodel = auto   # fast\r\n\r\ntheme = dark\r\n"
        b"base_url = http://127.0.0.1:11343/v1\r\napi_key = freeride-local\r\n"
    )
    bind("--undo")
    assert settings.read_bytes() == before


# A wire format of its own, under a gateway's eyes


HELLO = {"model": MODELS["orbit"], "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize("case", ["split-everywhere", "many-lines", "crlf"])
def test_however_its_stream_arrives_it_is_the_same(beside_core: Site, case: str) -> None:
    with fronted(beside_core, "orbit", case=case) as url:
        choices = chunks_of(ask(url, "orbit", **STREAM))
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    assert said == "Hello! This is models/nova-large, as simulated for orbit."


@pytest.mark.parametrize("case", ["cut-mid-stream", "eof-mid-stream", "error-mid-stream"])
def test_its_stream_that_breaks_off_is_not_ended_for_it(beside_core: Site, case: str) -> None:
    with fronted(beside_core, "orbit", case=case) as url:
        answer = post(f"{url}/v1/chat/completions", {**HELLO, "stream": True})
    *_, last, after = answer.text.split("\n\n")
    assert after == ""
    assert "error" in json.loads(last.removeprefix("data: "))
    assert "[DONE]" not in answer.text
    assert '"finish_reason":"' not in answer.text


@pytest.mark.parametrize(
    ("case", "stream", "kind"),
    [
        ("error-in-200", True, "unavailable"),
        ("error-in-200", False, "unavailable"),
        ("mid-stream-error", True, "unavailable"),
        ("sse-for-json", False, "protocol"),
        ("json-for-stream", True, "protocol"),
        ("rate-limited", True, "rate_limit"),
    ],
)
def test_its_errors_are_read_before_anything_is_said(beside_core: Site, case: str, stream: bool, kind: str) -> None:
    with fronted(beside_core, "orbit", case=case) as url:
        answer = post(f"{url}/v1/chat/completions", {**HELLO, "stream": stream})
    assert answer.status_code == 503
    [tried] = answer.json()["error"]["tried"]
    assert tried["last_error"] == kind
