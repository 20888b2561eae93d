"""Retry-after: when an upstream says that it can be asked again.

Every function gives seconds to wait, rounded up to whole ones, from 0 to `LONGEST`; None where the text says nothing usable
(negative, in the past, or senseless).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from freeride_core.answer import Answer

LONGEST = 24 * 3600
"""No hint is believed beyond a day."""

_UNIT = {"ms": 0.001, "milli": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d++(?:\.\d++)?(?:ms|[smhd]))++", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|[smhd])", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_EPOCH_S = 1_000_000_000
_EPOCH_MS = 1_000_000_000_000
_SPELLED = r"\d+(?:\.\d+)?\s*(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)"
# Anchored on the words that promise something: a bare number in prose is not a hint.
_PROSE = re.compile(
    r"\b(?:try again|retry(?:-after)?|wait|available again|resets?)\b(?:\s+(?:in|after|for|at least|about))*\s*(?::\s*)?"
    rf"({_SPELLED}(?:,?\s*(?:and\s+)?{_SPELLED})*)(?![a-z0-9])",
    re.ASCII | re.IGNORECASE,
)
_BODY_FIELDS = frozenset({"retry_after", "retryafter", "retrydelay", "retry_after_seconds", "retryafterseconds"})
_LONGEST_TEXT = 100
"""Characters of a hint."""
_DEEPEST = 6
_MOST_MEMBERS = 10_000
"""Members of a body that are looked at, in some milliseconds: a hint is among the first dozens."""


def _wait(seconds: float) -> float | None:
    if not math.isfinite(seconds) or seconds < 0:
        return None
    # The epsilon keeps 4.0000000001, a product of float subtraction, from becoming 5.
    return float(min(math.ceil(seconds - 1e-6), LONGEST))


def duration(text: str) -> float | None:
    """`2m59.56s`, `825ms`, `17s`, `24h0m0s`; a bare number is seconds."""
    text = text.strip()
    if len(text) > _LONGEST_TEXT:
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        return _wait(number) if number < _EPOCH_S else None
    return _wait(_sum(text)) if _DURATION.fullmatch(text) else None


def _sum(text: str) -> float:
    return sum(float(amount) * _UNIT[unit.lower()] for amount, unit in _PART.findall(text))


def moment(text: str, now: float) -> float | None:
    """A reset: a duration, an epoch in seconds or milliseconds, an ISO 8601 or an HTTP date."""
    text = text.strip()
    if len(text) > _LONGEST_TEXT:
        return None
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= _EPOCH_MS:
            return _wait(number / 1000 - now)
        if number >= _EPOCH_S:
            return _wait(number - now)
        return _wait(number)
    return duration(text) if _DURATION.fullmatch(text) else _date(text, now)


def _date(text: str, now: float) -> float | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    try:
        return _wait(when.timestamp() - now)
    except (OverflowError, OSError):
        return None


def retry_after(value: str, now: float) -> float | None:
    """The `Retry-After` header: whole or decimal seconds, or an HTTP date."""
    value = value.strip()
    return _date(value, now) if value[:1].isalpha() else duration(value)


def in_prose(text: str) -> float | None:
    """`Please try again in 7m12.5s`, `retry after 30 seconds`."""
    found = _PROSE.search(text)
    return _wait(_sum(found[1])) if found else None


def in_body(value: Any, now: float) -> float | None:
    """`{"retryDelay": "17s"}`, `{"retry_after": 30}`, `{"X-RateLimit-Reset": "1795406437000"}`, at any depth up to six."""
    return _first(_field(str(name).lower(), item, now) for name, item in islice(_members(value), _MOST_MEMBERS))


def _members(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Those of an object before those of the objects within it."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        yield from value.items()
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        if isinstance(item, (dict, list)):
            yield from _members(item, depth + 1)


def _field(name: str, item: Any, now: float) -> float | None:
    if isinstance(item, bool) or not isinstance(item, (str, int, float)):
        return None
    if name in _BODY_FIELDS:
        return duration(str(item))
    if name == "retry-after":
        return retry_after(str(item), now)
    if name in {"x-ratelimit-reset", "ratelimit-reset"}:
        return moment(str(item), now)
    return None


def _first(hints: Iterable[float | None]) -> float | None:
    return next((hint for hint in hints if hint is not None), None)


def of(answer: Answer, message: str, reset_headers: Iterable[str] = ()) -> float | None:
    """The best hint of an answer: `Retry-After`, then the body's fields, the prose of its message, and the declared reset
    headers."""
    headers, now = answer.headers, answer.now
    if "retry-after" in headers:
        hint = retry_after(headers["retry-after"], now)
        if hint is not None:
            return hint
    hint = in_body(answer.json, now)
    if hint is None:
        hint = in_prose(message)
    if hint is None:
        hint = _first(moment(headers[name], now) for name in reset_headers if name in headers)
    return hint
