"""The scanner of a stream: what is learned of its bytes while they are relayed as they came."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import msgspec

from freeride_core.answer import Failure
from freeride_core.gateway.http.sse import DONE, LONGEST_BLANK, MAX_HELD, StreamEvent, last_blank_line, parse, split

_KEPT = 4096
"""Bytes of an ending."""
_FINISH = re.compile(rb'_reason(?<="finish_reason)"[ \t]*:[ \t]*"[^"]')
"""Begins with the rare byte, which is looked for first."""


class _Choice(msgspec.Struct):
    index: int = 0
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []


_CHUNK = msgspec.json.Decoder(_Chunk)


class _ChoiceEnds:
    """Which choices of a stream have begun, and which have a finish reason."""

    def __init__(self) -> None:
        self._begun: set[int] = set()
        self._finished: set[int] = set()

    def note(self, data: bytes) -> bool:
        """Whether every choice that has begun has a finish reason, after these events."""
        blocks, rest = split(data)
        for block in (*blocks, rest):
            event = parse(block)
            if event.data is None or event.is_done:
                continue
            try:
                chunk = _CHUNK.decode(event.data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            for choice in chunk.choices:
                self._begun.add(choice.index)
                if choice.finish_reason:
                    self._finished.add(choice.index)
        return bool(self._begun) and self._begun <= self._finished


class StreamScanner:
    """Passes a committed stream on, whole events as soon as they are whole, and notices how it ends.

    `find_failure` reads an event that may hold an error; it is asked only about events with a marker.
    """

    def __init__(self, find_failure: Callable[[StreamEvent], Failure | None], choices: int = 1) -> None:
        """`choices`: how many the client asked for. Only with several of them is each event of the stream read."""
        self._find_failure = find_failure
        self._ends = None if choices == 1 else _ChoiceEnds()
        self._tail = b""
        self._is_amid = False
        self.is_finished = False
        """A finish reason was seen: with several choices, one for each that has begun."""
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
        cut = last_blank_line(data, max(0, len(self._tail) - LONGEST_BLANK))
        if cut:
            self._is_amid = False
        elif len(data) > MAX_HELD:
            # An event of this size is content, so it need not be held back. What is searched for has no comma.
            cut = data.rfind(b",", MAX_HELD // 2) + 1 or len(data)
            self._is_amid = True
        self._tail = data[cut:]
        return self._inspect(data[:cut]) if cut else b""

    def end(self) -> bytes:
        """Return what is left when the upstream's stream has ended, whether cleanly or not.

        Half an event is not passed on. If its first half was passed on already, it is ended, so that another event can
        follow."""
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
        was_finished = self.is_finished
        if self._ends is not None:
            self.is_finished = self._ends.note(data)
        if was_finished:
            self.ending = (self.ending + data)[-_KEPT:]
        elif self.is_finished or (self._ends is None and _FINISH.search(data)):
            self.is_finished = True
            self.ending = data
        return data

    def _inspect_closely(self, data: bytes) -> bytes:
        blocks, rest = split(data)
        if rest:
            blocks.append(rest)
        passed: list[bytes] = []
        for block in blocks:
            if not (b'"error' in block or b"[DONE]" in block or b"event:" in block):
                passed.append(block)  # nothing that is looked for, and there may be thousands of it
                continue
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
