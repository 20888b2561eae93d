"""Answers of upstreams, and what a client of the Messages API gets for them: streamed, and whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from fake_upstream import DONE, chunk, completion

USAGE = {"prompt_tokens": 90, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 40}}
TOLD = {"input_tokens": 50, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 40, "output_tokens": 20}
TOOLS = [
    {"name": name, "description": f"{name} it.", "input_schema": {"type": "object", "properties": {"x": {}}}}
    for name in ("Read", "Bash")
]


def say(content: str) -> bytes:
    return chunk({"content": content})


def think(text: str) -> bytes:
    return chunk({"reasoning": text})


def tool(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    members = (("index", index), ("id", call_id), ("type", "function"), ("function", function))
    return {key: value for key, value in members if value is not None}


def calls(*entries: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    return chunk({"tool_calls": list(entries)}, finish, **more)


def end(finish: str = "tool_calls", **choice: Any) -> bytes:
    return chunk({}, choices=[{"index": 0, "delta": {}, "finish_reason": finish, **choice}])


COUNTED = chunk({}, choices=[], usage=USAGE)


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def used(call_id: str, name: str = "Read", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


class AnswerCase(NamedTuple):
    """One way in which an upstream says something."""

    chunks: list[bytes]
    content: list[dict[str, Any]]
    """The blocks that the client gets, each of them closed."""
    stop_reason: str | None
    """None where the stream ends in an error."""
    message: dict[str, Any] | None = None
    """The same as a whole answer, where there is such a form."""
    finish: str = "stop"
    open_blocks: int = 0
    """Blocks at the end that are never closed."""
    choice: Mapping[str, Any] = MappingProxyType({})
    """Further members of the choice of a whole answer."""


A, A_CALL = tool(0, "a", "Read", '{"x": 1}'), used("a", x=1)
B, B_CALL = tool(1, "b", "Bash", '{"x": 2}'), used("b", "Bash", x=2)
CUT = tool(0, "a", "Read", '{"x"')
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "fr1."}
LONG = {"x": 'a "quoted" \\ line\n' * 20, "y": "ü😀"}
_LONG_TEXT = json.dumps(LONG)

# The acceptance list.
ACCEPTED: dict[str, AnswerCase] = {
    "text": AnswerCase(
        [say("Hel"), say("lo"), end("stop"), COUNTED, DONE], [text("Hello")], "end_turn", {"content": "Hello"}
    ),
    "reasoning and text": AnswerCase(
        [think("H"), think("m."), say("Hi"), end("stop"), COUNTED],
        [THOUGHT, text("Hi")],
        "end_turn",
        {"reasoning": "Hm.", "content": "Hi"},
    ),
    "one call": AnswerCase(
        [
            calls(tool(0, "a", "Read", "")),
            calls(tool(0, None, None, '{"x"')),
            calls(tool(0, None, None, ": 1}")),
            end(),
        ],
        [A_CALL],
        "tool_use",
        {"content": None, "tool_calls": [A]},
        "tool_calls",
    ),
    "two calls, serial": AnswerCase(
        [calls(A), calls(B), end()], [A_CALL, B_CALL], "tool_use", {"tool_calls": [A, B]}, "tool_calls"
    ),
    "two calls, interleaved": AnswerCase(
        [
            calls(tool(0, "a", "Read", '{"x"')),
            calls(tool(1, "b", "Bash", '{"x"')),
            calls(tool(0, None, None, ": 1}")),
            calls(tool(1, None, None, ": 2}")),
            end(),
        ],
        [A_CALL, B_CALL],
        "tool_use",
    ),
    "no index": AnswerCase(
        [calls(tool(None, "a", "Read", '{"x"')), calls(tool(None, None, None, ": 1}")), end()],
        [A_CALL],
        "tool_use",
        {"tool_calls": [tool(None, "a", "Read", '{"x": 1}')]},
        "tool_calls",
    ),
    "a whole call in one delta": AnswerCase([calls(A), end()], [A_CALL], "tool_use", {"tool_calls": [A]}, "tool_calls"),
    "a split name": AnswerCase(
        [calls(tool(0, "a", "Re", None)), calls(tool(0, None, "ad", '{"x": 1}')), end()], [A_CALL], "tool_use"
    ),
    "no arguments": AnswerCase(
        [calls(tool(0, "a", "Read", "")), end()],
        [used("a")],
        "tool_use",
        {"tool_calls": [tool(0, "a", "Read", "")]},
        "tool_calls",
    ),
    "invalid arguments": AnswerCase([say("So"), calls(CUT), end()], [text("So")], None, open_blocks=1),
    "finish `stop` after a call": AnswerCase(
        [calls(A), end("stop")], [A_CALL], "tool_use", {"tool_calls": [A]}, "stop"
    ),
    "length in text": AnswerCase(
        [say("Hel"), end("length")], [text("Hel")], "max_tokens", {"content": "Hel"}, "length"
    ),
    "length in a call": AnswerCase(
        [say("So"), calls(CUT), end("length")],
        [text("So")],
        "max_tokens",
        {"content": "So", "tool_calls": [CUT]},
        "length",
        open_blocks=1,
    ),
    "a content filter": AnswerCase(
        [say("I"), end("content_filter")], [text("I")], "refusal", {"content": "I"}, "content_filter"
    ),
    "a refusal": AnswerCase(
        [chunk({"refusal": "No."}), end("stop")], [text("No.")], "refusal", {"refusal": "No.", "content": None}
    ),
    "empty": AnswerCase([end("stop"), COUNTED], [], "end_turn", {"content": ""}),
    "usage with the finish": AnswerCase([say("Hi"), chunk({}, "stop", usage=USAGE)], [text("Hi")], "end_turn"),
    "usage in every chunk": AnswerCase(
        [
            chunk({"content": "H"}, usage={**USAGE, "completion_tokens": 1}),
            chunk({"content": "i"}, usage=USAGE),
            end("stop"),
        ],
        [text("Hi")],
        "end_turn",
    ),
}

# By the numbers of the traps that other gateways were seen to fall into.
TRAPS: dict[str, AnswerCase] = {
    "1: text after a call began": AnswerCase([calls(A), say("Then"), end()], [A_CALL, text("Then")], "tool_use"),
    "2: deltas of calls mixed": AnswerCase(
        [
            calls(tool(0, "a", "Read", "{"), tool(1, "b", "Bash", "{")),
            calls(tool(1, None, None, '"x": 2}')),
            calls(tool(0, None, None, '"x": 1}')),
            end(),
        ],
        [A_CALL, B_CALL],
        "tool_use",
    ),
    "3: the first delta of a block has text": AnswerCase(
        [think("Hm."), chunk({"content": "Hi", "reasoning": None}), end("stop")], [THOUGHT, text("Hi")], "end_turn"
    ),
    "4: arguments in the chunk that opens the call": AnswerCase(
        [say("So"), calls(A), end()], [text("So"), A_CALL], "tool_use"
    ),
    "5: a second call at the same index": AnswerCase(
        [calls(A), calls(tool(0, "b", "Bash", '{"x": 2}')), end()], [A_CALL, B_CALL], "tool_use"
    ),
    "6: an index that was never opened": AnswerCase(
        [calls(tool(3, "a", "Read", '{"x": 1}')), calls(tool(7, None, None, None)), end()], [A_CALL], "tool_use"
    ),
    "7: an empty delta for a closed call": AnswerCase(
        [calls(A), calls(B), calls(tool(0, None, None, "")), end()], [A_CALL, B_CALL], "tool_use"
    ),
    "8: a call in the first chunk": AnswerCase([calls(A, finish="tool_calls")], [A_CALL], "tool_use"),
    "9: usage in every chunk of a call": AnswerCase(
        [calls(tool(0, "a", "Read", '{"x"'), usage=USAGE), calls(tool(0, None, None, ": 1}"), usage=USAGE), end()],
        [A_CALL],
        "tool_use",
    ),
    "10: names repeated, empty, or in the wrong case": AnswerCase(
        [calls(tool(0, "a", "read", '{"x"')), calls(tool(0, "a", "read", ": 1")), calls(tool(0, "a", "", "}")), end()],
        [A_CALL],
        "tool_use",
        {"tool_calls": [tool(0, "a", "READ", '{"x": 1}')]},
        "tool_calls",
    ),
    "11: an empty name in the first delta": AnswerCase(
        [calls(tool(0, "a", "", "")), calls(tool(0, None, "Read", '{"x": 1}')), end()], [A_CALL], "tool_use"
    ),
    "12: long arguments in small pieces": AnswerCase(
        [
            calls(tool(0, "a", "Read", "")),
            *(calls(tool(0, None, None, _LONG_TEXT[at : at + 3])) for at in range(0, len(_LONG_TEXT), 3)),
            end(),
        ],
        [used("a", **LONG)],
        "tool_use",
    ),
    "21: a stop sequence": AnswerCase(
        [say("Hi"), end("stop", stop_reason="END")],
        [text("Hi")],
        "stop_sequence",
        {"content": "Hi"},
        choice={"stop_reason": "END"},
    ),
    "22: a call that ends in `stop`": AnswerCase([calls(A, finish="stop")], [A_CALL], "tool_use"),
    "35: arguments that are nearly JSON": AnswerCase(
        [calls(tool(0, "a", "Read", '{"x": 1,}')), end()], [], None, open_blocks=1
    ),
    "37: a cut call after a whole one": AnswerCase(
        [calls(A), calls(tool(1, "b", "Bash", '{"x"')), end("length")],
        [A_CALL],
        "max_tokens",
        {"tool_calls": [A, tool(1, "b", "Bash", '{"x"')]},
        "length",
        open_blocks=1,
    ),
}
CASES = ACCEPTED | TRAPS

SAYS_SOMETHING = [name for name, case in CASES.items() if case.content or case.stop_reason is None]
FIELDS: dict[str, Any] = {
    "tools": TOOLS,
    "stop_sequences": ["END"],
    "thinking": {"type": "adaptive", "display": "summarized"},
}
"""Of a request whose answer can be any of them."""


def whole_of(case: AnswerCase) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **(case.message or {})}, "finish_reason": case.finish}
    return completion(choices=[{**choice, **case.choice}], usage=USAGE)
