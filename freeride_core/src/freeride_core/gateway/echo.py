"""Echo: what a client said, taken out of what an upstream says about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freeride_core.provider import Call

_FIELDS = ("messages", "input", "prompt")
_STRUCTURE = frozenset({"role", "type", "name", "id", "tool_call_id", "format", "detail"})
"""Members whose values are the protocol's words, not the client's."""
_MASK = "‹…›"
_RUN = 8
_LONG = 1000
_RUN_IN_LONG = 16
"""A long conversation has every short run of letters somewhere; there, only longer ones are an echo."""


def without_echo(words: str, call: Call) -> str:
    """An upstream's words without those of the conversation."""
    try:
        said = "\0".join(text for name in _FIELDS for text in _texts(call.value(name)))
    except (ValueError, RecursionError):
        return ""
    run = _RUN if len(said) <= _LONG else _RUN_IN_LONG
    kept: list[str] = []
    clean_from, covered_to = 0, -1
    for start in range(len(words) - run + 1):
        if words[start : start + run] in said:
            if start > covered_to:
                kept += (words[clean_from:start], _MASK)
            clean_from = covered_to = start + run
    return "".join((*kept, words[clean_from:]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in _STRUCTURE:
                yield from _texts(item)
