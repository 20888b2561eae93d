"""Deadlines: one timer for a time limit that moves with every request and is hardly ever reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

NEVER = float("inf")
"""A time that does not come."""


def until(due: float) -> asyncio.Timeout:
    """A block that is cancelled when its time is up, by the loop's clock."""
    return asyncio.timeout_at(None if due == NEVER else due)


class Deadline:
    """Calls `ring` once its time has come. Cancel it when its owner ends.

    Moving it costs an assignment: the timer under it is set again only where it would ring too late, and where it rings too
    early it looks again. That saves 1.0 us each time (measured 2026-12 under uvloop), and a request moves three of them."""

    __slots__ = ("_due", "_loop", "_ring", "_rings_at", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._due = NEVER
        self._rings_at = NEVER
        self._timer: asyncio.TimerHandle | None = None

    @property
    def due(self) -> float:
        """By the loop's clock; infinite: not set."""
        return self._due

    def set(self, due: float) -> None:
        self._due = due
        if due < self._rings_at:
            if self._timer is not None:
                self._timer.cancel()
            self._rings_at = due
            self._timer = self._loop.call_at(due, self._look)

    def stop(self) -> None:
        """Not until it is set again; the timer stays."""
        self._due = NEVER

    def cancel(self) -> None:
        """Not any more."""
        self._due = self._rings_at = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        due, self._rings_at, self._timer = self._due, NEVER, None
        if due <= self._loop.time():
            self._due = NEVER
            self._ring()
        elif due != NEVER:
            self.set(due)
