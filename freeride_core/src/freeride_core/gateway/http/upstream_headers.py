"""Header fields as they came, decoded only where they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


class ResponseHeaders(Mapping[str, str]):
    """Names in lower case; a repeated header keeps its first value. Most answers pass without anyone reading one."""

    __slots__ = ("_values", "raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.raw = raw
        self._values: dict[str, str] | None = None

    def _decoded(self) -> dict[str, str]:
        if self._values is None:
            self._values = {}
            for name, value in self.raw:
                self._values.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        return self._values

    def __getitem__(self, name: str) -> str:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())
