"""Content codings: one layer of gzip or deflate, undone in pieces of a bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE = 64 * 1024
"""Bytes that come out at once, at most."""
_FED = 16 * 1024
"""Bytes that go in at once: zlib copies what it does not take, once for each piece."""
_GZIP = 16 + zlib.MAX_WBITS
_ALIASES = {"x-gzip": "gzip"}


class EncodingFault(Exception):
    """An encoded body is not decoded any further. The text holds nothing of it."""


class UnknownCoding(EncodingFault):
    """It has another coding, or more than one."""

    def __init__(self) -> None:
        super().__init__("encoded in another way than gzip or deflate, or more than once")


class BrokenCoding(EncodingFault):
    """It is not what it says, ends too early, or goes on after its end."""

    def __init__(self) -> None:
        super().__init__("not encoded as it says")


class DecodedTooLarge(EncodingFault):
    """More comes out than is read."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"larger than {limit} bytes when it is decoded")


def coding_of(header: str) -> str | None:
    """Return the coding that a `Content-Encoding` names, `gzip` or `deflate`, or None for a plain body. Raise `UnknownCoding`."""
    names = [name for part in header.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not names:
        return None
    name = _ALIASES.get(names[0], names[0])
    if len(names) > 1 or name not in ("gzip", "deflate"):
        raise UnknownCoding
    return name


def decode_whole(body: bytes, header: str, limit: int) -> bytes:
    """A whole body without what its `Content-Encoding` names. Raises `EncodingFault`."""
    coding = coding_of(header)
    if coding is None:
        return body
    decompressor = Decompressor(coding, limit)
    whole = b"".join(decompressor.feed(body))
    decompressor.end()
    return whole


class Decompressor:
    """Decodes one body. `feed` it piece by piece, then `end`; both raise `EncodingFault`."""

    __slots__ = ("_coding", "_engine", "_held", "_left", "_limit")

    def __init__(self, coding: str, limit: int) -> None:
        """`limit`: bytes that come out of it at most."""
        self._coding = coding
        self._limit = self._left = limit
        self._engine: zlib._Decompress | None = None
        self._held = b""
        """What has come before it was plain which kind of deflate this is."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out, in pieces. Nothing is decoded before it is asked for."""
        data = self._held + data
        if self._engine is None:
            if len(data) < (2 if self._coding == "deflate" else 1):
                self._held = data
                return
            self._engine = zlib.decompressobj(_GZIP if self._coding == "gzip" else _deflate_kind(data))
            self._held = b""
        for at in range(0, len(data), _FED):
            yield from self._decode(self._engine, data[at : at + _FED])

    def _decode(self, engine: zlib._Decompress, data: bytes) -> Iterator[bytes]:
        piece = b""
        while data or len(piece) == PIECE:  # a whole piece: more of it may wait inside
            try:
                piece = engine.decompress(data, PIECE)
            except zlib.error:
                raise BrokenCoding from None
            if engine.unused_data:
                raise BrokenCoding  # a second member, or rubbish
            data = engine.unconsumed_tail
            self._left -= len(piece)
            if self._left < 0:
                raise DecodedTooLarge(self._limit)
            if piece:
                yield piece

    def end(self) -> None:
        """All has been fed. A body of no bytes at all is one without a coding."""
        if self._held or (self._engine is not None and not self._engine.eof):
            raise BrokenCoding


def _deflate_kind(data: bytes) -> int:
    """zlib's format, as HTTP has it, or the bare stream that some send instead (RFC 9110, 8.4.1.2)."""
    is_zlib = data[0] & 15 == 8 and data[0] >> 4 <= 7 and (data[0] << 8 | data[1]) % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
