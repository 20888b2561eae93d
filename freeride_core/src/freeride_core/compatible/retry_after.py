"""Retry-after: when an upstream says that it can be asked again.

Every function gives seconds to wait as they were told, from 0 to `LONGEST`; None where the text says nothing usable (negative, in
the past, or senseless).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from freeride_core.answer import Answer
from freeride_core.compatible.quotations import find_quotation

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
_DURATION_FIELDS = frozenset(
    {"retry_after", "retryafter", "retrydelay", "retry_delay", "retry_after_seconds", "retryafterseconds"}
)
_MILLISECOND_FIELDS = frozenset({"retry_after_ms", "retryafterms", "retry-after-ms"})
_MOMENT_FIELDS = frozenset({"x-ratelimit-reset", "ratelimit-reset", "reset_at", "resets_at", "resetat", "resetsat"})
# A field within a text that is no JSON: cut short, or as another language writes it.
_WRITTEN = re.compile(
    r"[\"']retry_?(?:after|delay)(?:_seconds)?\\{0,4}[\"']\s{0,4}:\s{0,4}\\{0,4}[\"']?(\d{1,9}(?:\.\d{1,9})?(?:ms|s)?)(?![\d.a-z])",
    re.ASCII | re.IGNORECASE,
)
# A window of the IETF's `RateLimit` header, of the drafts with `r` and `t` and of those before.
_LEFT = re.compile(r"(?:^|[;,\s])(?:r|remaining)\s{0,2}=\s{0,2}(\d{1,15})(?!\d)", re.ASCII | re.IGNORECASE)
_UNTIL = re.compile(r"(?:^|[;,\s])(?:t|reset)\s{0,2}=\s{0,2}(\d{1,15})(?!\d)", re.ASCII | re.IGNORECASE)
_LONGEST_TEXT = 100
"""Characters of a hint."""
_DEEPEST = 6
_MOST_MEMBERS = 10_000
"""Members of a body that are looked at, in some milliseconds: a hint is among the first dozens."""
_MOST_QUOTATIONS = 16
"""Texts of a body that may hold JSON."""
_LONGEST_HEADER = 1000


def _wait(seconds: float) -> float | None:
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return float(min(seconds, LONGEST))


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
    """`{"retryDelay": "17s"}`, `{"retry_after": 30}`, `{"X-RateLimit-Reset": "1795406437000"}`, at any depth up to six, and in JSON
    that is quoted as a text."""
    return _first(_field(str(name).lower(), item, now) for name, item in islice(_members(value, []), _MOST_MEMBERS))


def _members(value: Any, quotations: list[Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Those of an object before those of the objects within it. What texts quote is added to `quotations`."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        yield from value.items()
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        inner = item
        if isinstance(item, str) and "{" in item and len(quotations) < _MOST_QUOTATIONS:
            quotation = find_quotation(item)
            inner = quotation.value if quotation is not None else None
            quotations.append(inner)
        if isinstance(inner, (dict, list)):
            yield from _members(inner, quotations, depth + 1)


def _field(name: str, item: Any, now: float) -> float | None:
    if isinstance(item, bool) or not isinstance(item, (str, int, float)):
        return None
    if name in _DURATION_FIELDS:
        return duration(str(item))
    if name in _MILLISECOND_FIELDS:
        return duration(f"{item}ms")
    if name == "retry-after":
        return retry_after(str(item), now)
    if name in _MOMENT_FIELDS:
        return moment(str(item), now)
    return None


def in_windows(headers: Mapping[str, str], now: float) -> float | None:
    """Until the last of the windows that are used up is open again, as the rate-limit headers tell: the IETF's `RateLimit`, and
    pairs such as `x-ratelimit-remaining-requests` and `x-ratelimit-reset-requests`."""
    found: list[float | None] = []
    for name, value in headers.items():
        if "ratelimit" not in name or len(value) > _LONGEST_HEADER:
            continue
        if name == "ratelimit":
            # In the older drafts one window's parts are parted by commas, as whole windows are in the newer.
            windows = [value] if "remaining" in value else value.split(",")
            for window in windows:
                left, until = _LEFT.search(window), _UNTIL.search(window)
                if left and until and not int(left[1]):
                    found.append(duration(until[1]))
        elif "remaining" in name and _is_zero(value) and (reset := headers.get(name.replace("remaining", "reset"))):
            found.append(moment(reset, now))
    return max((wait for wait in found if wait is not None), default=None)


def _is_zero(value: str) -> bool:
    text = value.strip()
    return _NUMBER.fullmatch(text) is not None and not float(text)


def _first(hints: Iterable[float | None]) -> float | None:
    return next((hint for hint in hints if hint is not None), None)


def of(answer: Answer, message: str, reset_headers: Iterable[str] = ()) -> float | None:
    """Return the best hint of a response, or None if it has none.

    In this order: `Retry-After`, the body's fields, the words of its message and quotations, the used-up windows of a 429,
    and the declared reset headers."""
    headers, now = answer.headers, answer.now
    hint = None
    if "retry-after-ms" in headers:
        hint = duration(headers["retry-after-ms"].strip() + "ms")
    if hint is None and "retry-after" in headers:
        hint = retry_after(headers["retry-after"], now)
    if hint is not None:
        return hint
    body = answer.json
    hint = in_body(body, now)
    if hint is None:
        hint = in_prose(message)
    if hint is None:
        hint = _in_quotations(body)
    if hint is None and (written := _WRITTEN.search(message)) is not None:
        hint = duration(written[1])
    if hint is None and answer.status == 429:
        hint = in_windows(headers, now)
    if hint is None:
        hint = _first(moment(headers[name], now) for name in reset_headers if name in headers)
    return hint


def _in_quotations(body: Any) -> float | None:
    """The prose in JSON that a body quotes."""
    quotations: list[Any] = []
    for _ in islice(_members(body, quotations), _MOST_MEMBERS):
        pass
    texts = (
        item
        for value in quotations
        for _, item in islice(_members(value, []), _MOST_MEMBERS)
        if isinstance(item, str) and len(item) <= _LONGEST_HEADER
    )
    return _first(in_prose(text) for text in texts)
