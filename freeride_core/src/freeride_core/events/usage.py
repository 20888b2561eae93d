"""Usage: the tokens that an upstream reports for an answer, read in this one place.

The shape is that of chat completions: `prompt_tokens`, `completion_tokens`, `total_tokens`, and the details below them.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

_VALUE = re.compile(rb"\s*:\s*(?=\{)")
_DECODER = json.JSONDecoder()
ENDING_BYTES = 4096
"""Of an answer's end, in which its usage is looked for."""
_SENSELESS = 1_000_000_000
"""No answer has so many tokens."""


class Usage(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """Tokens of one answer. 0: none, or not reported."""

    input: int = 0
    """Of the prompt, cached ones included."""
    output: int = 0
    """Of the answer, reasoning included."""
    cached: int = 0
    reasoning: int = 0


def usage_of(report: Any) -> Usage:
    """Return what a `usage` object says; anything else says nothing."""
    if not isinstance(report, dict):
        return Usage()
    asked, answered = _count(report, "prompt_tokens"), _count(report, "completion_tokens")
    # Some upstreams count reasoning in the total alone; a total without parts is all that is known.
    unasked = _count(report, "total_tokens") - asked
    cached = reasoning = 0
    if (details := report.get("prompt_tokens_details")) is not None and isinstance(details, dict):
        cached = _count(details, "cached_tokens")
    if (details := report.get("completion_tokens_details")) is not None and isinstance(details, dict):
        reasoning = _count(details, "reasoning_tokens")
    cached = cached or _count(report, "prompt_cache_hit_tokens")
    return Usage(asked, max(unasked, answered), cached, reasoning)


def usage_in_body(body: Any) -> Usage:
    """Return what a decoded answer or event reports, in the usual place or one level down."""
    if isinstance(body, dict):
        for place in (body, *body.values()):
            if isinstance(place, dict) and isinstance(place.get("usage"), dict):
                return usage_of(place["usage"])
    return Usage()


def usage_in_ending(ending: bytes) -> Usage:
    """Return what the last report in the end of an answer or a stream says.

    No text of a model's can look like a report, as its quotes are escaped."""
    end = len(ending)
    while (at := ending.rfind(b'"usage"', 0, end)) >= 0:
        if (found := _VALUE.match(ending, at + 7)) is not None:
            break
        end = at
    else:
        return Usage()
    try:
        report, _ = _DECODER.raw_decode(ending[found.end() :].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return Usage()
    return usage_of(report)


def _count(report: dict[str, Any], name: str) -> int:
    value = report.get(name)
    return value if type(value) is int and 0 < value < _SENSELESS else 0
