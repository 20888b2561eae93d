"""Requests as agents of the Messages API send them."""

from __future__ import annotations

from typing import Any

from freeride_conformance.rig import ANSWER, PROMPT, Rig
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import OPENAI, TOOLS, ProviderSubject

_LEVELS: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({"thinking": {"type": "disabled"}}, "thinking"),
    "low": ({"output_config": {"effort": "low"}}, "output_config.effort"),
    "medium": ({"thinking": {"type": "enabled", "budget_tokens": 8000}}, "thinking.budget_tokens"),
    "high": ({"output_config": {"effort": "high"}}, "output_config.effort"),
}
"""For each level the fields that ask for it, and the one that is named where it is not taken."""

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Requests"
_ROUTE = "/v1/messages?beta=true"
_CACHED = {"cache_control": {"type": "ephemeral"}}


def _text(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def _use(number: int, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "get_weather", "input": arguments}


def _result(number: int, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content, **more}


CONVERSATION: tuple[dict[str, Any], ...] = (
    {"role": "user", "content": [_text("What is the weather in Paris and Rome?", **_CACHED), _text("Use your tools.")]},
    {"role": "system", "content": "Two tools are available."},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Both, then.", "signature": ""},
            _text("I will look."),
            _use(1, city="Paris"),
            _use(2, city="Rome"),
        ],
    },
    {
        "role": "user",
        "content": [_result(2, "No such city", is_error=True), _result(1, [_text("18 degrees")]), _text("And?")],
    },
    {"role": "assistant", "content": [_use(3)]},
    {"role": "system", "content": [_text("A reminder: be brief.")]},
    {"role": "user", "content": [_result(3, "", **_CACHED)]},
    {"role": "assistant", "content": [_text("It is mild.")]},
    {"role": "user", "content": PROMPT},
)
"""As the richest agent of the protocol keeps it: words of the system between the turns, results out of order, an empty one."""
_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"city": {"type": "string", "required": None}},
    "additionalProperties": False,
}
_TOOLS = [
    {"name": "get_weather", "description": "The weather in a city.", "input_schema": _SCHEMA, **_CACHED},
    {"name": "mcp__" + "long_server_name_" * 4, "input_schema": {}},
]


def _request(subject: ProviderSubject, *, is_stream: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "model": subject.profile.default_model,
        "max_tokens": 32_000,
        "temperature": 1,
        "system": [_text("You are an agent.", **_CACHED), _text("Work in /tmp.")],
        "messages": list(CONVERSATION),
        "thinking": {"type": "adaptive", "display": "omitted"},
        "metadata": {"user_id": "conformance"},
        "stream": is_stream,
    }
    return {**fields, "tools": _TOOLS} if TOOLS in subject.capabilities else fields


@rule(
    RULES,
    SECTION,
    fix="take what the gateway makes of it: system messages between turns, tool results as texts, schemas as they are"
    " written; or replace in `changes` what the upstream refuses",
    needs="chat",
)
def serves_the_messages_api(subject: ProviderSubject) -> None:
    """A long conversation of an agent that speaks the Messages API is answered at the first attempt, whole and streamed."""
    with Rig(subject) as rig:
        for is_stream in (False, True):
            reply = rig.ask(_request(subject, is_stream=is_stream), _ROUTE, anthropic_version="2023-06-01")
            assert reply.status == 200, f"the client got {reply.status}"
            attempts = reply.headers.get("x-freeride-attempts")
            assert attempts == "1", f"it took {attempts} attempts"
            if is_stream:
                assert b"event: error" not in reply.body, "the stream ended in an error"
                assert reply.body.rstrip().endswith(b'{"type":"message_stop"}'), "the stream did not end"
            else:
                assert _text(ANSWER) in reply.json["content"], "the text is not what the model said"


@rule(
    RULES,
    SECTION,
    fix="state the model's `efforts`, in `[catalog.facts]` of simulator.toml too, and send `call.effort` if the model takes it",
    needs=OPENAI,
)
def asks_for_the_effort_that_is_taken(subject: ProviderSubject) -> None:
    """How much a model is to think reaches the upstream as `reasoning_effort`, if `[catalog.facts]` in simulator.toml names the
    level among the model's `efforts`. Any other level is left out, and the client is told so."""
    facts = subject.profile.catalog.facts.get(subject.profile.default_model)
    taken = (facts.efforts if facts is not None else None) or ()
    plain = {
        "model": subject.profile.default_model,
        "max_tokens": 64,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    with Rig(subject) as rig:
        for level, (fields, field) in _LEVELS.items():
            reply = rig.ask({**plain, **fields}, _ROUTE, anthropic_version="2023-06-01")
            assert reply.status == 200, f"the client got {reply.status} to {fields}"
            came, named = rig.asked[-1].json.get("reasoning_effort"), reply.headers.get("x-freeride-dropped", "")
            due = level if level in taken else None
            assert came == due, f"of {fields} the upstream got {came!r}, and {due!r} was due"
            assert named == ("" if due else field), f"of {fields} the client was told that {named!r} was left out"
