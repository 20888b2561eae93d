"""What Orbit is asked, of what clients ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeride_core import Call, Key, Model, Operation, UpstreamRequest
from freeride_core.gateway.protocols.request import parse_call
from freeride_provider_orbit import MODELS, freeride_register_provider

WIRE = freeride_register_provider().wires[Operation.CHAT]
LARGE, SMALL = MODELS
KEY = Key(
    provider="orbit",
    secret="orb_00000000000000000000",
    fingerprint="0" * 12,
    index=0,
    variable="ORBIT_API_KEY",
    key_header="x-goog-api-key",
    base_url="https://api.orbit.example/v1beta",
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}


def call_of(**fields: Any) -> Call:
    return parse_call(Operation.CHAT, json.dumps({"model": "auto", "messages": [], **fields}).encode())


def prepared(model: Model = LARGE, **fields: Any) -> UpstreamRequest:
    return WIRE.prepare(call_of(**fields), model, KEY)


def sent(**fields: Any) -> Any:
    return json.loads(prepared(**fields).body)


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def test_model_and_streaming_stand_in_the_url_and_the_key_in_a_header() -> None:
    whole, streamed = prepared(), prepared(stream=True)
    assert whole.url == "https://api.orbit.example/v1beta/models/nova-large:generateContent"
    assert streamed.url == "https://api.orbit.example/v1beta/models/nova-large:streamGenerateContent?alt=sse"
    for request in (whole, streamed):
        assert dict(request.headers) == {"x-goog-api-key": KEY.secret, "content-type": "application/json"}


def test_a_plain_request_is_its_contents_and_no_more() -> None:
    assert sent(messages=[{"role": "user", "content": "Hi"}], user="me", logit_bias={}) == {
        "contents": [user({"text": "Hi"})]
    }


def test_instructions_are_apart_from_the_conversation() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "How are you?"},
    ]
    assert sent(messages=messages) == {
        "contents": [
            user({"text": "Hi"}),
            {"role": "model", "parts": [{"text": "Hello"}]},
            user({"text": "How are you?"}),
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
    }


def test_images_and_sound_come_along() -> None:
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": "UklGRg=="}},
    ]
    assert sent(messages=[{"role": "user", "content": parts}])["contents"] == [
        user(
            {"text": "What is it?"},
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
            {"fileData": {"fileUri": "https://example.com/cat.png"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
        )
    ]


def test_an_unknown_part_goes_as_it_came_so_that_orbit_refuses_it() -> None:
    part = {"type": "hologram", "hologram": {"data": "..."}}
    assert sent(messages=[{"role": "user", "content": [part]}])["contents"] == [user(part)]


def test_tool_calls_and_their_results_find_each_other_again() -> None:
    def call(number: str, arguments: str) -> dict[str, Any]:
        return {"id": number, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}

    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call("a", '{"city":"Paris"}'), call("b", "nonsense")]},
        {"role": "tool", "tool_call_id": "a", "content": '{"celsius": 7}'},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "no such city"}]},
        {"role": "tool", "tool_call_id": "c", "name": "other", "content": "[1]"},
    ]
    body = sent(messages=messages, tools=[WEATHER])
    assert body["tools"] == [{"functionDeclarations": [WEATHER["function"]]}]
    assert body["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "a", "name": "get_weather", "args": {"city": "Paris"}}},
                {"functionCall": {"id": "b", "name": "get_weather", "args": {"arguments": "nonsense"}}},
            ],
        },
        user(
            {"functionResponse": {"id": "a", "name": "get_weather", "response": {"celsius": 7}}},
            {"functionResponse": {"id": "b", "name": "get_weather", "response": {"result": "no such city"}}},
            {"functionResponse": {"id": "c", "name": "other", "response": {"result": [1]}}},
        ),
    ]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["get_weather"]},
        ),
    ],
)
def test_the_choice_of_tools_is_kept(choice: Any, config: Any) -> None:
    assert sent(tools=[WEATHER], tool_choice=choice)["toolConfig"] == {"functionCallingConfig": config}
    assert "toolConfig" not in sent(tool_choice=choice)


def test_length_and_manner_of_the_answer_are_kept() -> None:
    asked = {"max_tokens": 100, "temperature": 0.25, "top_p": 0.9, "seed": 7, "stop": "END", "n": 2}
    assert sent(**asked)["generationConfig"] == {
        "maxOutputTokens": 100,
        "temperature": 0.25,
        "topP": 0.9,
        "seed": 7,
        "stopSequences": ["END"],
        "candidateCount": 2,
    }
    assert sent(max_completion_tokens=5, max_tokens=9, stop=["a", "b"])["generationConfig"] == {
        "maxOutputTokens": 5,
        "stopSequences": ["a", "b"],
    }
    assert "generationConfig" not in sent(temperature=None, stop=None)


def test_no_more_is_asked_for_than_the_model_can_give() -> None:
    body = json.loads(prepared(SMALL, max_tokens=100_000).body)
    assert body["generationConfig"] == {"maxOutputTokens": SMALL.max_output}


def test_the_form_of_the_answer_is_kept() -> None:
    assert sent(response_format={"type": "json_object"})["generationConfig"] == {"responseMimeType": "application/json"}
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    assert sent(response_format=wanted)["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    assert "generationConfig" not in sent(response_format={"type": "text"})


WORDS = [
    *("role", "content", "type", "text", "image_url", "url", "input_audio", "tool_calls", "function", "name", "id"),
    *("arguments", "tool_call_id", "json_schema", "schema"),
]
VALUES = [
    "user",
    "assistant",
    "tool",
    "system",
    "image_url",
    "input_audio",
    "text",
    "json_schema",
    "{}",
    "[1]",
    "data:,",
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(VALUES) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(
    st.sampled_from(["messages", "tools", "tool_choice", "max_tokens", "stop", "response_format", "temperature", "n"]),
    ODD | st.lists(ODD, max_size=3),
)


@settings(deadline=None)
@given(FIELDS)
def test_whatever_a_client_asks_there_is_a_request(fields: dict[str, Any]) -> None:
    assert isinstance(sent(**fields)["contents"], list)
