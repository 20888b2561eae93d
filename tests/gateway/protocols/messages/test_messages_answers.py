"""Answers in the form of the Messages API: what an upstream says arrives, streamed and whole, wherever the bytes are cut."""

from __future__ import annotations

import base64
import json
import random
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_upstream import completion
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.messages.encoder import MessageEncoder
from freeride_core.gateway.protocols.messages.request import parse_messages
from message_cases import ACCEPTED, CASES, TOLD, TOOLS, USAGE, A, calls, end, say, think, tool, used
from message_reader import ReadMessage, read_message

ADAPTIVE = {"type": "adaptive", "display": "summarized"}
BROKEN = ClientError(status=502, message="Network error: it broke off.", type="server_error", code="network")


def encoder(**more: Any) -> MessageEncoder:
    request = {
        "model": "auto",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": TOOLS,
        "stop_sequences": ["END"],
    }
    body = json.dumps(request | {"thinking": ADAPTIVE, "stream": True} | more).encode()
    return MessageEncoder(parse_messages(body, 0.0), "req_5eed")


def streamed(pieces: list[bytes], *, is_broken: bool = False, **more: Any) -> ReadMessage:
    """What a client reads where an upstream sends these pieces, with the gateway's part in it."""
    writing = encoder(**more)
    data = writing.begin("served/model") + b"".join(map(writing.feed, pieces))
    if writing.failure is None and not is_broken:
        data += writing.end()
    if writing.failure is not None or is_broken:
        data += writing.error_event(BROKEN, "req_5eed")
    return read_message(data)


def whole(message: dict[str, Any], finish: str, **more: Any) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": finish,
        **more.pop("choice", {}),
    }
    writing = encoder(**more)
    writing.begin("served/model")
    body = writing.whole(json.dumps(completion(choices=[choice], usage=USAGE)).encode())
    assert writing.failure is None
    answer: dict[str, Any] = json.loads(body)
    return answer


@pytest.mark.parametrize("name", CASES)
def test_a_stream_says_what_the_upstream_said(name: str) -> None:
    case = CASES[name]
    read = streamed(case.chunks)
    assert read.content == case.content
    assert len(read.message["content"]) - len(read.closed) == case.open_blocks
    assert read.is_whole is (case.stop_reason is not None)
    assert read.is_whole is (read.error is None)
    assert read.message["stop_reason"] == case.stop_reason
    assert read.message["model"] == "served/model"
    assert read.message["id"] == "msg_5eed"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.message is not None])
def test_a_whole_answer_says_the_same(name: str) -> None:
    case = CASES[name]
    assert case.message is not None
    answer = whole(case.message, case.finish, choice=case.choice)
    read = streamed(case.chunks)
    assert answer["content"] == case.content
    assert answer["usage"] == TOLD
    same = ("id", "type", "role", "model", "stop_reason", "stop_sequence")
    assert [answer[member] for member in same] == [read.message[member] for member in same]


@pytest.mark.parametrize("name", CASES)
def test_a_stream_says_the_same_byte_by_byte(name: str) -> None:
    data = b"".join(CASES[name].chunks)
    assert streamed([data[at : at + 1] for at in range(len(data))]) == streamed([data])


@given(st.sampled_from(sorted(CASES)), st.integers(0, 3000), st.integers(0, 3000))
def test_a_stream_says_the_same_wherever_it_is_cut(name: str, one: int, other: int) -> None:
    data = b"".join(CASES[name].chunks)
    first, second = sorted((min(one, len(data)), min(other, len(data))))
    assert streamed([data[:first], data[first:second], data[second:]]) == streamed([data])


@pytest.mark.parametrize("name", ["usage with the finish", "usage in every chunk", "text"])
def test_tokens_are_counted_once_wherever_an_upstream_reports_them(name: str) -> None:
    """Traps 13 and 14: a start without tokens, and cached ones counted twice."""
    assert streamed(ACCEPTED[name].chunks).message["usage"] == TOLD


def test_tokens_that_no_upstream_reports_are_estimated() -> None:
    usage = streamed(ACCEPTED["one call"].chunks).message["usage"]
    assert usage["input_tokens"] > 100
    assert usage["output_tokens"] == 2


def test_thinking_tokens_are_told() -> None:
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 7}}
    body = completion("Hi", usage=usage)
    writing = encoder()
    writing.begin("m")
    assert json.loads(writing.whole(json.dumps(body).encode()))["usage"]["output_tokens_details"] == {
        "thinking_tokens": 7
    }


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [say("Hel")],
        [think("Hm")],
        [calls(tool(0, "a", "Read", '{"x"'))],
        [calls(tool(0, "a", "Read", '{"x": 1}'))],
        [calls(tool(0, "a", "Read", '{"x": 1}')), calls(tool(1, "b", "Bash", "{"))],
    ],
)
def test_a_broken_stream_ends_in_an_error_and_runs_no_tool_that_may_be_cut(chunks: list[bytes]) -> None:
    """Trap 36: a cut answer that looks whole."""
    read = streamed(chunks, is_broken=True)
    assert read.error is not None
    assert read.error["type"] == "api_error"
    assert read.message["stop_reason"] is None
    begun = [block["name"] for block in read.message["content"] if block["type"] == "tool_use"]
    assert [block["name"] for block in read.content if block["type"] == "tool_use"] == begun[:-1]


def test_an_error_can_be_all_that_a_stream_says() -> None:
    read = read_message(encoder().error_event(BROKEN, "req_1"))
    assert read.error is not None
    assert read.message == {}


@pytest.mark.parametrize(
    ("thinking", "shown"),
    [
        ({"type": "disabled"}, []),
        ({"type": "enabled", "budget_tokens": 1024}, [{"type": "thinking", "thinking": "Hm.", "signature": "fr1."}]),
        ({"type": "adaptive", "display": "omitted"}, [{"type": "thinking", "thinking": "", "signature": "fr1.*"}]),
    ],
)
def test_thinking_is_shown_as_it_was_asked_for(thinking: dict[str, Any], shown: list[dict[str, str]]) -> None:
    case = ACCEPTED["reasoning and text"]
    assert case.message is not None
    read = streamed(case.chunks, thinking=thinking).content
    assert whole(case.message, "stop", thinking=thinking)["content"] == read
    told = [
        {**block, "signature": "fr1.*" if len(block["signature"]) > 4 else block["signature"]} for block in read[:-1]
    ]
    assert told == shown


SIGNED = {"google": {"thought_signature": "CvQBAXLI2nzB64=="}}


def returned(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages that an upstream gets when a client sends back what it was given."""
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
    parsed = parse_messages(json.dumps({"model": "auto", "messages": messages}).encode(), 0.0)
    returned: list[dict[str, Any]] = parsed.call.value("messages")
    return returned


@pytest.mark.parametrize("display", ["omitted", "summarized"])
@pytest.mark.parametrize("before", [[], [think("Hm.")], [say("So")], [think("Hm."), say("So")]])
def test_what_an_upstream_wants_back_with_a_call_comes_back(before: list[bytes], display: str) -> None:
    signed, plain = {**A, "extra_content": SIGNED}, tool(1, "b", "Bash", '{"x": 2}')
    thinking = {"type": "adaptive", "display": display}
    content = streamed([*before, calls(signed), calls(plain), end()], thinking=thinking).content
    words: dict[str, Any] = {}
    for each in before:
        words |= json.loads(each.removeprefix(b"data: "))["choices"][0]["delta"]
    message = {**words, "tool_calls": [signed, plain]}
    assert whole(message, "tool_calls", thinking=thinking)["content"] == content
    assert [block["type"] for block in content[-3:]] == ["thinking", "tool_use", "tool_use"]
    _, turn, *_ = returned(content)
    assert [call.get("extra_content") for call in turn["tool_calls"]] == [SIGNED, None]
    assert turn.get("reasoning_content") == words.get("reasoning")


@pytest.mark.parametrize("thinking", [{"type": "disabled"}, {"type": "adaptive", "display": "omitted"}])
def test_what_has_no_place_or_is_too_long_does_not_come_back(thinking: dict[str, Any]) -> None:
    noise = random.Random(7).randbytes(40_000).hex()
    extra_content = {"google": {"thought_signature": noise if thinking["type"] == "adaptive" else "C"}}
    content = streamed([calls({**A, "extra_content": extra_content}), end()], thinking=thinking).content
    assert all(len(block.get("signature", "")) < 40_000 for block in content)
    _, turn, *_ = returned(content)
    assert "extra_content" not in turn["tool_calls"][0]


@given(st.one_of(st.binary(max_size=60), st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps)))
def test_a_signature_of_a_clients_making_does_no_harm(payload: bytes | str) -> None:
    data = payload.encode() if isinstance(payload, str) else payload
    for packed in (zlib.compress(data), data):
        text = base64.urlsafe_b64encode(packed).decode()
        for signature in (f"fr1.{text}", f"fr1..{text}", f"fr1.{text}.{text}", f"fr1.{text[:-3]}"):
            block = {"type": "thinking", "thinking": "", "signature": signature}
            _, turn, *_ = returned([block, used("a", x=1)])
            assert "extra_content" not in turn["tool_calls"][0]


@given(st.text(max_size=200), st.sampled_from(["omitted", "summarized"]))
def test_reasoning_comes_back_with_the_client(words: str, display: str) -> None:
    content = streamed([think("Because "), think(words)], thinking={"type": "adaptive", "display": display}).content
    assert returned([*content, {"type": "text", "text": "So."}])[1] == {
        "role": "assistant",
        "content": "So.",
        "reasoning_content": f"Because {words}",
    }
