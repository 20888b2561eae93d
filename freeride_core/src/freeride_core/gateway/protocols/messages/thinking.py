"""Thinking: what of it a client is shown, and the signature by which it comes back.

A client that shows no thinking still sends signatures back as they came. The reasoning travels in ours, so that an upstream
that wants it back can have it, and nothing is kept here. What an upstream wants back with a tool call travels there too: the
protocol has no place for it on the call.
"""

from __future__ import annotations

import base64
import binascii
import enum
import zlib
from typing import Any

import msgspec

from freeride_core.gateway.protocols import json_text

_MARK = "fr1."
"""What our own signatures begin with: they never reach an upstream, and no other vendor's is imitated."""
_LONGEST = 32 * 1024
"""Characters of a signature; clients were seen to send that many back (2026-12-01)."""
_MOST = 256 * 1024
"""Bytes that a signature of a client's making may unpack to."""
_EXTRA_CONTENTS = msgspec.json.Decoder(dict[str, dict[str, Any]])


class Display(enum.Enum):
    """What the client is shown."""

    NOTHING = enum.auto()
    """It did not ask for thinking: there are no such blocks."""
    OMITTED = enum.auto()
    """Blocks without text."""
    FULL = enum.auto()


UNPACKED = _MARK
"""The signature of a block that shows its text."""


def signed(reasoning: str) -> str:
    """Return a signature that carries the reasoning, or an empty one where it would be too long."""
    packed = _packed(reasoning.encode(errors="replace"))
    return _MARK + packed if len(packed) <= _LONGEST else _MARK


def with_extra_content(signature: str, call_id: str, extra_content: dict[str, Any]) -> str:
    """Return the signature with what belongs to a tool call, or as it is where it would be too long."""
    packed = _packed(json_text.encode({call_id: extra_content}))
    longer = f"{signature}.{packed}"
    return longer if len(longer) <= _LONGEST + len(_MARK) else signature


def reasoning_of(text: str, signature: str | None) -> str:
    """Return the reasoning of a block that a client sends back. Other vendors' signatures say nothing here."""
    return text or _unpacked(signature, 0).decode(errors="ignore")


def extra_contents_of(signature: str | None) -> dict[str, dict[str, Any]]:
    """Return what a signature of ours carries for tool calls, by their ids."""
    try:
        return _EXTRA_CONTENTS.decode(_unpacked(signature, 1) or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(data)).decode()


def _unpacked(signature: str | None, part: int) -> bytes:
    """The reasoning, and the extra contents; both empty without a signature of ours."""
    if signature is None or not signature.startswith(_MARK) or len(signature) > _LONGEST + len(_MARK):
        return b""
    parts = signature[len(_MARK) :].split(".")
    try:
        return zlib.decompressobj().decompress(base64.urlsafe_b64decode(parts[part]), _MOST)
    except (IndexError, binascii.Error, ValueError, zlib.error):
        return b""
