"""What upstreams taught: features that a model lacks at a provider, and sizes that it refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from freeride_core.ledger.store import Entry

SECTION = "learned"
REMEMBERED_S = 24 * 3600.0
"""Upstreams change; after a day the lesson is asked again."""


class Learned:
    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._missing: dict[tuple[str, str, str], float] = {}
        self._too_big: dict[tuple[str, str], tuple[int, float]] = {}

    def note_missing(self, provider: str, model: str, feature: str, now: float) -> None:
        self._missing[provider, model, feature] = now
        self._put(Entry(SECTION, json.dumps([provider, model, feature]), {"noted": now}))

    def note_too_big(self, provider: str, model: str, tokens: int, now: float) -> None:
        known = self._too_big.get((provider, model))
        if known and known[0] <= tokens and now - known[1] < REMEMBERED_S:
            return
        self._too_big[provider, model] = (tokens, now)
        self._put(Entry(SECTION, json.dumps([provider, model]), {"noted": now, "tokens": tokens}))

    def lacks(self, provider: str, model: str, features: Iterable[str], now: float) -> bool:
        """Whether one of the features was refused lately."""
        return bool(self._missing) and any(
            now - self._missing.get((provider, model, feature), -REMEMBERED_S) < REMEMBERED_S for feature in features
        )

    def refuses(self, provider: str, model: str, tokens: int, now: float) -> bool:
        """Whether a request of this size, or a smaller one, was too big lately."""
        known = self._too_big.get((provider, model))
        return known is not None and tokens >= known[0] and now - known[1] < REMEMBERED_S

    def apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.section != SECTION:
                continue
            try:
                names = [str(part) for part in json.loads(entry.name)]
                value = entry.value or {}
                noted, tokens = float(value.get("noted", 0.0)), int(value.get("tokens", 0))
            except (ValueError, TypeError, AttributeError):
                continue
            if len(names) == 3:
                self._missing[names[0], names[1], names[2]] = noted
            elif len(names) == 2:
                self._too_big[names[0], names[1]] = (tokens, noted)
