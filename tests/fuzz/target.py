"""A target: a part of the product that reads what strangers wrote, and what must hold whatever that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """`check` raises where a property does not hold."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    """What a search begins with."""
    words: tuple[bytes, ...] = ()
    """What it would take long to find letter by letter."""


class Bytes:
    """Takes decisions and texts off the front of an input."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """0 where there is nothing left."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.byte() % len(choices)]

    def line(self) -> bytes:
        """Up to the next line end."""
        line, _, _ = self._data[self._at :].partition(b"\n")
        self._at += len(line) + 1
        return line

    def rest(self) -> bytes:
        return self._data[self._at :]


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """In pieces of these sizes, and the rest."""
    pieces: list[bytes] = []
    for size in sizes:
        piece, data = data[:size], data[size:]
        pieces.append(piece)
    return [*pieces, data]
