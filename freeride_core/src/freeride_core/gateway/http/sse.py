"""Server-sent events: where they begin and end, and what one says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_HELD = 64 * 1024
"""Bytes held back before a stream commits, and of an event that does not end."""
DONE = b"data: [DONE]\n\n"
ENDING_S = 2.0
"""How long a stream may go on after its last finish reason without another word."""

LONGEST_BLANK = 4
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_MARK = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_CONTENT = (
    "content",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
)
_WORDS = re.compile(rb'"(?:%s|arguments|text)"[ \t]*:[ \t]*(?:"[^"]|[\[{][^\]}])' % "|".join(_CONTENT).encode())


class StreamEvent(NamedTuple):
    """One event. `data` is None for a block of comments."""

    name: str
    data: bytes | None

    @property
    def is_done(self) -> bool:
        return self.data is not None and self.data.strip() == b"[DONE]"


def parse(block: bytes) -> StreamEvent:
    """One block of lines. Only CR, LF and CRLF end a line: U+2028 inside a JSON string does not. The byte order mark that a stream
    may begin with is no part of a field's name."""
    block = block.removeprefix(_MARK)
    name = ""
    data: list[bytes] = []
    for line in _LINE_END.split(block):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return StreamEvent(name, b"\n".join(data) if data else None)


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole blocks, each with the blank line that ends it, and the rest."""
    blocks: list[bytes] = []
    start = 0
    for end in block_ends(data):
        blocks.append(data[start:end])
        start = end
    return blocks, data[start:]


def block_ends(data: bytes, known: int = 0) -> Iterator[int]:
    """Where each whole block ends, found as it is asked for. So many bytes are `known` to hold no end: looking at them again with
    each byte of an event that does not end would take more time than all else."""
    at = max(0, known - LONGEST_BLANK)
    if data.find(b"\r", at) >= 0:
        for blank in _BLANK_LINE.finditer(data, at):
            yield blank.end()
    else:  # as it usually is, and a plain find is many times quicker
        end = data.find(b"\n\n", at) + 2
        while end > 1:
            yield end
            end = data.find(b"\n\n", end) + 2


def shows_content(choices: Any) -> bool:
    """Whether any choice (of a chunk or of a whole answer) says or does something."""
    if not isinstance(choices, list):
        return False
    for choice in choices:
        if isinstance(choice, dict):
            part = choice.get("delta") or choice.get("message") or {}
            if isinstance(part, dict) and (part.get("content") or any(part.get(name) for name in _CONTENT)):
                return True
            if choice.get("text"):
                return True
    return False


def looks_like_content(data: bytes) -> bool:
    """The same of events as they came, by a look instead of a parse."""
    return _WORDS.search(data) is not None


def finish_of(choices: Any) -> str:
    """Return the first choice's finish reason, or an empty text if it has not finished."""
    if isinstance(choices, list):
        for choice in choices:
            if isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str):
                return str(choice["finish_reason"])
    return ""


def last_blank_line(data: bytes, start: int) -> int:
    """Return where the last whole event ends, searched from `start` on, or 0 if no event is whole."""
    at = data.rfind(b"\n\n", start)
    end = at + 2 if at >= 0 else 0
    if data.find(b"\r", max(start, end)) >= 0:
        for blank in _BLANK_LINE.finditer(data, max(start, end)):
            end = blank.end()
    return end
