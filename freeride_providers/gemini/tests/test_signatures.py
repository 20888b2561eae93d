"""Thought signatures: kept where a client kept them, replaced where they are lost."""

from __future__ import annotations

from typing import Any

import pytest

from freeride_conformance.rig import Rig
from freeride_conformance.subject import TOOL_PROMPT, installed_provider
from freeride_core.plugins.discovery import load_plugins
from freeride_provider_gemini.signatures import DUMMY, sign


def tool_call(name: str, **extra: Any) -> dict[str, Any]:
    return {"id": f"call-{name}", "type": "function", "function": {"name": name, "arguments": "{}"}, **extra}


def signature(text: Any) -> dict[str, Any]:
    return {"extra_content": {"google": {"thought_signature": text}}}


def history(*calls: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": list(calls)},
        *({"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls),
    ]


def test_a_lost_signature_is_replaced_by_the_dummy() -> None:
    messages = history(tool_call("a"), tool_call("b"))
    assert sign(messages)
    assert messages == history(tool_call("a", **signature(DUMMY)), tool_call("b", **signature(DUMMY)))
    assert not sign(messages), "once is enough"


def test_a_signature_that_was_kept_stays_and_its_siblings_need_none() -> None:
    messages = history(tool_call("a", **signature("CvQBAXLI2nzB64==")), tool_call("b"))
    assert not sign(messages)
    assert messages == history(tool_call("a", **signature("CvQBAXLI2nzB64==")), tool_call("b"))


def test_each_message_is_looked_at_by_itself() -> None:
    kept, lost = history(tool_call("a", **signature("CvQ="))), history(tool_call("b"))
    messages = [*kept, *lost]
    assert sign(messages)
    assert messages == [*history(tool_call("a", **signature("CvQ="))), *history(tool_call("b", **signature(DUMMY)))]


@pytest.mark.parametrize("extra", [None, {}, {"google": None}, {"google": {"thought_signature": ""}}, 7])
def test_what_is_no_signature_is_replaced(extra: Any) -> None:
    messages = history(tool_call("a", extra_content=extra))
    assert sign(messages)
    assert messages == history(tool_call("a", **signature(DUMMY)))


@pytest.mark.parametrize(
    "messages",
    [None, 7, [], [None], [{}], [{"tool_calls": 7}], [{"tool_calls": []}], [{"tool_calls": [None]}], history()[:1]],
)
def test_without_calls_there_is_nothing_to_do(messages: Any) -> None:
    assert not sign(messages)


def test_a_signature_comes_back_with_a_client_of_the_messages_api() -> None:
    question = {"role": "user", "content": TOOL_PROMPT}
    request = {
        "model": "gemini-3.5-flash",
        "max_tokens": 999,
        "tools": [{"name": "get_weather", "input_schema": {}}],
        "thinking": {"type": "adaptive", "display": "omitted"},
    }
    with Rig(installed_provider(load_plugins(("provider",)), "gemini")) as rig:
        content = rig.ask({**request, "messages": [question]}, "/v1/messages").json["content"]
        result = {"type": "tool_result", "tool_use_id": content[-1]["id"], "content": "18 degrees"}
        turns = [question, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
        assert rig.ask({**request, "messages": turns}, "/v1/messages").status == 200
        [came] = rig.asked[-1].json["messages"][1]["tool_calls"]
    assert came["extra_content"] == {"google": {"thought_signature": "CvQBAXLI2nzB64=="}}
