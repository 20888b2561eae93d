"""Traffic: the requests under way on each key, and how soon models answer. In memory, except for latencies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from freeride_core.ledger.store.store import Entry
from freeride_core.provider import Key

SECTION = "latency"
_WEIGHT = 0.3
_WRITE_EVERY_S = 10.0


@dataclass(slots=True)
class KeyTraffic:
    """One key's requests under way."""

    in_flight: int = 0
    unread: int = 0
    """Sent, and nothing read yet."""
    was_good: bool | None = None
    """What the last answer read on this key was; None: none has been read."""


class Traffic:
    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._keys: dict[str, KeyTraffic] = {}
        self._first_event_s: dict[tuple[str, str], float] = {}
        self._written: dict[tuple[str, str], float] = {}
        self._verdict: asyncio.Event | None = None

    def on(self, key: Key) -> KeyTraffic:
        traffic = self._keys.get(key.fingerprint)
        if traffic is None:
            traffic = self._keys[key.fingerprint] = KeyTraffic()
        return traffic

    def is_suspect(self, key: Key) -> bool:
        """Others are waiting for this key's first word: a request with a choice should not join them."""
        traffic = self._keys.get(key.fingerprint)
        return traffic is not None and traffic.unread > 0 and not traffic.was_good

    def begin(self, key: Key) -> KeyTraffic:
        """A request goes out on this key. Once it is over, and so is its answer, it is in flight no longer."""
        traffic = self.on(key)
        traffic.in_flight += 1
        traffic.unread += 1
        return traffic

    def read(self, traffic: KeyTraffic, *, is_good: bool | None) -> None:
        """An answer was read on a key; None: it will not be."""
        traffic.unread -= 1
        if is_good is not None:
            traffic.was_good = is_good
        if self._verdict is not None:
            self._verdict.set()
            self._verdict = None

    async def verdict(self, timeout_s: float) -> None:
        """Returns when any answer has been read, or after the timeout."""
        if self._verdict is None:
            self._verdict = asyncio.Event()
        try:
            async with asyncio.timeout(timeout_s):
                await self._verdict.wait()
        except TimeoutError:
            return

    def note_first_event(self, provider: str, model: str, seconds: float, now: float) -> None:
        pair = (provider, model)
        known = self._first_event_s.get(pair)
        smooth = seconds if known is None else known + _WEIGHT * (seconds - known)
        self._first_event_s[pair] = smooth
        if now - self._written.get(pair, 0.0) >= _WRITE_EVERY_S:
            self._written[pair] = now
            self._put(Entry(SECTION, json.dumps([provider, model]), round(smooth, 3)))

    def first_event_s(self, provider: str, model: str) -> float | None:
        """Smoothed seconds to the first event; None: never observed."""
        return self._first_event_s.get((provider, model))

    def apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.section != SECTION:
                continue
            try:
                provider, model = json.loads(entry.name)
                self._first_event_s[str(provider), str(model)] = float(entry.value)
            except (ValueError, TypeError):
                continue
