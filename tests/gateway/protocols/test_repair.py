"""Any conversation becomes one that strict upstreams accept, and what it says stays."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.gateway.protocols.repair import repair
from strict_chat import faults_in

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(text: str | None, *ids: Any, **more: Any) -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": "look", "arguments": '{"n":1}'}} for each in ids]
    return {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {}), **more}


def tool(call_id: Any, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


NO_RESULT = "[no result: the call was interrupted]"
CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], set[str]]] = {
    "an ordinary conversation": (
        [system("S"), user("U"), assistant("A", "c1"), tool("c1", "R"), assistant("B"), user("V")],
        [system("S"), user("U"), assistant("A", "c1"), tool("c1", "R"), assistant("B"), user("V")],
        set(),
    ),
    "results in another order": (
        [user("U"), assistant(None, "c1", "c2"), tool("c2", "2"), tool("c1", "1")],
        [user("U"), assistant(None, "c1", "c2"), tool("c1", "1"), tool("c2", "2")],
        set(),
    ),
    "words between a call and its result": (
        [assistant(None, "c1", "c2"), tool("c1", "1"), user("U"), system("S"), tool("c2", "2")],
        [assistant(None, "c1", "c2"), tool("c1", "1"), tool("c2", "2"), user("U"), system("S")],
        set(),
    ),
    "calls of one turn in two messages": (
        [assistant("A", "c1"), assistant(None, "c2"), tool("c1", "1"), tool("c2", "2")],
        [assistant("A", "c1", "c2"), tool("c1", "1"), tool("c2", "2")],
        set(),
    ),
    "calls in two turns": (
        [assistant(None, "c1"), tool("c1", "1"), assistant(None, "c2"), tool("c2", "2")],
        [assistant(None, "c1"), tool("c1", "1"), assistant(None, "c2"), tool("c2", "2")],
        set(),
    ),
    "a call without a result": (
        [assistant("A", "c1"), user("U")],
        [assistant("A", "c1"), tool("c1", NO_RESULT), user("U")],
        set(),
    ),
    "a result without a call": (
        [user("U"), {**tool("gone", "R"), "name": "look"}, tool("gone too", [text("T"), IMAGE])],
        [
            user("U"),
            user("[result of an earlier tool call look] R"),
            user([text("[result of an earlier tool call]"), text("T"), IMAGE]),
        ],
        set(),
    ),
    "a result before its call": (
        [tool("c1", ""), assistant(None, "c1")],
        [
            user("[result of an earlier tool call] (no output)"),
            assistant(None, "c1"),
            tool("c1", NO_RESULT),
        ],
        set(),
    ),
    "two results of one call": (
        [assistant(None, "c1"), tool("c1", "old"), tool("c1", "new")],
        [assistant(None, "c1"), tool("c1", "new")],
        {"tool_result"},
    ),
    "two calls of one id": (
        [assistant(None, "c", "c"), tool("c", "1"), tool("c", "2")],
        [assistant(None, "c", "call_1"), tool("c", "1"), tool("call_1", "2")],
        set(),
    ),
    "an id used again after an interruption": (
        [assistant(None, "c"), user("stop"), assistant(None, "c"), tool("c", "2")],
        [assistant(None, "c"), tool("c", NO_RESULT), user("stop"), assistant(None, "c"), tool("c", "2")],
        set(),
    ),
    "ids that upstreams refuse": (
        [assistant(None, "", "a b", "x" * 65, None), tool("a b", "R")],
        [
            assistant(None, "call_0", "call_1", "call_2", "call_3"),
            tool("call_0", NO_RESULT),
            tool("call_1", "R"),
            tool("call_2", NO_RESULT),
            tool("call_3", NO_RESULT),
        ],
        set(),
    ),
    "neighbouring turns": (
        [assistant("A", reasoning_content="why"), user(""), assistant("B", reasoning_content="so")],
        [assistant("A\n\nB", reasoning_content="why\n\nso")],
        set(),
    ),
    "nothing but reasoning": (
        [user("U"), assistant("", reasoning_content="hm"), assistant(None)],
        [user("U")],
        {"reasoning"},
    ),
    "texts in parts": (
        [user([text("A"), text(""), text("B")]), assistant(None), user([text(""), IMAGE])],
        [user("A\n\nB"), user([IMAGE])],
        set(),
    ),
    "images of tools": (
        [
            assistant(None, "c1", "c2"),
            tool("c1", [IMAGE, {"type": "file", "file": {"file_data": "data:,x"}}]),
            tool("c2", [text("seen"), IMAGE]),
            user("and?"),
        ],
        [
            assistant(None, "c1", "c2"),
            tool("c1", "[image 1 follows]\n\n[file 2 follows]"),
            tool("c2", "seen"),
            user(
                [
                    text("[image from tool look, call c1]"),
                    IMAGE,
                    text("[file from tool look, call c1]"),
                    {"type": "file", "file": {"file_data": "data:,x"}},
                    text("[image from tool look, call c2]"),
                    IMAGE,
                ]
            ),
            user("and?"),
        ],
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_conversation_is_repaired(case: str) -> None:
    given_messages, expected, lost = CASES[case]
    repaired = repair(copy.deepcopy(given_messages))
    assert repaired.messages == expected
    assert repaired.lost == lost
    assert faults_in(repaired.messages) == []


IDS = st.sampled_from(["a", "b", "c", "", "no good", None])
WORDS = st.integers(0, 10**6).map(lambda number: f"word{number}.")
PARTS = st.lists(st.one_of(WORDS.map(text), st.just(text("")), st.just(IMAGE)), max_size=3)
CONTENTS = st.one_of(WORDS, st.just(""), st.none(), PARTS)
MESSAGES = st.lists(
    st.one_of(
        WORDS.map(system),
        CONTENTS.map(user),
        st.builds(lambda words, ids: assistant(words, *ids), st.one_of(WORDS, st.none()), st.lists(IDS, max_size=3)),
        st.builds(tool, IDS, CONTENTS),
    ),
    max_size=10,
)


@given(MESSAGES)
def test_any_order_becomes_one_that_strict_upstreams_accept(messages: list[dict[str, Any]]) -> None:
    repaired = repair(copy.deepcopy(messages)).messages
    assert faults_in(repaired) == []


@given(MESSAGES)
def test_a_repaired_conversation_stays_as_it_is(messages: list[dict[str, Any]]) -> None:
    once = repair(messages)
    again = repair(copy.deepcopy(once.messages))
    assert again.messages == once.messages
    assert again.lost == set()


@given(MESSAGES)
def test_nothing_is_lost_without_a_name(messages: list[dict[str, Any]]) -> None:
    before = json.dumps(messages)
    repaired = repair(messages)
    after = json.dumps(repaired.messages)
    if "tool_result" not in repaired.lost:
        for marker in (*re.findall(r"word\d+\.", before), "base64,AA=="):
            assert after.count(marker) == before.count(marker)
