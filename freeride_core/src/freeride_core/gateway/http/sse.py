"""Server-sent events on the byte path: finding events, judging the first ones, relaying the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from freeride_core.answer import Failure

MAX_HELD = 64 * 1024
"""Bytes held back before a stream commits, and of an event that does not end."""
DONE = b"data: [DONE]\n\n"
_KEPT = 4096
"""Bytes of an ending."""

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FINISH = re.compile(rb'_reason(?<="finish_reason)"[ \t]*:[ \t]*"[^"]')
"""Begins with the rare byte, which is looked for first."""
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


class StreamEvent(NamedTuple):
    """One event. `data` is None for a block of comments."""

    name: str
    data: bytes | None

    @property
    def is_done(self) -> bool:
        return self.data is not None and self.data.strip() == b"[DONE]"


def parse(block: bytes) -> StreamEvent:
    """One block of lines. Only CR, LF and CRLF end a line: U+2028 inside a JSON string does not."""
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


def block_ends(data: bytes) -> Iterator[int]:
    """Where each whole block ends, found as it is asked for."""
    if b"\r" in data:
        for blank in _BLANK_LINE.finditer(data):
            yield blank.end()
    else:  # as it usually is, and a plain find is many times quicker
        end = data.find(b"\n\n") + 2
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


def finish_of(choices: Any) -> str:
    """The first choice's finish reason; empty where there is none."""
    if isinstance(choices, list):
        for choice in choices:
            if isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str):
                return str(choice["finish_reason"])
    return ""


def completion_tokens(body: Any) -> int:
    """Completion tokens that the upstream reports, in the usual place or one level down; 0: none."""
    if not isinstance(body, dict):
        return 0
    for place in (body, *body.values()):
        usage = place.get("usage") if isinstance(place, dict) else None
        if isinstance(usage, dict) and isinstance(usage.get("completion_tokens"), int):
            return int(usage["completion_tokens"])
    return 0


class StreamScanner:
    """Passes a committed stream on, whole events as soon as they are whole, and notices how it ends.

    `find_failure` reads an event that may hold an error; it is asked only about events with a marker.
    """

    def __init__(self, find_failure: Callable[[StreamEvent], Failure | None]) -> None:
        self._find_failure = find_failure
        self._tail = b""
        self._is_amid = False
        self.is_finished = False
        """A finish reason was seen."""
        self.ending = b""
        """What came with the finish reason and after it, the last of it: usage is reported there."""
        self.is_done = False
        """`[DONE]` was seen; what follows is not relayed."""
        self.failure: Failure | None = None
        """An error event was seen; it and what follows are not relayed."""

    def feed(self, chunk: bytes) -> bytes:
        """What can be sent on now."""
        if self.is_done or self.failure is not None:
            return b""
        data = self._tail + chunk if self._tail else chunk
        if data.endswith((b"\n\n", b"\r\n\r\n")):
            self._tail = b""
            self._is_amid = False
            return self._inspect(data)
        cut = _last_blank_line(data)
        if cut:
            self._is_amid = False
        elif len(data) > MAX_HELD:
            # An event of such a size is content; holding it back any longer helps nobody. What is looked for has no comma.
            cut = data.rfind(b",", MAX_HELD // 2) + 1 or len(data)
            self._is_amid = True
        self._tail = data[cut:]
        return self._inspect(data[:cut]) if cut else b""

    def end(self) -> bytes:
        """What is left when the upstream's stream has ended, be it cleanly or not. Half an event is not passed on, but the
        half that was passed on already is ended, so that something else can be said."""
        tail, self._tail = self._tail, b""
        if self.is_done or self.failure is not None:
            return b""
        if self._is_amid:
            return self._inspect(tail) + b"\n\n"
        return self._inspect(tail) if _is_whole(tail) else b""

    def _inspect(self, data: bytes) -> bytes:
        if b'"error' in data or b"event:" in data:
            data = self._inspect_closely(data)
        elif b"[DONE]" in data:
            # As it usually ends; anywhere else the mark may be text.
            self.is_done = data.count(b"[DONE]") == 1 and (data == DONE or data.endswith(b"\n\n" + DONE))
            if not self.is_done:
                data = self._inspect_closely(data)
        if self.is_finished:
            self.ending = (self.ending + data)[-_KEPT:]
        elif _FINISH.search(data):
            self.is_finished = True
            self.ending = data
        return data

    def _inspect_closely(self, data: bytes) -> bytes:
        blocks, rest = split(data)
        if rest:
            blocks.append(rest)
        passed: list[bytes] = []
        for block in blocks:
            event = parse(block)
            if event.is_done:
                self.is_done = True
                passed.append(DONE if block is rest else block)
                break
            if event.data is not None and (b'"error' in block or event.name):
                self.failure = self._find_failure(event)
                if self.failure is not None:
                    break
            passed.append(block)
        return b"".join(passed)


def _last_blank_line(data: bytes) -> int:
    """Where the last whole event ends; 0: there is none."""
    at = data.rfind(b"\n\n")
    end = at + 2 if at >= 0 else 0
    if data.find(b"\r", end) >= 0:
        for blank in _BLANK_LINE.finditer(data, end):
            end = blank.end()
    return end


def _is_whole(block: bytes) -> bool:
    """Whether what a stream ended with lacks nothing but its blank line."""
    event = parse(block)
    if event.data is None or event.is_done:
        return not block.strip() or event.is_done
    try:
        json.loads(event.data)
    except (ValueError, RecursionError):
        return False
    return True
