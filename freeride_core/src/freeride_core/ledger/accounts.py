"""Accounts: which keys are metered together. Each key counts as its own account until there is evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from freeride_core.ledger.store.store import Entry
from freeride_core.provider import Key
from freeride_core.settings.keys import fingerprint

SECTION = "account"


class Accounts:
    """Evidence is the same account id, in the settings or in what an upstream answers; here it is a fingerprint."""

    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._by_key: dict[str, str] = {}
        self.version = 0
        """Changes whenever a key turns out to belong to another account."""

    def of(self, key: Key) -> str:
        """The subject that stands for the key's account in a slot."""
        linked = self._by_key.get(key.fingerprint)
        if linked is not None:
            return linked
        return f"account:{fingerprint(key.account_id) if key.account_id else key.fingerprint}"

    def link(self, key: Key, account: str) -> None:
        """An upstream named the key's account."""
        subject = f"account:{fingerprint(account)}"
        if key.account_id is None and self._by_key.get(key.fingerprint) != subject:
            self._by_key[key.fingerprint] = subject
            self.version += 1
            self._put(Entry(SECTION, key.fingerprint, subject))

    def apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.section == SECTION:
                self.version += 1
                if isinstance(entry.value, str):
                    self._by_key[entry.name] = entry.value
                else:
                    self._by_key.pop(entry.name, None)
