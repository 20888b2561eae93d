"""JSON as clients and upstreams write it, lone halves of surrogate pairs included."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from freeride_core.system.json_values import PATIENT_MOST


def encode(value: Any) -> bytes:
    """Return the value as JSON. A lone surrogate, as where a pair is split over two chunks, stays an escape."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, default=_plain).encode()


def _plain(value: object) -> Any:
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    raise TypeError(type(value).__name__)


def cleaned(raw: bytes) -> bytes:
    """Return JSON that only Python's own parser takes as JSON that every parser takes: a lone surrogate becomes a question mark.
    ValueError: there is no such form."""
    if len(raw) > PATIENT_MOST:
        raise ValueError("too large for anything but plain JSON")
    try:
        value = json.loads(raw)
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    except RecursionError:
        raise ValueError("nested too deep") from None
