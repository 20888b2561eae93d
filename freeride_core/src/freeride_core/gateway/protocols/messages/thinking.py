"""Thinking: what of it a client is shown, and the signature by which it comes back.

A client that shows no thinking still sends signatures back as they came. The reasoning travels in ours, so that an upstream
that wants it back can have it, and nothing is kept here.
"""

from __future__ import annotations

import base64
import binascii
import enum
import zlib

_MARK = "fr1."
"""What our own signatures begin with: they never reach an upstream, and no other vendor's is imitated."""
_LONGEST = 32 * 1024
"""Characters of a signature; clients were seen to send that many back (2026-12-01)."""
_MOST = 256 * 1024
"""Bytes of reasoning that a signature of a client's making may unpack to."""


class Display(enum.Enum):
    """What the client is shown."""

    NOTHING = enum.auto()
    """It did not ask for thinking: there are no such blocks."""
    OMITTED = enum.auto()
    """Blocks without text."""
    FULL = enum.auto()


def signed(reasoning: str) -> str:
    """Return a signature that carries the reasoning, or an empty one where it would be too long."""
    packed = base64.urlsafe_b64encode(zlib.compress(reasoning.encode(errors="replace"))).decode()
    return _MARK + packed if len(packed) <= _LONGEST else _MARK


UNPACKED = _MARK
"""The signature of a block that shows its text."""


def reasoning_of(text: str, signature: str | None) -> str:
    """Return the reasoning of a block that a client sends back. Other vendors' signatures say nothing here."""
    if text or signature is None or not signature.startswith(_MARK) or len(signature) > _LONGEST + len(_MARK):
        return text
    try:
        packed = base64.urlsafe_b64decode(signature[len(_MARK) :])
        return zlib.decompressobj().decompress(packed, _MOST).decode(errors="ignore")
    except (binascii.Error, ValueError, zlib.error):
        return ""
