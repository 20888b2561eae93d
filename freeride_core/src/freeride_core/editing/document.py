"""The interface of all editors: read and change values by path, and keep the bytes around them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "str | int | float | Sequence[Value] | Mapping[str, Value] | None"
"""What an editor writes. TOML has no None."""
Path: TypeAlias = Sequence[str | int]
"""Names of members and indexes of items, from the root. The root itself is `()`."""


class Document(ABC):
    """One configuration, or an empty text. Every method raises `Unreadable`, where possible with line and column, if it cannot
    do its work without changing something else."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The document with all edits so far."""

    @abstractmethod
    def get(self, path: Path) -> object:
        """Return the value at `path` as Python's own types, or None if it is missing or null."""

    @abstractmethod
    def set(self, path: Path, value: Value) -> None:
        """Write `value` at `path`, and make the missing mappings above it.

        A mapping is written member by member into a mapping that is already there. A plain value is never replaced by a mapping
        or a list, nor the other way round. A value that is already there keeps its spelling.
        """

    @abstractmethod
    def append(self, path: Path, item: Value) -> None:
        """Put `item` at the end of the list at `path`, and make that list if it is missing."""

    @abstractmethod
    def remove(self, path: Path) -> None:
        """Remove the member or the item at `path`, if there is one, with the comment on its line."""

    def add(self, path: Path, value: Value) -> None:
        """Write `value` at `path` only if there is no value."""
        if self.get(path) is None:
            self.set(path, value)

    def find(self, path: Path, member: str, value: Value) -> tuple[str | int, ...] | None:
        """Return the path of the first item with this `member` in the list at `path`, or None if there is no such item."""
        items = self.get(path)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, Mapping) and item.get(member) == value:
                return (*path, index)
        return None


def dotted(path: Path) -> str:
    """Return `path` for people: `models.0.name`."""
    return ".".join(map(str, path))


def is_collection(value: Value) -> bool:
    """Return whether `value` is a mapping or a list."""
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str)
