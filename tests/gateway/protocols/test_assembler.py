"""Whatever form an upstream gives its answer, and wherever the bytes are cut, the steps are the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_upstream import DONE, chunk, completion
from freeride_core.events.usage import Usage
from freeride_core.gateway.protocols.assembler import Assembler
from freeride_core.gateway.protocols.call_queue import is_object
from freeride_core.gateway.protocols.steps import (
    AnswerFault,
    CallArguments,
    CallClosed,
    CallOpened,
    Finished,
    FinishReason,
    ReasoningStep,
    RefusalStep,
    Step,
    TextStep,
)

ARGUMENTS = '{"city": "Zurich \\"x\\"", "n": [1, {"m": "}"}]}'
CLOSED = CallClosed()


def part(index: int | None = 0, *, id: Any = None, name: Any = None, arguments: Any = None) -> dict[str, Any]:  # noqa: A002
    """One entry of a delta's `tool_calls`, with the members that are given."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    members = (("index", index), ("id", id), ("function", function or None))
    return {key: value for key, value in members if value is not None}


def calls(*parts: dict[str, Any]) -> bytes:
    return chunk({"tool_calls": list(parts)})


def look(arguments: Any = None) -> bytes:
    """The chunk in which a call begins."""
    return calls(part(0, id="a", name="look", arguments=arguments))


def move(arguments: Any) -> bytes:
    """The chunk in which a second call begins."""
    return calls(part(1, id="b", name="move", arguments=arguments))


def more(arguments: Any) -> bytes:
    """A chunk in which the first call goes on."""
    return calls(part(0, arguments=arguments))


def finish(word: str | None, **choice: Any) -> bytes:
    return chunk({}, choices=[{"index": 0, "delta": {}, "finish_reason": word, **choice}])


def call(call_id: str, name: str, *arguments: str) -> list[Step]:
    return [CallOpened(call_id, name), *map(CallArguments, arguments), CLOSED]


def finished(reason: FinishReason, usage: Usage | None = None, stop_sequence: str = "") -> Finished:
    return Finished(reason, usage or Usage(), stop_sequence)


STOP, CALLS = finished(FinishReason.STOP), finished(FinishReason.TOOL_CALLS)
LENGTH, REFUSAL = finished(FinishReason.LENGTH), finished(FinishReason.REFUSAL)
END = finish("tool_calls")
WHOLE_A = part(0, id="a", name="look", arguments='{"x":1}')
NOT_AN_OBJECT = AnswerFault("the arguments of a tool call are not a JSON object")

HI, LOOK = chunk({"content": "Hi"}), look('{"x":1}')
LOOKED: list[Step] = [*call("a", "look", "{}"), CALLS]
LOOKED_AT_X: list[Step] = [*call("a", "look", '{"x":1}'), CALLS]
LOOKED_IN_PIECES: list[Step] = [*call("a", "look", '{"x"', ":1}"), CALLS]
COUNTS = {"prompt_tokens": 9, "completion_tokens": 2}

STREAMS: dict[str, tuple[list[bytes], list[Step]]] = {
    # Words
    "text": ([chunk({"role": "assistant", "content": ""}), HI, chunk({"content": " you"}), finish("stop"), DONE],
             [TextStep("Hi"), TextStep(" you"), STOP]),
    "text in the chunk of the finish": ([chunk({"content": "Hi"}, "stop"), DONE], [TextStep("Hi"), STOP]),
    "text in parts": ([chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}),
                       chunk({"content": [{"type": "text", "text": "Hi"}]}), finish("stop")],
                      [ReasoningStep("Hm"), TextStep("Hi"), STOP]),
    "null contents": ([chunk({"content": None, "reasoning_content": None, "tool_calls": None}), finish("stop")], [STOP]),
    "reasoning under two names": ([chunk({"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}),
                                   HI, finish("stop")], [ReasoningStep("Hm"), TextStep("Hi"), STOP]),
    "reasoning in details alone": ([chunk({"reasoning_details": [{"text": "A"}, {"summary": "B"}, 3]}), finish("stop")],
                                   [ReasoningStep("A"), ReasoningStep("B"), STOP]),
    "a refusal": ([chunk({"refusal": "No."}), finish("stop")], [RefusalStep("No."), REFUSAL]),
    "a filter": ([chunk({"content": "I"}), finish("content_filter")], [TextStep("I"), REFUSAL]),
    "an empty answer": ([finish("stop"), DONE], [STOP]),
    "a pair of surrogates in two chunks": (
        [b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
         b'data: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n', DONE],
        [TextStep("\ud83d"), TextStep("\ude00"), STOP]),
    # Ends
    "no finish reason": ([HI, DONE], [TextStep("Hi"), STOP]),
    "the limit": ([HI, finish("length")], [TextStep("Hi"), LENGTH]),
    "two finish reasons": ([chunk({"content": "Hi"}, "stop"), finish("length"), DONE], [TextStep("Hi"), STOP]),
    "words after the finish": ([chunk({"content": "Hi"}, "stop"), chunk({"content": "!"})], [TextStep("Hi"), STOP]),
    "a stop sequence": ([finish("stop", stop_reason="END")], [finished(FinishReason.STOP, None, "END")]),
    "another name of it": ([finish("stop", matched_stop="END")], [finished(FinishReason.STOP, None, "END")]),
    "a stop token": ([finish("stop", stop_reason=151645)], [STOP]),
    "a failure told as a finish": ([HI, finish("network_error")],
                                   [TextStep("Hi"), AnswerFault("the upstream failed in the middle of the answer")]),
    "what is not JSON": ([HI, b"data: {oops\n\n", finish("stop")],
                         [TextStep("Hi"), AnswerFault("a part of the answer is not JSON")]),
    "comments, names and other lines": ([b": hello\n\nevent: x\nid: 3\n" + HI, b"retry: 3\n\n", DONE],
                                        [TextStep("Hi"), STOP]),
    "other line ends": ([HI.replace(b"\n", b"\r\n"), DONE.replace(b"\n", b"\r\n")], [TextStep("Hi"), STOP]),
    "another choice": ([chunk({}, choices=[{"index": 1, "delta": {"content": "No"}}]), HI, DONE],
                       [TextStep("Hi"), STOP]),
    # Usage
    "usage after the finish": ([chunk({"content": "Hi"}, "stop"), chunk({}, choices=[], usage=COUNTS)],
                               [TextStep("Hi"), finished(FinishReason.STOP, Usage(9, 2))]),
    "usage with the finish": ([chunk({"content": "Hi"}, "stop", x_groq={"usage": COUNTS})],
                              [TextStep("Hi"), finished(FinishReason.STOP, Usage(9, 2))]),
    "usage in every chunk": ([chunk({"tool_calls": [WHOLE_A]}, usage={"prompt_tokens": 9, "completion_tokens": 1}),
                              chunk({}, "tool_calls", usage={**COUNTS, "prompt_tokens_details": {"cached_tokens": 4}}),
                              chunk({}, choices=[], usage={"prompt_tokens": 0})],
                             [*LOOKED_AT_X[:-1], finished(FinishReason.TOOL_CALLS, Usage(9, 2, 4))]),
    # One call
    "a call in pieces": ([look(""), more('{"x"'), more(":1}"), END], LOOKED_IN_PIECES),
    "a call in one delta": ([LOOK, END, DONE], LOOKED_AT_X),
    "a finish that does not know of calls": ([LOOK, finish("stop")], LOOKED_AT_X),
    "a finish with the call": ([chunk({"tool_calls": [WHOLE_A]}, "tool_calls")], LOOKED_AT_X),
    "no finish after a call": ([LOOK, DONE], LOOKED_AT_X),
    "reasoning and words before it": ([chunk({"reasoning": "Hm", "content": "So", "tool_calls": [WHOLE_A]}), END],
                                      [ReasoningStep("Hm"), TextStep("So"), *LOOKED_AT_X[:-1], CALLS]),
    "words after it": ([LOOK, chunk({"content": "Done"}), END], [*LOOKED_AT_X[:-1], TextStep("Done"), CALLS]),
    "a name in every delta": ([look(""), look('{"x"'), look(":1}"), look(""), END], LOOKED_IN_PIECES),
    "a name in two deltas": ([calls(part(id="a", name="lo")), calls(part(name="ok", arguments="{}")), END], LOOKED),
    "an empty name first": ([calls(part(id="a", name="", arguments="")), calls(part(name="look")), more("{}"), END],
                            LOOKED),
    "empty names later": ([look('{"x"'), calls(part(id="", name="", arguments=":1}")), END],
                          LOOKED_IN_PIECES),
    "no arguments": ([look(""), END], [*call("a", "look"), CALLS]),
    "null arguments": ([chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": None}}]}), END],
                       [*call("a", "look"), CALLS]),
    "arguments as an object": ([look({"x": 1}), END], [*call("a", "look", '{"x": 1}'), CALLS]),
    "no id": ([calls(part(name="look", arguments="{}")), END], [*call("call_s_0", "look", "{}"), CALLS]),
    "an id that no client takes": ([calls(part(id="a:b", name="look", arguments="{}")), END],
                                   [*call("call_s_0", "look", "{}"), CALLS]),
    "an id after the name": ([calls(part(name="look")), calls(part(id="a", arguments="{}")), END], LOOKED),
    "an older form": ([chunk({"function_call": {"name": "look", "arguments": '{"x"'}}),
                       chunk({"function_call": {"arguments": ":1}"}}),
                       finish("function_call")], [*call("call_s_0", "look", '{"x"', ":1}"), CALLS]),
    "empty deltas": ([calls(part()), LOOK, more(""), calls(part(5)), END], LOOKED_AT_X),
    # Several calls
    "two calls, one after the other": (
        [LOOK, move("{"), calls(part(1, arguments="}")), END],
        [*LOOKED_AT_X[:-1], *call("b", "move", "{", "}"), CALLS]),
    "two calls, mixed": (
        [calls(part(0, id="a", name="look", arguments='{"x"')), move('{"y"'),
         more(":1}"), calls(part(1, arguments=":2}")), END],
        [*call("a", "look", '{"x"', ":1}"), *call("b", "move", '{"y":2}'), CALLS]),
    "two names before any arguments": (
        [calls(part(0, id="a", name="look"), part(1, id="b", name="move")), more("{}"), calls(part(1, arguments="{}")), END],
        [*LOOKED[:-1], *call("b", "move", "{}"), CALLS]),
    "two calls in one delta without an index": (
        [calls(part(None, name="look", arguments="{}"), part(None, name="look", arguments="")), END],
        [*call("call_s_0", "look", "{}"), *call("call_s_1", "look"), CALLS]),
    "one index for all": (
        [LOOK, calls(part(0, id="b", name="move", arguments='{"y":2}')), END],
        [*LOOKED_AT_X[:-1], *call("b", "move", '{"y":2}'), CALLS]),
    "one index and no ids": (
        [calls(part(0, name="look", arguments="{}")), calls(part(0, name="look", arguments='{"y":2}')),
         calls(part(0, name="move")), END],
        [*call("call_s_0", "look", "{}"), *call("call_s_1", "look", '{"y":2}'), *call("call_s_2", "move"), CALLS]),
    "one id for all": (
        [calls(part(None, id="a", name="look", arguments="{}"), part(None, id="a", name="move", arguments="{}")), END],
        [*call("a", "look", "{}"), *call("call_s_1", "move", "{}"), CALLS]),
    "ids without an index": (
        [calls(part(None, id="a", name="look", arguments="{")), calls(part(None, id="b", name="move", arguments="{")),
         calls(part(None, id="a", arguments="}")), calls(part(None, id="b", arguments="}")), END],
        [*call("a", "look", "{", "}"), *call("b", "move", "{}"), CALLS]),
    "indexes from one": ([calls(part(1, id="a", name="look", arguments="{}")), calls(part(2, id="b", name="move", arguments="{}")),
                          END],
                         [*call("a", "look", "{}"), *call("b", "move", "{}"), CALLS]),
    "words between calls": ([LOOK, chunk({"content": "Then"}), move("{}"), END],
                            [*LOOKED_AT_X[:-1], TextStep("Then"), *call("b", "move", "{}"), CALLS]),
    "a blank for a complete call": (
        [LOOK, move("{}"), more(" "), calls(part(0, name="look")), END],
        [*LOOKED_AT_X[:-1], *call("b", "move", "{}"), CALLS]),
    # What stays open
    "a call cut by the limit": ([look('{"x"'), finish("length")],
                                [CallOpened("a", "look"), CallArguments('{"x"'), LENGTH]),
    "a call cut before its arguments": ([look(), finish("length")], [LENGTH]),
    "a complete call before the cut one": (
        [LOOK, move("{"), finish("length")],
        [*LOOKED_AT_X[:-1], CallOpened("b", "move"), CallArguments("{"), LENGTH]),
    "a complete call at the limit": ([LOOK, finish("length")], [*LOOKED_AT_X[:-1], LENGTH]),
    "arguments that are no JSON": ([look('{"x"'), END],
                                   [CallOpened("a", "look"), CallArguments('{"x"'), NOT_AN_OBJECT]),
    "arguments that are no object": ([look("[1]"), END],
                                     [CallOpened("a", "look"), CallArguments("[1]"), NOT_AN_OBJECT]),
    "two objects in one call": ([look('{"x":1}{"y":2}'), END],
                                [CallOpened("a", "look"), CallArguments('{"x":1}{"y":2}'), NOT_AN_OBJECT]),
    "a call without a name": ([calls(part(id="a", arguments="{}")), END], [AnswerFault("a tool call has no name")]),
    "more for a complete call": (
        [LOOK, move("{"), more("!"), END],
        [*LOOKED_AT_X[:-1], CallOpened("b", "move"), CallArguments("{"),
         AnswerFault("arguments arrived for a tool call that was complete")]),
}  # fmt: skip


def steps_of(pieces: Iterable[bytes]) -> list[Step]:
    assembler = Assembler("s")
    return [step for piece in pieces for step in assembler.feed(piece)] + assembler.end()


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_steps(name: str) -> None:
    events, expected = STREAMS[name]
    assert steps_of(events) == expected


def pieces_of(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    at = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(at)]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_becomes_the_same_steps_byte_by_byte(name: str) -> None:
    events, expected = STREAMS[name]
    data = b"".join(events)
    assert steps_of(pieces_of(data, range(len(data)))) == expected


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 2000), max_size=9))
def test_a_stream_becomes_the_same_steps_wherever_it_is_cut(name: str, cuts: list[int]) -> None:
    events, expected = STREAMS[name]
    assert steps_of(pieces_of(b"".join(events), cuts)) == expected


@given(st.lists(st.integers(0, len(ARGUMENTS)), max_size=6))
def test_arguments_arrive_whole_wherever_a_model_cuts_them(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(ARGUMENTS)]
    pieces = [ARGUMENTS[start:end] for start, end in itertools.pairwise(at)]
    opened, *middle, closed, _ = steps_of([look(), *(more(piece) for piece in pieces), END])
    assert (opened, closed) == (CallOpened("a", "look"), CLOSED)
    assert "".join(step.text for step in middle if isinstance(step, CallArguments)) == ARGUMENTS


@pytest.mark.parametrize(
    ("message", "word", "expected"),
    [
        ({"content": "Hi", "reasoning_content": "Hm"}, "stop", [ReasoningStep("Hm"), TextStep("Hi"), STOP]),
        ({"content": None, "tool_calls": [part(None, id="a", name="look", arguments="{}"), part(None, name="look", arguments="")]},
         "stop", [*call("a", "look", "{}"), *call("call_s_1", "look"), CALLS]),
        ({"content": "Hi", "tool_calls": [part(None, id="a", name="look", arguments="{")]}, "length",
         [TextStep("Hi"), CallOpened("a", "look"), CallArguments("{"), LENGTH]),
        ({"content": "Hi", "tool_calls": [part(None, id="a", name="look", arguments="{")]}, "tool_calls",
         [TextStep("Hi"), CallOpened("a", "look"), CallArguments("{"), NOT_AN_OBJECT]),
        ({"content": ""}, None, [STOP]),
    ],
)  # fmt: skip
def test_a_whole_answer_becomes_steps(message: dict[str, Any], word: str | None, expected: list[Step]) -> None:
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": word}]
    body = json.dumps(completion(choices=choices, usage={})).encode()
    assert Assembler("s").whole(body) == expected


def test_an_open_call_of_a_broken_stream_stays_open() -> None:
    assembler = Assembler("s")
    steps = assembler.feed(LOOK)
    assert steps == [CallOpened("a", "look"), CallArguments('{"x":1}')], "nothing shows yet that the call is over"


def test_a_stream_without_an_end_is_not_kept() -> None:
    assembler = Assembler("s")
    endless = b"data: " + b"x" * (1024 * 1024)
    steps = [step for _ in range(9) for step in assembler.feed(endless)]
    assert steps == [AnswerFault("a part of the answer is too long")]
    assembler = Assembler("s")
    half = calls(part(0, id="a", name="look", arguments="{" + " " * (1024 * 1024)))
    steps = [step for _ in range(9) for step in assembler.feed(half)]
    assert steps[-1] == AnswerFault("its tool calls are too long")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("{}", True), (' {"a":"\\ud800"} ', True), ("", False), ("[]", False), ("{}{}", False), ('{"a":NaN}', False),
     ("[" * 9999, False)],
)  # fmt: skip
def test_an_object_is_what_every_client_takes_for_one(text: str, *, is_one: bool) -> None:
    assert is_object(text) is is_one
