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
    for start in _echoes(words, said, run):
        if start > covered_to:
            kept += (words[clean_from:start], _MASK)
        clean_from = covered_to = start + run
    return "".join((*kept, words[clean_from:]))


def _echoes(words: str, said: str, run: int) -> Iterator[int]:
    """Where `run` characters of the words are somewhere in what was said.

    To search a long conversation for each of them would hold up everybody else. Whatever is in it holds one of the blocks that
    it is cut into, half as long; and after an echo its next character most likely goes on with it."""
    half = run // 2
    blocks = {said[at : at + half] for at in range(0, len(said), half)}
    block_at = -1
    at = -1
    for start in range(len(words) - run + 1):
        for first in range(max(start, block_at + 1), start + run - half + 1):
            if words[first : first + half] in blocks:
                block_at = first
        if block_at < start:
            continue
        piece = words[start : start + run]
        at = at + 1 if at >= 0 and said.startswith(piece, at + 1) else said.find(piece)
        if at >= 0:
            yield start


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
