"""Deferrals: providers that are asked last for a while, because of what they did lately. Nothing keeps them from being asked."""

from __future__ import annotations

from collections.abc import Callable

_DEFERRED_S = 60.0
"""Longer than agents wait before they try again."""


class Deferrals:
    """In memory only: after a restart everyone has the usual place."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether any provider may be deferred."""
        return bool(self._until)

    def note(self, provider: str) -> None:
        """It goes last for a minute."""
        self._until[provider] = self._now() + _DEFERRED_S

    def names(self) -> frozenset[str]:
        """Return the providers that go last now."""
        now = self._now()
        for name, until in tuple(self._until.items()):
            if not 0 <= until - now <= _DEFERRED_S:  # beyond it the clock was set back
                del self._until[name]
        return frozenset(self._until)
