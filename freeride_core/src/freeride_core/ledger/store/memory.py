"""`memory:`: the state of one process, which ends with it and leaves no file."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from freeride_core.ledger.store.store import Entry, Store, StoreUrlError


class MemoryStore(Store):
    """Shared with no other process, so that nothing ever changes but by its own writes."""

    def __init__(self) -> None:
        self.location = "memory"
        self._lock = threading.Lock()
        self._texts: dict[tuple[str, str], str] = {}

    @classmethod
    def open(cls, url: str, home: Path) -> Self:  # noqa: ARG003 - it needs no home
        if url != "memory:":
            raise StoreUrlError("write memory: and nothing else")
        return cls()

    @classmethod
    def is_there(cls, url: str, home: Path) -> bool:
        cls.open(url, home)
        return False  # what another process remembers cannot be seen

    def read_all(self) -> list[Entry]:
        with self._lock:
            return [Entry(section, name, json.loads(text)) for (section, name), text in self._texts.items()]

    def read_changes(self) -> list[Entry]:
        return []

    def write(self, entries: Sequence[Entry]) -> None:
        texts = [None if entry.value is None else json.dumps(entry.value) for entry in entries]
        with self._lock:
            for entry, text in zip(entries, texts, strict=True):
                self._texts.pop((entry.section, entry.name), None)
                if text is not None:
                    self._texts[entry.section, entry.name] = text

    def close(self) -> None:
        self._texts.clear()
