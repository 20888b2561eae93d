"""Prompt redaction: what a client said, taken out of what an upstream says about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from freeride_core.call import Call

_FIELDS = ("messages", "input", "prompt")
_STRUCTURE = frozenset({"role", "type", "name", "id", "tool_call_id", "format", "detail"})
"""Members whose values are the protocol's words, not the client's."""
_MASK = "‹…›"
_RUN = 8
_LONG = 1000
_RUN_IN_LONG = 16
"""A long conversation has every short run of letters somewhere; there, only longer ones are an echo."""


def without_echo(words: str, call: Call) -> str:
    """An upstream's words without those of the conversation; nothing of them where that cannot be looked through."""
    try:
        said = [text for name in _FIELDS for text in _texts(call.value(name))]
    except (ValueError, RecursionError):
        return ""
    run = _RUN if sum(map(len, said)) <= _LONG else _RUN_IN_LONG
    kept: list[str] = []
    clean_from, covered_to = 0, -1
    for start in _echoes(words, said, run):
        if start > covered_to:
            kept += (words[clean_from:start], _MASK)
        clean_from = covered_to = start + run
    return "".join((*kept, words[clean_from:]))


def _echoes(words: str, said: Iterable[str], run: int) -> Iterator[int]:
    """Yield where `run` characters of the words are somewhere in what was said.

    To search a long conversation for each of them would delay every other request. So it is read once, in blocks of half that
    length: every echo in it holds one block whole, which is in the words too."""
    half = run // 2
    blocks = {words[at : at + half] for at in range(len(words) - half + 1)}
    windows = {words[at : at + run] for at in range(len(words) - run + 1)}
    seen: set[str] = set()
    echoed: set[str] = set()
    for text in said:
        for at in range(0, len(text) - half + 1, half):
            if text[at : at + half] in blocks:
                around = text[max(0, at - half + 1) : at + run]
                if around not in seen:
                    seen.add(around)
                    echoed |= windows.intersection(
                        around[start : start + run] for start in range(len(around) - run + 1)
                    )
    return (start for start in range(len(words) - run + 1) if words[start : start + run] in echoed)


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
