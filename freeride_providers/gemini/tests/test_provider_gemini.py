"""Google Gemini: what the package asks of its upstream, and what it makes of the answers."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_conformance.subject import installed_provider
from freeride_core import Account, Answer, Call, ErrorKind, Failure, Operation, Phase, Scope
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import answer_of
from freeride_provider_gemini import freeride_register_provider
from freeride_provider_gemini.stream import NumberedToolCalls

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
CHAT = PROVIDER.wires[Operation.CHAT]
SUBJECT = installed_provider(load_plugins(("provider",)), "gemini")
MODELS = {model.id: model for model in PROVIDER.catalog.models}
FLASH, GEMMA = MODELS["gemini-3.5-flash"], MODELS["gemma-4-31b-it"]
MESSAGES = [{"role": "user", "content": "Hi"}]
sent = SUBJECT.sent


# What is asked

CALL = {"id": "call-a", "type": "function", "function": {"name": "a", "arguments": "{}"}}
HISTORY = [*MESSAGES, {"role": "assistant", "tool_calls": [CALL]}]


def test_tool_calls_are_signed_for_gemini_and_not_for_gemma() -> None:
    signed = sent(FLASH.id, {"messages": HISTORY})["messages"][1]["tool_calls"][0]
    assert signed == {**CALL, "extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}}
    assert sent(GEMMA.id, {"messages": HISTORY})["messages"] == HISTORY


def schema_of(text: str) -> bytes:
    """What a tool's parameters, as they are spelled here, become."""
    tools = f'[{{"type":"function","function":{{"name":"f","parameters":{text}}}}}]'
    body = f'{{"model":"{FLASH.id}","messages":[],"x":{{"a":  1.50}},"tools":{tools}}}'
    request = CHAT.prepare(SUBJECT.call(Operation.CHAT, body.encode()), FLASH, SUBJECT.key())
    before, found, after = request.body.partition(b'"parameters":')
    assert found
    assert b'{"a":  1.50}' in before
    return after.removesuffix(b"}}]}")


@pytest.mark.parametrize(
    ("schema", "reaches"),
    [
        ('{"$schema":"https://json-schema.org/x" , "type": "object"}', '{ "type": "object"}'),
        ('{"type": "object", "$schema": "x"}', '{"type": "object"}'),
        ('{"a":1,"$schema":"x","b":[{"$schema":"y"}]}', '{"a":1,"b":[{}]}'),
        ('{"properties":{"$schema":{"type":"string"}},"required":["$schema"]}', None),
        ('{"description":"such as \\"$schema\\": \\"x\\"", "exclusiveMinimum": 0, "additionalProperties":false}', None),
    ],
)
def test_the_dialect_of_a_schema_is_left_out_and_all_else_stays_to_the_byte(schema: str, reaches: str | None) -> None:
    assert schema_of(schema) == (reaches or schema).encode()


def test_the_prefix_of_the_list_is_cut_off() -> None:
    rows = [{"id": name} for name in ("models/gemini-3.5-flash", "gemma-4-31b-it", "models/", "models/gemini-9-pro")]
    models = PROVIDER.catalog.parse(Answer(200, {}, json.dumps({"data": rows}).encode(), NOW))
    assert models[:2] == (FLASH, GEMMA)
    assert [model.id for model in models[2:]] == ["gemini-9-pro"]
    assert not PROVIDER.free.allows(models[2], Account())


@pytest.mark.parametrize("word", ["pro", "image", "tts", "live", "embedding", "latest", "gemini-2", "gemini-1"])
def test_what_may_cost_money_or_is_gone_is_not_free(word: str) -> None:
    assert not [name for name in MODELS if word in name]


# What an answer means

MINUTE = {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "quotaValue": "5"}
DAY = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "20"}
TOKENS = {
    "quotaId": "GenerateContentInputTokensPerModelPerMinute-FreeTier",
    "quotaDimensions": {"model": "gemma-4-31b-it"},
    "quotaValue": "15000",
}
TOKENS_DAY = {"quotaId": "GenerateContentInputTokensPerModelPerDay-FreeTier", "quotaValue": "1000000"}


def refused(
    *quotas: dict[str, Any], message: str = "You exceeded your current quota", indent: int | None = None
) -> Answer:
    details = [{"@type": "QuotaFailure", "violations": list(quotas)}, {"@type": "RetryInfo", "retryDelay": "34s"}]
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}
    return Answer(429, {}, json.dumps([{"error": error}], indent=indent).encode(), NOW)


def read(answer: Answer) -> Failure:
    failure = CHAT.read(answer).failure
    assert failure is not None
    return failure


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("quotas", [(DAY,), (MINUTE, DAY), (TOKENS_DAY, MINUTE)])
def test_a_day_lasts_until_midnight_in_los_angeles_whatever_the_delay(
    quotas: tuple[dict[str, Any], ...], indent: int | None
) -> None:
    failure = read(refused(*quotas, indent=indent))
    assert (failure.kind, failure.scope) == (ErrorKind.QUOTA_EXHAUSTED, Scope.ACCOUNT_MODEL)
    assert failure.retry_at is not None
    until = datetime.fromtimestamp(failure.retry_at, ZoneInfo("America/Los_Angeles"))
    assert until.isoformat() == "2026-11-23T00:00:00-08:00"


def test_a_minute_is_waited_for_as_long_as_it_says() -> None:
    failure = read(refused(MINUTE))
    assert (failure.kind, failure.scope, failure.retry_at) == (ErrorKind.RATE_LIMIT, Scope.ACCOUNT_MODEL, NOW + 34)


@pytest.mark.parametrize(
    "answer",
    [
        refused({**DAY, "quotaValue": "0"}),
        refused({"quotaId": DAY["quotaId"]}, message="Quota exceeded, limit: 0, model: gemini-3.5-pro"),
    ],
)
def test_no_allowance_is_no_model(answer: Answer) -> None:
    failure = read(answer)
    assert (failure.kind, failure.scope) == (ErrorKind.MODEL_NOT_FOUND, Scope.ACCOUNT_MODEL)
    assert failure.retry_at is None


def test_a_prompt_that_no_minute_has_room_for_is_too_large() -> None:
    kinds = {}
    for words in (15_000, 15_001):
        call = Call(operation=Operation.CHAT, model="auto", stream=False, pairs=(), body=b"{}", prompt_tokens=words)
        for name, quotas in {"tokens": (MINUTE, TOKENS), "requests": (MINUTE,), "day": (TOKENS_DAY,)}.items():
            kinds[name, words] = read(dataclasses.replace(refused(*quotas), call=call)).kind
    assert kinds.pop(("tokens", 15_001)) is ErrorKind.TOO_LARGE
    assert set(kinds.values()) == {ErrorKind.RATE_LIMIT, ErrorKind.QUOTA_EXHAUSTED}


def test_each_violated_quota_tells_its_amount() -> None:
    call = Call(operation=Operation.CHAT, model="auto", stream=False, pairs=(), body=b"{}", prompt_tokens=15_001)
    day, minute, tokens = {**DAY, "quotaValue": "20"}, {**MINUTE, "quotaValue": "5"}, TOKENS
    told = {
        "both": (refused(day, minute), {("rpd", 20, 0), ("rpm", 5, 0)}),
        "tokens of a day": (refused(TOKENS_DAY), {("rpd", None, 0)}),
        "a large prompt": (dataclasses.replace(refused(tokens), call=call), {("tpm", 15_000, None)}),
    }
    for name, (answer, wanted) in told.items():
        read = SUBJECT.provider.wires[Operation.CHAT].read(answer).quota
        assert {(quota.limit_name, quota.limit, quota.remaining) for quota in read} == wanted, name


def test_a_silent_answer_is_left_to_the_gateway() -> None:
    case = SUBJECT.profile.case("silent-answer")
    assert case is not None
    answer = answer_of(SUBJECT.profile, case, NOW)
    assert answer.phase is Phase.BODY
    assert CHAT.read(answer).failure is None


@pytest.mark.parametrize(
    ("status", "message", "valid"),
    [
        (200, "", True),
        (400, "API key not valid. Please pass a valid API key.", False),
        (400, "API key expired. Please renew the API key.", False),
        (400, "User location is not supported for the API use.", None),
        (400, "Invalid page size.", None),
        (403, "Your API key was reported as leaked", False),
        (503, "The model is overloaded.", None),
    ],
)
def test_a_key_is_bad_only_where_the_answer_speaks_of_it(status: int, message: str, valid: bool | None) -> None:
    assert PROVIDER.probe is not None
    body = json.dumps({"error": {"code": status, "message": message}}).encode()
    assert PROVIDER.probe.read(Answer(status, {}, body, NOW)).valid is valid


# Streams


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"delta": delta, "index": 0, **more}]}


def events(*chunks: Any, end: str = "\n") -> bytes:
    blocks = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in chunks]
    return "".join(f"data: {block}{end}{end}" for block in blocks).encode()


def tool_call(name: str, **more: Any) -> dict[str, Any]:
    return {"id": f"function-call-{name}", "type": "function", "function": {"name": name, "arguments": "{}"}, **more}


STREAM = (
    chunk({"role": "assistant", "content": "I look \u2028 twice."}),
    chunk({"role": "assistant", "tool_calls": [tool_call("a", extra_content={"x": 1}), tool_call("b", index=0)]}),
    chunk({"role": "assistant", "tool_calls": [tool_call("c", index=0)]}),
    chunk({"role": "assistant"}, finish_reason="stop"),
    "[DONE]",
)


def decoded(*pieces: bytes) -> bytes:
    decoder = NumberedToolCalls()
    return b"".join([*map(decoder.decode, pieces), decoder.flush()])


def chunks_in(data: bytes) -> list[Any]:
    return [json.loads(block.removeprefix("data: ")) for block in data.decode().split("\n\n") if "{" in block]


def test_tool_calls_are_numbered_and_the_finish_speaks_of_them() -> None:
    stream = decoded(events(*STREAM))
    calls = [call for each in chunks_in(stream) for call in each["choices"][0]["delta"].get("tool_calls", [])]
    assert [(call["function"]["name"], call["index"]) for call in calls] == [("a", 0), ("b", 1), ("c", 2)]
    assert calls[0]["extra_content"] == {"x": 1}
    assert chunks_in(stream)[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert stream.startswith(events(STREAM[0]))
    assert stream.endswith(b"data: [DONE]\n\n")


def test_choices_are_counted_apart_and_a_piece_of_a_call_belongs_to_the_last() -> None:
    both = {"choices": [{"index": at, "delta": {"tool_calls": [tool_call("a")]}} for at in (0, 1)]}
    piece = chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})
    found = chunks_in(decoded(events(both, chunk({"tool_calls": [tool_call("b")]}), piece)))
    assert [choice["delta"]["tool_calls"][0]["index"] for each in found for choice in each["choices"]] == [0, 0, 1, 1]


@given(st.sampled_from(["\n", "\r\n"]), st.lists(st.integers(1, 200)))
def test_it_does_not_matter_where_a_stream_is_cut(end: str, cuts: list[int]) -> None:
    rest = raw = events(*STREAM, end=end)
    pieces = []
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    assert decoded(*pieces, rest) == decoded(raw)


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_other_finishes_stay(reason: str) -> None:
    data = events(chunk({"tool_calls": [tool_call("a")]}), chunk({}, finish_reason=reason))
    assert chunks_in(decoded(data))[-1]["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize(
    "data",
    [
        events(chunk({"content": "no tool"}), chunk({}, finish_reason="stop"), "[DONE]", end="\r\n"),
        b'[{"error":{"code":503,"message":"\\"tool_calls\\""}}]',
        b'data: [{"error":{"code":503,"message":"\\"tool_calls\\""}}]\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"id"',
        b'data: {"choices":[null,{"delta":{"tool_calls":7}}],"tool_calls":1}\n\n',
        b'data: {"choices":[{"index":{},"delta":{"tool_calls":[{"function":7}]}}]}\n\n',
        b'data: ["tool_calls"]\n\n',
    ],
)
def test_everything_else_passes_as_it_came(data: bytes) -> None:
    assert decoded(data) == data


def test_only_streams_of_calls_with_tools_are_decoded() -> None:
    bodies = {
        body: CHAT.decoder(SUBJECT.call(Operation.CHAT, body), FLASH) is not None
        for body in (
            b'{"model":"x","messages":[],"stream":true,"tools":[]}',
            b'{"model":"x","messages":[],"stream":true}',
            b'{"model":"x","messages":[],"tools":[]}',
        )
    }
    assert list(bodies.values()) == [True, False, False]
