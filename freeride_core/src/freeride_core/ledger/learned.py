"""Learned limits: features that a model lacks at a provider, and sizes that it refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from freeride_core.answer import ErrorKind
from freeride_core.ledger.store.store import Entry

SECTION = "learned"
REMEMBERED_S = 24 * 3600.0
"""Upstreams change; after a day the lesson is asked again."""


class Learned:
    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._missing: dict[tuple[str, str, str], float] = {}
        self._too_big: dict[tuple[str, str], tuple[int, float, str]] = {}

    def __bool__(self) -> bool:
        """Whether any upstream has taught anything."""
        return bool(self._missing or self._too_big)

    def note_missing(self, provider: str, model: str, feature: str, now: float) -> None:
        self._missing[provider, model, feature] = now
        self._put(Entry(SECTION, json.dumps([provider, model, feature]), {"noted": now}))

    def note_too_big(self, provider: str, model: str, tokens: int, kind: str, now: float) -> None:
        known = self._too_big.get((provider, model))
        if known and known[0] <= tokens and _is_recent(known[1], now):
            return
        self._too_big[provider, model] = (tokens, now, kind)
        self._put(Entry(SECTION, json.dumps([provider, model]), {"noted": now, "tokens": tokens, "kind": kind}))

    def missing(self, provider: str, model: str, features: Iterable[str], now: float) -> frozenset[str]:
        """Those of the features that were refused lately."""
        if not self._missing:
            return frozenset()
        return frozenset(
            feature for feature in features if _is_recent(self._missing.get((provider, model, feature)), now)
        )

    def refuses(self, provider: str, model: str, tokens: int, now: float) -> str | None:
        """How a request of this size, or a smaller one, was refused lately, a kind; None: it was not."""
        known = self._too_big.get((provider, model))
        return known[2] if known is not None and tokens >= known[0] and _is_recent(known[1], now) else None

    def apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.section != SECTION:
                continue
            try:
                names = [str(part) for part in json.loads(entry.name)]
                value = entry.value or {}
                noted, tokens = float(value.get("noted", 0.0)), int(value.get("tokens", 0))
                kind = str(value.get("kind", ErrorKind.TOO_LARGE))
            except (ValueError, TypeError, AttributeError):
                continue
            if len(names) == 3:
                self._missing[names[0], names[1], names[2]] = noted
            elif len(names) == 2:
                self._too_big[names[0], names[1]] = (tokens, noted, kind)


def _is_recent(noted: float | None, now: float) -> bool:
    """Not before now either: a clock that was set back makes nothing last longer."""
    return noted is not None and 0 <= now - noted < REMEMBERED_S
