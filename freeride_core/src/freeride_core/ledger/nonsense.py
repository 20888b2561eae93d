"""Nonsense: answers in a row that served no client, and were no outage either: pages, empty answers, refusals of whatever comes."""

from __future__ import annotations

from collections.abc import Callable

_IN_A_ROW = 3
_WITHIN_S = 60.0


class Nonsense:
    """In memory only. `now` gives seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._times: dict[tuple[str, str, str], list[float]] = {}

    def __bool__(self) -> bool:
        """Whether any model has given some recently."""
        return bool(self._times)

    def note(self, provider: str, model: str, kind: str) -> bool:
        """Remembers one answer; True if it is the third of its kind in a row within a minute, or one more after that."""
        now = self._now()
        times = [at for at in self._times.get((provider, model, kind), ()) if 0 <= now - at <= _WITHIN_S]
        times.append(now)
        self._times[provider, model, kind] = times[-_IN_A_ROW:]
        return len(times) >= _IN_A_ROW

    def forget(self, provider: str, model: str) -> None:
        """A good answer came."""
        for name in [name for name in self._times if name[:2] == (provider, model)]:
            del self._times[name]
