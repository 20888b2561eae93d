"""What was sent and what came back, for the report on a broken promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST = 600


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """One request and its answer, as text."""

    sent: str
    received: str


class Evidence:
    """The exchanges since a check began."""

    def __init__(self) -> None:
        self._exchanges: list[RecordedExchange] = []

    @property
    def last(self) -> RecordedExchange | None:
        return self._exchanges[-1] if self._exchanges else None

    def clear(self) -> None:
        self._exchanges.clear()

    def note(self, sent: str | Sequence[str], received: str) -> None:
        """Keeps an exchange; of several requests that led to one answer, all."""
        lines = [sent] if isinstance(sent, str) else list(sent)
        self._exchanges.append(RecordedExchange("\n           ".join(map(shortened, lines)), shortened(received)))


def shortened(text: str | bytes) -> str:
    """One printable line of a bearable length."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ... ({len(line)} characters)"


EVIDENCE = Evidence()
