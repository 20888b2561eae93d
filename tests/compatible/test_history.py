"""Histories of any client, as one upstream takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.compatible import recent_histories
from freeride_core.compatible.history import REASONING, HistoryRules

DROPPED = frozenset({"annotations", "refusal", "provider_specific_fields"})
KEEPING = HistoryRules(DROPPED)
DROPPING = HistoryRules(DROPPED | set(REASONING))
NEEDING = HistoryRules(DROPPED | set(REASONING) - {"reasoning_content"}, "reasoning_content")
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def turn(**members: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", **members}


def after(rules: HistoryRules, *messages: Any) -> list[Any]:
    changed = rules.changed(json.dumps(messages).encode())
    return list(messages) if changed is None else json.loads(changed)


@pytest.mark.parametrize("rules", [KEEPING, DROPPING])
@pytest.mark.parametrize("name", sorted(DROPPED))
@pytest.mark.parametrize("value", [None, [], {}, "", "x", 1.50, [{"a": {"refusal": 1}}]])
def test_what_is_refused_is_left_out_wherever_it_stands(rules: HistoryRules, name: str, value: Any) -> None:
    assert after(rules, turn(**{name: value})) == [turn()]
    assert after(rules, {"role": "tool", "tool_call_id": "c", "content": "x", name: value}) == [
        {"role": "tool", "tool_call_id": "c", "content": "x"}
    ]
    assert after(rules, turn(tool_calls=[{**CALL, name: value}])) == [turn(tool_calls=[CALL])]
    function = {**CALL["function"], name: value}  # type: ignore[dict-item]
    assert after(rules, turn(tool_calls=[CALL, {**CALL, "function": function}])) == [turn(tool_calls=[CALL, CALL])]


@pytest.mark.parametrize("name", REASONING)
def test_reasoning_is_kept_or_dropped(name: str) -> None:
    for message in (turn(**{name: "hm"}), turn(**{name: "hm"}, tool_calls=[CALL])):
        assert after(KEEPING, message) == [message]
        assert name not in after(DROPPING, message)[0]


@pytest.mark.parametrize(
    ("members", "thought"),
    [
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning_text": "hm"}, "hm"),
        ({"reasoning": "other", "reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm", "reasoning_content": ""}, "hm"),
        ({"reasoning": "hm", "reasoning_content": None}, "hm"),
        ({"reasoning_details": [{"text": "hm"}]}, " "),
        ({"reasoning": {"text": "hm"}}, " "),
        ({}, " "),
    ],
)
def test_a_turn_with_tool_calls_has_its_reasoning_where_it_is_needed(members: dict[str, Any], thought: str) -> None:
    expected = turn(tool_calls=[CALL], reasoning_content=thought)
    assert after(NEEDING, turn(**members, tool_calls=[CALL])) == [expected]
    assert after(NEEDING, turn(**members)) == [turn()]
    assert after(NEEDING, turn(**members, tool_calls=[])) == [turn(tool_calls=[])]


UNCHANGED: list[bytes] = [
    b'[{"role":"user","content":"hi"}]',
    b'[ { "role" : "user" , "content" : "\\u00e9 \xc3\xa9", "x": 1.50 } ]',
    b'[{"role":"user","content":"\\"refusal\\": null, {\\"annotations\\": []} reasoning_content"}]',
    b'[{"role":"user","content":"refusal"}, {"role":"user","content":"annotations"}]',
    b'[{"role":"user","content":[{"type":"text","text":"x","annotations":[]}]}]',
    b'[{"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":"{\\"refusal\\": 1}"}}]}]',
    b'[{"role":"assistant","content":null,"tool_calls":null}]',
    b'[{"role":"assistant","content":null,"function_call":null}]',
    *(b"[]", b"null", b"7", b'"refusal"', b"{}", b"[[]]", b'["refusal"]', b"[1,2]", b"[{}]", b"[{", b"", b"[NaN]"),
    b'[{"refusal":' + b"[" * 5000 + b"]" * 5000 + b"}]",
]


@pytest.mark.parametrize("messages", UNCHANGED)
def test_all_else_goes_as_it_came(messages: bytes) -> None:
    assert KEEPING.changed(messages) is None
    if b"tool_calls" not in messages:
        assert DROPPING.changed(messages) is None
        assert NEEDING.changed(messages) is None


@pytest.mark.parametrize(
    "odd", [7, "x", {}, [7], ["x"], [{"function": 7}], [{"function": None, "refusal": 1}], [[]], [{}, 7]]
)
def test_what_is_of_another_type_hides_nothing(odd: Any) -> None:
    for rules in (KEEPING, DROPPING, NEEDING):
        [first, second] = after(rules, turn(tool_calls=odd), turn(refusal=None))
        assert second == turn()
        assert first["role"] == "assistant"


def test_what_stays_is_written_as_it_was() -> None:
    raw = b'[{"role":"assistant","content":"\\u00e9 \\/","x":[1.50,  1E3],"refusal":null,"tool_calls":[ {"id":"c", "y":-0.0} ]}]'
    changed = KEEPING.changed(raw)
    assert (
        changed
        == b'[{"role":"assistant","content":"\\u00e9 \\/","x":[1.50,  1E3],"tool_calls":[ {"id":"c", "y":-0.0} ]}]'
    )


@pytest.mark.parametrize("reasoning", ["", "kept", "require", "keep reasoning", "drop x", "require "])
def test_a_rule_that_is_none_says_what_there_is(reasoning: str) -> None:
    with pytest.raises(ValueError, match="reasoning is 'keep', 'drop' or 'require NAME'"):
        HistoryRules.of(frozenset(), reasoning)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('re"\\fusal', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "refusal", "reasoning", "tool_calls", "function"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_comes_nothing_refused_is_left_and_nothing_else_is_lost(messages: Any) -> None:
    raw = json.dumps(messages).encode()
    changed = DROPPING.changed(raw)
    after = messages if changed is None else json.loads(changed)
    if not (isinstance(messages, list) and all(isinstance(message, dict) for message in messages)):
        assert changed is None
        return
    for one, other in zip(messages, after, strict=True):
        assert other.keys() == one.keys() - DROPPING.dropped
        assert all(other[name] == one[name] for name in other if name != "tool_calls")


TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool"])},
        optional={
            "content": st.text("re],[{", max_size=4),
            "refusal": st.none(),
            "reasoning": st.just("hm"),
            "tool_calls": st.just([CALL]),
        },
    ),
    max_size=6,
)


@given(st.lists(TURNS, min_size=1, max_size=6), st.sampled_from([KEEPING, DROPPING, NEEDING]), st.data())
def test_a_conversation_that_goes_on_is_changed_as_if_it_were_new(
    conversations: list[list[Any]], rules: HistoryRules, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_histories, "_SMALLEST", 0)
        used = HistoryRules(rules.dropped, rules.needed)
        for _ in range(8):
            messages = data.draw(st.sampled_from(conversations))
            part = json.dumps(messages[: data.draw(st.integers(0, len(messages)))]).encode()
            fresh = HistoryRules(rules.dropped, rules.needed).changed(part)
            known = used.changed(part)
            assert (known is None) is (fresh is None)
            assert fresh is None or json.loads(known or b"") == json.loads(fresh)


def test_only_the_turns_since_the_last_request_are_looked_over(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_over: list[int] = []
    whole = HistoryRules._looked_over

    def look_over(rules: HistoryRules, messages: bytes) -> bytes | None:
        looked_over.append(len(messages))
        return whole(rules, messages)

    monkeypatch.setattr(HistoryRules, "_looked_over", look_over)
    rules = HistoryRules(DROPPED)
    for turns in (400, 401, 401, 402, 300):
        after(rules, *[turn(content=f"{number:0100}", refusal=None) for number in range(turns)])
    first, *others = looked_over
    assert first > 40_000
    assert [length < 1_000 for length in others] == [
        True,
        True,
        False,
    ]  # the 401st, the 402nd; a shorter one is another


def test_few_histories_of_a_bounded_size_are_remembered() -> None:
    recent = recent_histories.RecentHistories()
    large = [b"[" + b"%d" % number * 20_000 + b"]" for number in range(6)]
    for messages in large:
        recent.keep(messages, None)
    assert [recent.find(messages) is not None for messages in large] == [False, False, True, True, True, True]
    recent.keep(b"[" + b"1" * 2_000_000 + b"]", None)
    assert recent.find(b"[" + b"1" * 2_000_000 + b"]") is None
