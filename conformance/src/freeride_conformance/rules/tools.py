"""Tools: a call arrives whole, and the conversation goes on after it."""

from __future__ import annotations

import json
from typing import Any

from freeride_conformance.rig import GatewayResponse, Rig, chat
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import TOOL, TOOL_PROMPT, TOOLS, ProviderSubject

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Tools"
_FORMS = ("whole", "stream")
_RESULT = "18 degrees and a light wind"
_KEPT, _DROPPED = "unknown members kept", "unknown members dropped"


@rule(
    RULES,
    SECTION,
    fix="pass `tools` on; in a decoder, give each call an id, an index, a name and its arguments as text",
    needs=TOOLS,
    variants=lambda _: _FORMS,
)
def calls_tools(subject: ProviderSubject, form: str) -> None:
    """If the model supports tools, a call arrives with its name and its arguments, which are JSON."""
    with Rig(subject) as rig:
        _, calls = _asked_for_a_call(rig, subject, form)
    assert [call["function"]["name"] for call in calls] == ["get_weather"], f"the calls are {calls}"
    assert calls[0]["id"], "the call has no id"
    assert json.loads(calls[0]["function"]["arguments"]) == {"city": "Paris"}, f"the calls are {calls}"


@rule(
    RULES,
    SECTION,
    fix="turn a `tool` message and the `tool_calls` before it into the upstream's words; need no member of your own in them",
    needs=TOOLS,
    variants=lambda _: [f"{form}, {members}" for form in _FORMS for members in (_KEPT, _DROPPED)],
)
def goes_on_after_a_tool_call(subject: ProviderSubject, variant: str) -> None:
    """The client runs the tool and sends the conversation back, with the call as it came or with only the members that OpenAI
    has. The tool's result reaches the upstream, and the model's response reaches the client."""
    form, _, members = variant.partition(", ")
    with Rig(subject) as rig:
        message, calls = _asked_for_a_call(rig, subject, form)
        if not calls:
            return  # the rule above is about that
        if members == _DROPPED:
            message = {"role": "assistant", "content": message.get("content"), "tool_calls": list(map(_plain, calls))}
        request = _request(subject, form)
        request["messages"] += [message, {"role": "tool", "tool_call_id": calls[0]["id"], "content": _RESULT}]
        reply = rig.ask(request)
        assert reply.status == 200, f"with the tool's result the client got {reply.status}"
        assert _RESULT.encode() in rig.asked[-1].body, "the tool's result did not reach the upstream"
        text = reply.text if form == "stream" else reply.json["choices"][0]["message"].get("content") or ""
        assert text.startswith("The tool answered: "), f"the text is {text!r}, and no answer to the tool's result"
        assert _RESULT in text, f"the text is {text!r}, and the tool's result is another"


def _request(subject: ProviderSubject, form: str) -> dict[str, Any]:
    return chat(subject.profile.default_model, TOOL_PROMPT, tools=[TOOL], stream=form == "stream")


def _asked_for_a_call(rig: Rig, subject: ProviderSubject, form: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The assistant's message as the client has it, and the calls in it."""
    reply = rig.ask(_request(subject, form))
    assert reply.status == 200, f"the client got {reply.status}"
    message = _joined(reply) if form == "stream" else reply.json["choices"][0]["message"]
    return message, message.get("tool_calls") or []


def _plain(call: dict[str, Any]) -> dict[str, Any]:
    """A call without the members that OpenAI's have not."""
    function = {name: call["function"][name] for name in ("name", "arguments")}
    return {"id": call["id"], "type": "function", "function": function}


def _joined(reply: GatewayResponse) -> dict[str, Any]:
    """The whole message out of a stream's deltas, as a client puts it together."""
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    for delta in (choice["delta"] for chunk in reply.chunks for choice in chunk.get("choices") or []):
        for part in delta.get("tool_calls") or []:
            assert isinstance(part.get("index"), int), f"a part of a call has no index: {json.dumps(part)[:200]}"
            _add(calls.setdefault(part["index"], {"id": "", "type": "function", "function": {}}), part)
        for name, value in delta.items():
            if name not in ("role", "tool_calls") and value is not None:
                before = message.get(name)
                message[name] = before + value if isinstance(before, str) and isinstance(value, str) else value
    return {**message, "tool_calls": [{**call, "function": _function(call)} for call in calls.values()]}


def _add(call: dict[str, Any], part: dict[str, Any]) -> None:
    """One part of a call: what is text of its function grows, everything else is said once."""
    for name, value in part.items():
        if name == "function" and isinstance(value, dict):
            for field, text in value.items():
                call["function"][field] = (call["function"].get(field) or "") + (text or "")
        elif name != "index" and value is not None:
            call[name] = value or call.get(name)


def _function(call: dict[str, Any]) -> dict[str, Any]:
    return {"name": "", "arguments": "", **call["function"]}
