"""Gemini's streams: OpenAI's, but for tool calls that bear no number and a finish that does not speak of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

_MARK = b"\xef\xbb\xbf"
"""The byte order mark, which a stream may begin with."""
_LONGEST = 1024 * 1024
"""Bytes of an event that is decoded: no call is longer, and the gateway does nothing else for up to 50 ms."""


class NumberedToolCalls:
    """Passes a stream on with its tool calls numbered, and `tool_calls` for the `stop` after them.

    Each call comes whole, without an `index` or with 0 for all of them, so that a client would take two calls for one.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._has_begun = False
        self._calls: Counter[int] = Counter()
        """How many calls each choice has made."""

    def decode(self, data: bytes) -> bytes:
        *lines, rest = data.split(b"\n")
        if not lines:
            self._rest += rest
            return b""
        lines[0] = self._rest + lines[0]
        self._rest = rest
        return b"".join(self._corrected(line) + b"\n" for line in lines)

    def flush(self) -> bytes:
        rest, self._rest = self._rest, b""
        return self._corrected(rest)

    def _corrected(self, line: bytes) -> bytes:
        mark = b"" if self._has_begun or not line.startswith(_MARK) else _MARK
        self._has_begun = True
        return mark + self._corrected_event(line.removeprefix(mark))

    def _corrected_event(self, line: bytes) -> bytes:
        if not line.startswith(b"data:") or not (self._calls or b'"tool_calls"' in line):
            return line
        if len(line) > _LONGEST:
            return line
        try:
            chunk = json.loads(line.removeprefix(b"data:"))
            changed = [self._correct(choice) for choice in chunk["choices"]]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):  # `[DONE]`, an error, nonsense
            return line
        return b"data: " + json.dumps(chunk).encode() if any(changed) else line

    def _correct(self, choice: dict[str, Any]) -> bool:
        at: int = choice["index"]
        calls = choice["delta"].get("tool_calls") or ()
        for call in calls:
            # A piece of a call, should there ever be one, has no name.
            self._calls[at] += "name" in call["function"]
            call["index"] = max(self._calls[at] - 1, 0)
        is_finish = self._calls[at] > 0 and choice.get("finish_reason") == "stop"
        if is_finish:
            choice["finish_reason"] = "tool_calls"
        return is_finish or bool(calls)
