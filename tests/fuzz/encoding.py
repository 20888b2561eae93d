"""An encoded body, of a client or of an upstream."""

from __future__ import annotations

import gzip
import zlib

from freeride_core.gateway.http.encoding import PIECE, Decompressor, EncodingFault, UnknownCoding, coding_of
from fuzz.target import Bytes, Target, cut

_HEADERS = ("gzip", "deflate", "x-gzip", "identity, gzip", "DEFLATE ,", "gzip, gzip", "br", "identity", "", "gzip;q=1")
_LIMITS = (0, 1, 100, PIECE, PIECE + 1, 1_000_000)
_GZIP, _ZLIB, _BARE = 31, 15, -15


def _pack(body: bytes, how: int) -> bytes:
    """As it is, or packed, so that a search gets beyond the first bytes."""
    if how == 1:
        return gzip.compress(body, mtime=0)
    packer = zlib.compressobj(wbits=_ZLIB if how == 2 else _BARE)
    return packer.compress(body) + packer.flush() if how else body


def _decoded(coding: str, pieces: list[bytes], limit: int) -> tuple[bytes, str]:
    """What comes out, and the fault that ends it; none: it is whole."""
    decompressor = Decompressor(coding, limit)
    whole = b""
    try:
        for each in pieces:
            for piece in decompressor.feed(each):
                assert 0 < len(piece) <= PIECE, "a piece of no or of any size"
                whole += piece
        decompressor.end()
    except EncodingFault as fault:
        return whole, type(fault).__name__
    finally:
        assert len(whole) <= limit, "more comes out than may"
    return whole, ""


def _by_zlib(data: bytes, coding: str) -> bytes | None:
    """The same in one go, where it is one whole member and nothing else."""
    for bits in (_GZIP,) if coding == "gzip" else (_ZLIB, _BARE):
        engine = zlib.decompressobj(bits)
        try:
            whole = engine.decompress(data)
        except zlib.error:
            continue
        if engine.eof and not engine.unused_data:
            return whole
    return None


def check(data: bytes) -> None:
    """However it is cut, the same comes out, in pieces and up to a limit; and where all of it does, zlib says the same."""
    source = Bytes(data)
    header, limit, how = source.pick(_HEADERS), source.pick(_LIMITS), source.byte() % 4
    sizes = [source.byte() for _ in range(4)]
    body = source.rest()[:4096]
    try:
        coding = coding_of(header)
    except UnknownCoding:
        assert header in ("gzip, gzip", "br", "gzip;q=1")
        return
    if coding is None:
        assert header in ("identity", "")
        return
    packed = _pack(body, how)
    whole, fault = _decoded(coding, [packed], limit)
    singly, fault_singly = _decoded(coding, [packed[at : at + 1] for at in range(len(packed))], limit)
    for said, ended in (_decoded(coding, cut(packed, sizes), limit), (singly, fault_singly)):
        both = min(len(whole), len(said))
        assert whole[:both] == said[:both], "it depends on where it is cut"
        assert ended == fault or "" not in (ended, fault), "whether it is whole depends on where it is cut"
    expected = _by_zlib(packed, coding)
    if not fault:
        assert whole == (b"" if not packed else expected), "zlib reads it otherwise"
    elif expected is not None and len(expected) <= limit and coding == "gzip":
        raise AssertionError("zlib reads it")
    is_fit = (how == 1) == (coding == "gzip")
    if how and is_fit and len(body) <= limit:
        assert (whole, fault) == (body, ""), "what was packed does not come out"


TARGET = Target(
    check,
    seeds=tuple(
        bytes((header, limit, how)) + b"\x01\x0a\x30\xff" + body
        for header, limit, how, body in (
            (0, 5, 0, gzip.compress(b"hello " * 20, mtime=0)),
            (0, 5, 0, gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0)),
            (0, 3, 1, b"a" * 4000),
            (1, 5, 0, zlib.compress(b"hello " * 20)),
            (1, 5, 0, zlib.compress(b"hello")[2:-4]),
            (1, 2, 2, b"b" * 300),
            (4, 5, 3, bytes(range(256))),
            (5, 5, 0, gzip.compress(gzip.compress(b"x", mtime=0), mtime=0)),
            (6, 5, 0, b"{}"),
            (7, 5, 0, b"{}"),
        )
    ),
    words=(
        b"\x1f\x8b\x08",
        b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03name\x00",
        b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\x03\xff\xff",
        b"\x78\x9c",
        b"\x78\xda",
        b"\x78\xbb",
        b"\x03\x00",
        b"\x01\x00\x00\xff\xff",
        b"\x00\x00\x00\xff\xff",
        b"\xed\xc1\x01\x01\x00\x00",
    ),
)
