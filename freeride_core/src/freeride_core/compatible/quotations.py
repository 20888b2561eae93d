"""Quotations: JSON that an error quotes as text, for example when a router passes on the response of its upstream."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_LONGEST = 16 * 1024
"""Characters of a text that is looked at."""
_MOST_STARTS = 2
"""Places of a text at which JSON may begin: words before it can hold a brace too."""
_DECODER = json.JSONDecoder()


class Quotation(NamedTuple):
    before: str
    """The words in front of it."""
    value: Any
    """An object or an array."""


def find_quotation(text: str) -> Quotation | None:
    """Return the JSON that a text is, or ends with: `Provider error: {"error": ...}`. Return None without JSON."""
    if len(text) > _LONGEST:
        return None
    at = -1
    for _ in range(_MOST_STARTS):
        at = _next_start(text, at + 1)
        if at < 0:
            return None
        try:
            value, _ = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, (dict, list)) and value:
            return Quotation(text[:at], value)
    return None


def _next_start(text: str, start: int) -> int:
    places = [at for mark in ('{"', "[{", "{\n") if (at := text.find(mark, start)) >= 0]
    return min(places, default=-1)
