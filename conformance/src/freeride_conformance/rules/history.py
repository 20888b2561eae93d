"""Histories as agents send them back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freeride_conformance.rig import Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import OPENAI, TOOL, TOOLS, ProviderSubject
from freeride_core.compatible.history import REASONING
from freeride_core.simulator.profile import Requests

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Requests"
_THOUGHT = "I need the weather first."
_SAID_BY_UPSTREAMS: dict[str, Any] = {
    "refusal": None,
    "annotations": [],
    "audio": None,
    "function_call": None,
    "parsed": None,
    "provider_specific_fields": {"refusal": None, "citations": []},
    "reasoning": _THOUGHT,
    "reasoning_content": _THOUGHT,
    "reasoning_text": _THOUGHT,
    "reasoning_details": [{"type": "reasoning.text", "text": _THOUGHT, "format": "unknown", "index": 0}],
    "thinking_blocks": [{"type": "thinking", "thinking": _THOUGHT, "signature": "c2ln"}],
}
"""All that some client keeps of an answer and sends back with it."""


def _call(number: int) -> dict[str, Any]:
    return {
        "id": f"call_{number}",
        "type": "function",
        "function": {
            "name": "get_weather",
            "arguments": '{"city": "Paris, as \\"refusal\\": and \\"reasoning\\": say"}',
            "provider_specific_fields": None,
        },
        "provider_specific_fields": {"thought_signature": "c2ln"},
        "extra_content": {"google": {"thought_signature": "c2ln"}},
    }


HISTORY: tuple[dict[str, Any], ...] = (
    {"role": "system", "content": "You are an agent."},
    {"role": "user", "content": 'Explain "reasoning_content", {"refusal": null} and openrouter:web_search.'},
    {"role": "assistant", "content": "", "tool_calls": [_call(1), _call(2)], **_SAID_BY_UPSTREAMS},
    {"role": "tool", "tool_call_id": "call_1", "name": "get_weather", "content": "18 degrees"},
    {"role": "tool", "tool_call_id": "call_2", "name": "get_weather", "content": ""},
    {"role": "assistant", "content": "Once more.", "tool_calls": [_call(3)], "reasoning": _THOUGHT},
    {"role": "tool", "tool_call_id": "call_3", "content": '{"reasoning_content": "x", "annotations": []}'},
    {"role": "assistant", "content": "It is mild.", **_SAID_BY_UPSTREAMS},
    {"role": "user", "content": "Thanks. And now?"},
)
"""As rich as those of the richest agents."""


@rule(
    RULES,
    SECTION,
    fix="list what the upstream refuses in the wire's `messages_drop` and `reasoning`, and in simulator.toml's"
    " `messages_left_out` and `reasoning_needed`; and nothing else",
    needs=OPENAI,
)
def takes_any_history(subject: ProviderSubject) -> None:
    """A history with everything that any client sends back is answered at the first attempt. Members of messages and tool calls
    that the upstream refuses do not reach it, and all others do as they were written. If the upstream needs the reasoning, it
    gets it. `simulator.toml` names them (`messages_left_out`, `reasoning_needed`), and plays the refusal."""
    tools = {"tools": [TOOL]} if TOOLS in subject.capabilities else {}
    expected = subject.profile.request
    with Rig(subject) as rig:
        for is_stream in (False, True):
            request = {**chat(subject.profile.default_model), "messages": list(HISTORY), "stream": is_stream, **tools}
            reply = rig.ask(request)
            assert reply.status == 200, f"the client got {reply.status}"
            attempts = reply.headers.get("x-freeride-attempts")
            assert attempts == "1", f"it took {attempts} attempts"
            arrived = rig.asked[-1].json["messages"]
            roles = {message["role"] for message in arrived}  # whether any role is missing is another rule's
            written = [message for message in HISTORY if message["role"] in roles]
            assert len(arrived) == len(written), f"of {len(written)} messages {len(arrived)} reached the upstream"
            for number, (sent, came) in enumerate(zip(written, arrived, strict=True)):
                fault = next(_faults(sent, came, expected), "")
                assert not fault, f"message {number}, of the {sent['role']}: {fault}"


def _faults(sent: dict[str, Any], came: dict[str, Any], expected: Requests) -> Iterator[str]:
    refused, needed = set(expected.messages_left_out), expected.reasoning_needed
    if needed:
        refused |= set(REASONING)
    yield from (f"{name} reached the upstream, which refuses it" for name in refused - {needed} if name in came)
    for name, value in sent.items():
        if name not in refused and name != "tool_calls" and came.get(name, _ABSENT) != value:
            yield f"{name} was {value!r} and is {came.get(name, _ABSENT)!r}"
    yield from (f"{name} reached the upstream, and no client sent it" for name in came.keys() - sent.keys() - {needed})
    calls = sent.get("tool_calls", [])
    if needed and calls and came.get(needed) != _THOUGHT:
        yield f"the upstream needs {needed}, and got {came.get(needed)!r}"
    if len(came.get("tool_calls", [])) != len(calls):
        yield f"it has {len(came.get('tool_calls', []))} tool calls"
        return
    for one, other in zip(calls, came.get("tool_calls", []), strict=True):
        pairs = ((one, other), (one["function"], other.get("function", {})))
        yield from (fault for mine, theirs in pairs for fault in _call_faults(mine, theirs, refused))


def _call_faults(sent: dict[str, Any], came: dict[str, Any], refused: set[str]) -> Iterator[str]:
    for name in refused & came.keys():
        yield f"{name} of a tool call reached the upstream, which refuses it"
    for name in sent.keys() - refused - {"function"}:
        if came.get(name, _ABSENT) != sent[name]:
            yield f"{name} of a tool call was {sent[name]!r} and is {came.get(name, _ABSENT)!r}"


_ABSENT = "absent"
