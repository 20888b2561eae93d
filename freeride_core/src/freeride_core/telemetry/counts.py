"""The counts: what this installation has counted, in `telemetry.json`.

What is counted is true and no more: requests whose answer a client got whole, and the tokens (of prompt and answer) that
upstreams report for them. No report is asked for, so a stream whose client wants no usage counts as a request only.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec

from freeride_core.system.files import write_atomically


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
    """Return the counts in the home, or new ones if they cannot be read. An id from an older version is kept."""
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
