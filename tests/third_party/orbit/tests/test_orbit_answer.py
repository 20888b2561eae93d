"""Orbit's answers as OpenAI's clients get them, wherever the network cuts them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeride_core import Answer, Decoder, ErrorKind, Operation, Phase
from freeride_core.gateway.http import sse
from freeride_core.gateway.protocols.request import parse_call
from freeride_provider_orbit import freeride_register_provider

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
WIRE = PROVIDER.wires[Operation.CHAT]
COUNTED = {"promptTokenCount": 8, "candidatesTokenCount": 16, "thoughtsTokenCount": 32, "totalTokenCount": 56}
USAGE = {"prompt_tokens": 8, "completion_tokens": 48, "total_tokens": 56}
CALL = {"functionCall": {"name": "get_weather", "args": {"city": "Zażółć 🐢"}, "id": "fc-1"}}
NAMELESS = {"functionCall": {"name": "get_time", "args": {}}}
ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


def decoder(*, stream: bool, include_usage: bool = True) -> Decoder:
    fields = {"model": "auto", "messages": [], "stream": stream, "stream_options": {"include_usage": include_usage}}
    made = WIRE.decoder(parse_call(Operation.CHAT, json.dumps(fields).encode(), NOW), PROVIDER.catalog.models[0])
    assert made is not None
    return made


def decoded(data: bytes, *, stream: bool = True, include_usage: bool = True, cuts: tuple[int, ...] = ()) -> bytes:
    """What comes out once `data` has gone in, cut at these places."""
    made = decoder(stream=stream, include_usage=include_usage)
    places = [0, *sorted(cuts), len(data)]
    pieces = [made.decode(data[start:end]) for start, end in itertools.pairwise(places)]
    return b"".join(pieces) + made.flush()


def frame(*parts: Any, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "nova-large-001", "responseId": "r-1", **more}


def streamed(*frames: Any, end: str = "\r\n") -> bytes:
    return "".join(f"data: {json.dumps(each, ensure_ascii=False)}{end}{end}" for each in frames).encode()


def events(data: bytes) -> list[Any]:
    """The events, decoded; what is no JSON as text."""
    blocks, rest = sse.split(data)
    assert rest == b""
    found = [sse.parse(block).data or b"" for block in blocks]
    return [json.loads(each) if each.startswith(b"{") else each.decode() for each in found]


def choices(data: bytes) -> list[Any]:
    return [chunk["choices"][0] for chunk in events(data) if isinstance(chunk, dict) and chunk["choices"]]


def deltas(data: bytes) -> list[Any]:
    return [choice["delta"] for choice in choices(data)]


TALK = streamed(
    frame({"text": "Let me think.", "thought": True}),
    frame({"text": "Grüße, "}),
    frame({"text": "żółw 🐢"}),
    frame({"text": ""}, finish="STOP", usageMetadata=COUNTED),
)
TOOLS = streamed(frame(CALL), frame(NAMELESS, NAMELESS), frame({"text": ""}, finish="STOP", usageMetadata=COUNTED))


def test_a_stream_is_told_in_chunks_and_ends_with_usage_and_done() -> None:
    head = {"id": "r-1", "object": "chat.completion.chunk", "created": int(NOW), "model": "nova-large-001"}
    told = events(decoded(TALK))
    assert told == [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in (
            ({"role": "assistant", "content": "", "reasoning": "Let me think."}, None),
            ({"content": "Grüße, "}, None),
            ({"content": "żółw 🐢"}, None),
            ({}, "stop"),
        )
    ] + [{**head, "choices": [], "usage": USAGE}, "[DONE]"]


def test_usage_comes_only_to_those_who_asked() -> None:
    told = decoded(TALK, include_usage=False)
    assert b'"usage"' not in told
    assert told.endswith(b"data: [DONE]\n\n")


def test_each_event_is_told_as_soon_as_it_is_whole() -> None:
    made = decoder(stream=True)
    data = streamed(frame({"text": "now"}))
    assert made.decode(data[:-1]) == b""
    assert b'"now"' in made.decode(data[-1:])


def test_tool_calls_have_ids_and_places_and_are_the_reason_to_finish() -> None:
    told = decoded(TOOLS)
    calls = [call for delta in deltas(told) for call in delta.get("tool_calls", [])]
    assert [call["index"] for call in calls] == [0, 1, 2]
    assert calls[0]["id"] == "fc-1"
    assert len({call["id"] for call in calls}) == 3
    assert all(call["type"] == "function" for call in calls)
    assert json.loads(calls[0]["function"]["arguments"]) == {"city": "Zażółć 🐢"}
    assert choices(told)[-1]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("SOMETHING_NEW", "stop")],
)
def test_the_reason_to_finish_is_translated(theirs: str, ours: str) -> None:
    assert choices(decoded(streamed(frame({"text": "x"}, finish=theirs))))[-1]["finish_reason"] == ours
    whole = json.loads(decoded(json.dumps(frame({"text": "x"}, finish=theirs)).encode(), stream=False))
    assert whole["choices"][0]["finish_reason"] == ours


def test_several_answers_are_kept_apart_and_all_must_finish() -> None:
    first = [frame({"text": "a"}, index=0), frame({"text": "b"}, index=1), frame(finish="STOP", index=1)]
    assert b"[DONE]" not in decoded(streamed(*first))
    told = decoded(streamed(*first, frame(finish="STOP", index=0)))
    assert [(choice["index"], choice["finish_reason"]) for choice in choices(told)] == [
        (0, None), (1, None), (1, "stop"), (0, "stop"),
    ]  # fmt: skip
    assert told.endswith(b"data: [DONE]\n\n")


def test_a_whole_answer_is_a_completion() -> None:
    answer = frame(
        {"text": "Hm.", "thought": True}, {"text": "Grü"}, {"text": "ße"}, finish="STOP", usageMetadata=COUNTED
    )
    assert json.loads(decoded(json.dumps(answer).encode(), stream=False)) == {
        "id": "r-1",
        "object": "chat.completion",
        "created": int(NOW),
        "model": "nova-large-001",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Grüße", "reasoning": "Hm."},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


def test_a_whole_answer_with_a_tool_call_has_no_content() -> None:
    [choice] = json.loads(decoded(json.dumps(frame(CALL, finish="STOP")).encode(), stream=False))["choices"]
    [call] = choice["message"]["tool_calls"]
    assert choice["message"]["content"] is None
    assert choice["finish_reason"] == "tool_calls"
    assert call == {
        "id": "fc-1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": json.dumps({"city": "Zażółć 🐢"})},
    }


def test_a_prompt_that_was_blocked_says_so() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"}
    whole = json.loads(decoded(json.dumps(blocked).encode(), stream=False))
    assert whole["choices"][0]["finish_reason"] == "content_filter"
    assert choices(decoded(streamed(blocked)))[-1]["finish_reason"] == "content_filter"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "body", [json.dumps(ERROR), json.dumps([ERROR]), "<html>no</html>", "", '{"candidates":[]', "7"]
)
def test_what_is_no_answer_passes_as_it_came(body: str, stream: bool) -> None:
    assert decoded(body.encode(), stream=stream) == body.encode()


def test_an_error_midway_is_found() -> None:
    told = decoded(streamed(frame({"text": "Hello"}), ERROR))
    assert b"[DONE]" not in told
    assert [event["choices"][0]["finish_reason"] for event in events(told) if "choices" in event] == [None]
    [failure] = [
        reading.failure
        for event in events(told)
        if (reading := WIRE.read(Answer(200, {}, json.dumps(event).encode(), NOW, Phase.EVENT))).failure
    ]
    assert (failure.kind, failure.message) == (ErrorKind.UNAVAILABLE, "The model is overloaded.")


@given(st.integers(0, len(TALK)))
def test_a_stream_that_is_cut_off_is_not_ended_for_it(place: int) -> None:
    told = decoded(TALK[:place])
    is_finished = place > TALK.rindex(b"}")  # nothing but the end of a line is missing
    assert (b"[DONE]" in told) == is_finished
    assert (b'"finish_reason":"' in told) == is_finished


def test_comments_and_odd_events_pass() -> None:
    data = b": keep-alive\n\ndata: not JSON at all\n\n" + streamed(frame({"text": "x"}, finish="STOP"))
    assert decoded(data).startswith(b": keep-alive\n\ndata: not JSON at all\n\ndata: {")


SAMPLES = [
    TALK,
    TOOLS,
    TALK.replace(b"\r\n", b"\n"),
    TALK.replace(b"\r\n", b"\r"),
    TALK.replace(b"data: {", b"data:{\ndata:"),
    TALK[:-3],
    streamed(frame({"text": "Hello"}), ERROR),
    b": one\n\n" + TALK + b"\n\n\n",
    json.dumps(ERROR).encode(),
]


@settings(deadline=None)
@given(st.sampled_from(SAMPLES), st.booleans(), st.lists(st.integers(0, 1200), max_size=12))
def test_where_the_bytes_are_cut_makes_no_difference(data: bytes, stream: bool, places: list[int]) -> None:
    cuts = tuple(place for place in places if place < len(data))
    assert decoded(data, stream=stream, cuts=cuts) == decoded(data, stream=stream)


@pytest.mark.parametrize("data", SAMPLES)
def test_one_byte_at_a_time_makes_no_difference(data: bytes) -> None:
    assert decoded(data, cuts=tuple(range(len(data)))) == decoded(data)


WORDS = ["candidates", "content", "parts", "text", "functionCall", "name", "index", "usageMetadata", "finishReason"]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(ODD, st.booleans())
def test_whatever_orbit_says_there_is_an_answer(odd: Any, stream: bool) -> None:
    odd = {"candidates": [odd], "promptFeedback": None} if isinstance(odd, dict) else odd
    body = streamed(odd) if stream else json.dumps(odd).encode()
    assert isinstance(decoded(body, stream=stream), bytes)
