"""Time zones by name."""

from __future__ import annotations

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo


def time_zone(name: str) -> tzinfo:
    """Return the zone, such as `America/Los_Angeles`. ValueError: this machine has no zone of that name."""
    if name == "UTC":
        return UTC  # on machines without any zones too
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r} on this machine") from None
