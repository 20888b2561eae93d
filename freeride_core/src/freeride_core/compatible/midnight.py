"""Midnight in a time zone: when a daily quota returns at upstreams that count calendar days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo

from freeride_core.system.time_zones import time_zone


@dataclass(frozen=True, slots=True)
class Midnight:
    """The next midnight in a time zone, such as `America/Los_Angeles`. ValueError: there is no zone of that name."""

    zone: str = "UTC"
    _zone: tzinfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Now: it is asked where no file may be read.
        object.__setattr__(self, "_zone", time_zone(self.zone))

    def after(self, now: float) -> float:
        """Both in seconds since the epoch. A midnight that clocks skip is the moment at which they do, one that they show twice is
        the first."""
        tomorrow = datetime.fromtimestamp(now, self._zone).date() + timedelta(days=1)
        return datetime.combine(tomorrow, time(), self._zone).timestamp()
