"""Notices: one line for people on a state that lasts, however many requests it concerns."""

from __future__ import annotations

from collections.abc import Callable

_AGAIN_S = 60.0
"""What ends and begins again sooner is still the same."""


class Notice:
    """Given once, and again once it has ended and come back."""

    __slots__ = ("_clock", "_given_at", "_tell", "is_given")

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._given_at = float("-inf")
        self.is_given = False
        """What it is about goes on."""

    def give(self, line: str) -> None:
        if self.is_given:
            return
        self.is_given = True
        now = self._clock()
        if now - self._given_at >= _AGAIN_S:
            self._given_at = now
            self._tell(line)

    def end(self) -> None:
        """What it was about is over."""
        self.is_given = False
