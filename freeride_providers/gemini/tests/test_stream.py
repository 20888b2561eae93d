"""Streams with tool calls: how they are corrected, and what a hostile upstream's cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freeride_provider_gemini.stream import NumberedToolCalls


def event(**members: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, **members}]}).encode() + b"\n\n"


CALL = event(delta={"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}]})
STREAM = CALL * 2 + event(delta={}, finish_reason="stop") + b"data: [DONE]\n\n"


def corrected(stream: bytes, size: int) -> bytes:
    decoder = NumberedToolCalls()
    pieces = [decoder.decode(stream[at : at + size]) for at in range(0, len(stream), size)]
    return b"".join(pieces) + decoder.flush()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_calls_are_numbered_wherever_the_stream_is_cut(size: int, mark: bytes) -> None:
    said = corrected(mark + STREAM, size)
    assert said.startswith(mark + b"data: ")
    said = said.removeprefix(mark)
    chunks = [json.loads(line[6:]) for line in said.splitlines() if line.startswith(b"data: {")]
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [call["index"] for call in calls] == [0, 1]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert said.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "line",
    [
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[],"x":"' + b"x" * 5_000_000 + b'"}}]}\n',
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[]}},' + b"{}," * 1_000_000 + b"{}]}\n",
    ],
    ids=["a long text", "many values"],
)
def test_an_event_that_takes_too_long_to_decode_is_passed_on_as_it_is(line: bytes) -> None:
    assert corrected(CALL + line, 65536).endswith(line)


def test_a_mark_within_a_stream_is_no_mark() -> None:
    line = b"\xef\xbb\xbf" + CALL
    assert corrected(CALL + line, 1000).endswith(line)
