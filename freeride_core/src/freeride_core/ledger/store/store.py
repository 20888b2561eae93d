"""The contract of a store: named values that outlive a process, and what other processes changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Entry:
    """One named value of the state."""

    section: str
    """What kind of value it is: `cooldown`, `catalog`, ..."""
    name: str
    value: Any
    """What JSON can hold, or None if the entry is deleted."""


class StoreError(Exception):
    """The store cannot be read or written now."""


class StoreUrlError(ValueError):
    """A URL that the driver cannot use. Its text completes the sentence "FREERIDE_STATE is not ...: ..."."""


class Store(ABC):
    """The entries of one place. Safe to use from several threads; each call may block.

    A driver is a subclass that an entry point of the group `freeride.state` names; the entry point's name is the URL scheme.
    """

    location: str
    """Where the entries are, for people. Holds no password."""
    notice: str | None = None
    """One line for people if the state could not be used as it was."""

    @classmethod
    @abstractmethod
    def open(cls, url: str, home: Path) -> Self:
        """Return the store at `url`. Raise `StoreUrlError` if it cannot be one; trouble of any other kind is a `notice`."""

    @classmethod
    @abstractmethod
    def is_there(cls, url: str, home: Path) -> bool:
        """Whether a store at `url` may hold entries. A report opens no other one, and so makes none."""

    @abstractmethod
    def read_all(self) -> list[Entry]:
        """Return every entry that is not deleted. `read_changes` goes on from here."""

    @abstractmethod
    def read_changes(self) -> list[Entry]:
        """Return what other writers wrote or deleted since the last reading, oldest first. Raise `StoreError`."""

    @abstractmethod
    def write(self, entries: Sequence[Entry]) -> None:
        """Write all of them or, if it raises `StoreError`, none."""

    @abstractmethod
    def close(self) -> None:
        """Give back what the store holds. No other call follows."""
