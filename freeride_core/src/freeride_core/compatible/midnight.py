"""Midnight in a time zone: when a daily quota returns at upstreams that count calendar days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Midnight:
    """The next midnight in a time zone, such as `America/Los_Angeles`. ValueError: there is no zone of that name."""

    zone: str = "UTC"
    _zone: tzinfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Now: it is asked where no file may be read.
        object.__setattr__(self, "_zone", _loaded(self.zone))

    def after(self, now: float) -> float:
        """Both in seconds since the epoch. A midnight that clocks skip is the moment at which they do, one that they show twice is
        the first."""
        tomorrow = datetime.fromtimestamp(now, self._zone).date() + timedelta(days=1)
        return datetime.combine(tomorrow, time(), self._zone).timestamp()


def _loaded(zone: str) -> tzinfo:
    if zone == "UTC":
        return UTC  # on machines without any zones too
    try:
        return ZoneInfo(zone)
    except (LookupError, ValueError, OSError):
        raise ValueError(f"there is no time zone {zone!r} on this machine") from None
