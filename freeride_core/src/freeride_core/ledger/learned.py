"""Learned limits: features that a model lacks at a provider, and sizes that it refused.

A lesson is doubted. It puts a candidate last and never out of reach, and lasts for an hour at most. The next answer to such a
request takes its place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from freeride_core.ledger.store.store import Entry

SECTION = "learned"
REMEMBERED_S = 3600.0
"""Upstreams change, and one answer can be wrong."""


@dataclass(frozen=True, slots=True)
class _Size:
    tokens: int
    noted: float


class Learned:
    """Every lesson of this machine, in memory; `put` queues each change for the store."""

    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._missing: dict[tuple[str, str, str], float] = {}
        self._too_big: dict[tuple[str, str], _Size] = {}

    def __bool__(self) -> bool:
        """Whether any upstream has taught anything."""
        return bool(self._missing or self._too_big)

    def note_missing(self, provider: str, model: str, feature: str, now: float) -> None:
        """The upstream said that it lacks the feature altogether."""
        self._missing[provider, model, feature] = now
        self._put(Entry(SECTION, json.dumps([provider, model, feature]), {"noted": now}))

    def note_too_big(self, provider: str, model: str, tokens: int, now: float) -> None:
        """The upstream refused a request of this size."""
        self._too_big[provider, model] = _Size(tokens, now)
        self._put(Entry(SECTION, json.dumps([provider, model]), {"noted": now, "tokens": tokens}))

    def note_served(self, provider: str, model: str, features: Iterable[str], tokens: int) -> None:
        """A request that needs these and has this size was answered: lessons that say otherwise are forgotten."""
        for feature in features:
            if self._missing.pop((provider, model, feature), None) is not None:
                self._put(Entry(SECTION, json.dumps([provider, model, feature]), None))
        size = self._too_big.get((provider, model))
        if size is not None and tokens >= size.tokens:
            del self._too_big[provider, model]
            self._put(Entry(SECTION, json.dumps([provider, model]), None))

    def missing(self, provider: str, model: str, features: Iterable[str], now: float) -> frozenset[str]:
        """Those of the features that the model was said to lack."""
        if not self._missing:
            return frozenset()
        return frozenset(
            feature for feature in features if _is_recent(self._missing.get((provider, model, feature)), now)
        )

    def refuses(self, provider: str, model: str, tokens: int, now: float) -> bool:
        """Whether a request of this size, or a smaller one, was refused."""
        size = self._too_big.get((provider, model))
        return size is not None and tokens >= size.tokens and _is_recent(size.noted, now)

    def forget_old(self, now: float) -> None:
        """Drops what is not believed any more."""
        for provider, model, feature in [name for name, noted in self._missing.items() if not _is_recent(noted, now)]:
            del self._missing[provider, model, feature]
            self._put(Entry(SECTION, json.dumps([provider, model, feature]), None))
        for provider, model in [name for name, size in self._too_big.items() if not _is_recent(size.noted, now)]:
            del self._too_big[provider, model]
            self._put(Entry(SECTION, json.dumps([provider, model]), None))

    def apply(self, entries: Iterable[Entry]) -> None:
        """Takes over what the store holds or another process wrote."""
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
                if entry.value is None:
                    self._missing.pop((names[0], names[1], names[2]), None)
                else:
                    self._missing[names[0], names[1], names[2]] = noted
            elif len(names) == 2:
                if entry.value is None:
                    self._too_big.pop((names[0], names[1]), None)
                else:
                    self._too_big[names[0], names[1]] = _Size(tokens, noted)


def _is_recent(noted: float | None, now: float) -> bool:
    """Not before now either: a clock that was set back makes nothing last longer."""
    return noted is not None and 0 <= now - noted < REMEMBERED_S
