"""The budget: how many bytes of bodies the gateway holds at most, of clients and upstreams together."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from freeride_core.gateway.http.notice import Notice

PATIENCE_S = 30.0
"""How long a body may wait for its client while others need the room."""


class NoRoom(Exception):
    """The budget is used up, so the bytes were not kept."""


class Holder(Protocol):
    """Holds bytes while it waits for its client, to send the rest or to take what there is."""

    held: int
    """Bytes that it has taken from the budget. Taken away before `give_way` is called."""

    def give_way(self) -> None:
        """Drop the client, and what is held for it."""


class Budget:
    """One for the process, in the event loop's thread. What is so small that each connection may hold as much is not counted."""

    __slots__ = ("_clock", "_notice", "_waiting", "held", "limit")

    def __init__(self, limit: int, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        """Bytes. May change at any time."""
        self.held = 0
        self._waiting: dict[Holder, float] = {}
        """With the time since when, the longest first."""
        self._clock = clock
        self._notice = Notice(tell, clock)

    def take(self, size: int) -> None:
        """Count these bytes as held. Raises `NoRoom`."""
        if self.held + size > self.limit:
            self._make_room(size)
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size
        if self._notice.is_given and self.held < self.limit // 2:
            self._notice.end()

    def begin_wait(self, holder: Holder) -> None:
        """From here on the holder waits for its client, and gives way to others after `PATIENCE_S`."""
        self._waiting[holder] = self._clock()

    def end_wait(self, holder: Holder) -> None:
        self._waiting.pop(holder, None)

    def _make_room(self, size: int) -> None:
        self._notice.give(
            f"the bodies of requests and answers hold {self.limit} bytes, as many as FREERIDE_MAX_BUFFERED allows;"
            " what needs more is answered with 503"
        )
        while self.held + size > self.limit:
            if not self.expel():
                raise NoRoom

    def expel(self) -> bool:
        """Drop the client that keeps its place for longest, if that is longer than `PATIENCE_S`. Return whether it did."""
        holder, since = next(iter(self._waiting.items()), (None, 0.0))
        if holder is None or self._clock() - since < PATIENCE_S:
            return False
        del self._waiting[holder]
        self.held -= holder.held
        holder.held = 0
        holder.give_way()
        return True
