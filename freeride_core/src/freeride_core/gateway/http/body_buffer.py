"""A body of unknown size, as far as it has arrived."""

from __future__ import annotations

import io

_MANY = 1024
"""Parts that are kept apart at most: in a list, a part of one byte takes forty."""
_LARGE = 1024 * 1024
"""Bytes that are joined at once: a tenth of a millisecond's work. Joining 57 MiB would hold up the event loop for 50 ms."""


class BodyBuffer:
    """Grows in place once the body is large, so that no copy of the whole is made at its end."""

    __slots__ = ("_grown", "_parts", "_unjoined")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._unjoined = 0
        self._grown: io.BytesIO | None = None

    def add(self, part: bytes) -> None:
        self._parts.append(part)
        self._unjoined += len(part)
        if self._unjoined > _LARGE or len(self._parts) >= _MANY:
            self._join()

    def whole(self) -> bytes:
        """Return the body. It is not copied if it arrived in one part or is large."""
        if self._grown is None:
            return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._join()
        return self._grown.getvalue()

    def _join(self) -> None:
        self._grown = self._grown or io.BytesIO()
        self._grown.write(b"".join(self._parts))
        self._parts.clear()
        self._unjoined = 0
