"""A response that has been served, and what it tells of limits, to be read off the path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from freeride_core.answer import Quota
from freeride_core.events.records import RequestComplete
from freeride_core.ledger.quota.reservation import Reservation
from freeride_core.provider import Wire


@dataclass(frozen=True, slots=True)
class ServedResponse:
    """Made when a client has its last byte."""

    reservation: Reservation
    complete: RequestComplete
    """Whose usage has been read by the time that it is settled."""
    wire: Wire
    headers: Mapping[str, str]
    at: float
    """When its request was sent, in seconds since the epoch."""

    def quota(self) -> tuple[Quota, ...]:
        """Return what its headers say. A package that fails says nothing."""
        try:
            told = self.wire.quota(self.headers, self.at)
            return told if all(type(quota) is Quota for quota in told) else ()
        except Exception:
            return ()
