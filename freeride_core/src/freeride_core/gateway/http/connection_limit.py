"""How many clients are connected at most, and which connections are closed when there are more."""

from __future__ import annotations

import heapq
import sys
import time
from collections.abc import Callable, Collection
from typing import Protocol

from freeride_core.gateway.http.notice import Notice

_AT_ONCE = 16
"""Idle connections that are closed together: to look for one takes as long."""
_YOUNG_S = 1.0
"""Of those that have come just now, no more than one goes: they are about to ask."""
_KEPT_FILES = 64
"""Files for state, events, model lists and the process itself."""


class Guest(Protocol):
    """A client's connection."""

    @property
    def is_idle(self) -> bool:
        """No request of its client is being answered."""

    @property
    def idle_until(self) -> float:
        """When it is closed for being idle, by the loop's clock: who comes first has been so for longest."""

    def evict(self) -> None:
        """Close it at once."""


class ConnectionLimit:
    """One for the process. Costs nothing while there are fewer."""

    def __init__(
        self,
        most: Callable[[], int],
        expel: Callable[[], bool],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most` says how many the user allows; the system's limit of open files may allow fewer. `expel` drops one that has
        not sent or taken what it should, and says whether there was one."""
        self._most = most
        self._expel = expel
        self._most_by_files = clients_by_files()
        self._notice = Notice(tell, clock)

    def admits(self, newcomer: Guest, connected: Collection[Guest]) -> bool:
        """Whether there is room for a connection that has just been made, and is one of those that are connected. Closes idle
        ones where there would be none."""
        allowed, by_files = self._most(), self._most_by_files
        most = allowed if by_files is None else min(allowed, by_files)
        if len(connected) <= most:
            if self._notice.is_given and len(connected) <= most // 2:
                self._notice.end()
            return True
        reason = "FREERIDE_MAX_CONNECTIONS allows" if most == allowed else "the system's limit of open files allows"
        self._notice.give(
            f"{most} clients are connected, as many as {reason}; idle ones are closed, then new ones refused"
        )
        idle = (guest for guest in connected if guest is not newcomer and guest.is_idle)
        longest = heapq.nsmallest(_AT_ONCE, idle, key=lambda guest: guest.idle_until)
        for number, guest in enumerate(longest):
            if number == 0 or guest.idle_until < newcomer.idle_until - _YOUNG_S:
                guest.evict()
        return bool(longest) or self._expel()


def clients_by_files() -> int | None:
    """Return how many clients there are files for, if each has one upstream at a time, or None if the system has no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(1, (soft - _KEPT_FILES) // 2)
