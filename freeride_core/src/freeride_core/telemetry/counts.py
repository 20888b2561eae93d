"""The counts: what this installation has counted, in `telemetry.json`, and the answers that wait to be counted.

What is counted is true and no more: requests whose answer a client got whole, and the tokens (of prompt and answer) that
upstreams report for them. No report is asked for, so a stream whose client wants no usage counts as a request only.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from freeride_core.system.files import write_atomically

_KEPT = 4096
"""Bytes of an answer's end in which its usage is looked for."""
_SENSELESS = 1_000_000_000
"""No answer has so many tokens."""
_MOST = 10_000
"""Answers that wait to be counted."""
_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_DECODER = json.JSONDecoder()


class Counts(msgspec.Struct):
    """What this installation has counted, in `telemetry.json`."""

    installation_id: str
    """A random UUID; says nothing about the machine or its user."""
    is_shown: bool = False
    """The payload was shown; before that nothing is sent."""
    tokens_served: int = 0
    request_count: int = 0
    uptime_s: float = 0.0


def read_counts(home: Path) -> Counts:
    """What stands in the home; a new one where there is none that can be read. An id that an older version made stays."""
    try:
        return msgspec.json.decode((home / "telemetry.json").read_bytes(), type=Counts)
    except (OSError, ValueError):
        return Counts(_former_id(home) or str(uuid.uuid4()))


def keep_counts(home: Path, counts: Counts) -> None:
    """Raises OSError."""
    write_atomically((home / "telemetry.json").resolve(), msgspec.json.encode(counts) + b"\n", 0o600)


def _former_id(home: Path) -> str | None:
    try:
        return str(uuid.UUID((home / "installation_id").read_text("ascii").strip()))
    except (OSError, ValueError):
        return None


class UsageCounts:
    """Takes the ends of answers on the request path, where it costs next to nothing. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._endings: deque[bytes] = deque(maxlen=_MOST)

    def note(self, ending: bytes) -> None:
        """An answer was delivered; `ending` is its body, or what is left of it."""
        self._endings.append(ending[-_KEPT:])

    def take(self) -> list[bytes]:
        """Those since the last call."""
        endings = list(self._endings)
        self._endings.clear()
        return endings


def tokens_in(ending: bytes) -> int:
    """The tokens of prompt and answer that the last report of usage in an answer's end names; 0: there is none.

    No text of a model's can look like a report, as its quotes are escaped."""
    begin = 0
    for found in _USAGE.finditer(ending):
        begin = found.end()
    if not begin:
        return 0
    try:
        usage, _ = _DECODER.raw_decode(ending[begin:].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return 0
    total = _count(usage, "total_tokens")
    return total or _count(usage, "prompt_tokens") + _count(usage, "completion_tokens")


def _count(usage: Any, name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and 0 < value < _SENSELESS else 0
