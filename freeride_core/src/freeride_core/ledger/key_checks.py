"""What free checks of the keys have shown: whether the provider takes a key, and what it says is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from freeride_core.ledger.store.store import Entry
from freeride_core.provider import Key

SECTION = "key_check"
_KEPT_S = 35 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """The last one of a key."""

    is_accepted: bool | None
    """None: the answer said nothing about the key."""
    note: str
    """For people, such as `38 of 50 free requests left today`. Holds no secret."""
    checked_at: float
    """Seconds since the epoch."""


class KeyChecks:
    """The last check of each key, by fingerprint; `put` queues each new one for the store."""

    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._by_key: dict[str, KeyCheck] = {}

    def of(self, key: Key) -> KeyCheck | None:
        return self._by_key.get(key.fingerprint)

    def note(self, key: Key, check: KeyCheck) -> None:
        self._by_key[key.fingerprint] = check
        value = {"accepted": check.is_accepted, "note": check.note, "at": check.checked_at}
        self._put(Entry(SECTION, key.fingerprint, value))
        for name, old in list(self._by_key.items()):
            if check.checked_at - old.checked_at > _KEPT_S:
                del self._by_key[name]
                self._put(Entry(SECTION, name, None))

    def apply(self, entries: Iterable[Entry]) -> None:
        """Take over what the store holds or another process wrote."""
        for entry in entries:
            if entry.section != SECTION:
                continue
            if entry.value is None:
                self._by_key.pop(entry.name, None)
                continue
            try:
                is_accepted, note = entry.value["accepted"], str(entry.value["note"])
                check = KeyCheck(None if is_accepted is None else bool(is_accepted), note, float(entry.value["at"]))
            except (KeyError, TypeError, ValueError):
                continue
            self._by_key[entry.name] = check
