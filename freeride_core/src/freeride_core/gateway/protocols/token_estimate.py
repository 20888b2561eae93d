"""An estimate of what a prompt takes, for clients that plan by it: near the truth, rather high than low.

`Call.prompt_tokens` is another estimate: it is low on purpose, since it rules models out.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct

from freeride_core.call import Call

_LETTERS = bytes(each for each in range(128) if chr(each).isalnum() or chr(each) == " ")
_OTHER_SCRIPTS = bytes(range(128, 256))
_BYTES_A_TOKEN = (4.0, 2.5, 3.0)
"""Of ASCII letters, digits and blanks; of punctuation and JSON; of other scripts, whose characters take two or three bytes each."""
_SAMPLE = 2048
"""Bytes at each of the places where a long text is looked at: to look at all of 200 KB would take ten times as long."""
_STRIDE = 16
_TOOLS = 350
"""What a vendor's own prompt says of tools."""
_A_MESSAGE, _A_TOOL = 4, 8
_IMAGE_MOST = 1600
_PIXELS_A_TOKEN = 750
_DATA_URL = re.compile(rb'"data:([a-z]+)/[^"]{0,100}?;base64,([^"]*)"')
_HEADER = 64 * 1024
"""Characters of an image in base64 in which its size is looked for."""
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Segments of a JPEG that tell its size."""


def estimate_tokens(call: Call) -> int:
    """Return the tokens of a call of chat completions, all of its messages and tools counted."""
    messages, tools = bytes(call.fields.get("messages", b"")), bytes(call.fields.get("tools", b""))
    tokens = 0
    if b";base64," in messages:
        tokens += sum(_tokens_of_media(kind, data) for kind, data in _DATA_URL.findall(messages))
        messages = _DATA_URL.sub(b"", messages)
    if tools:
        tokens += _TOOLS + _tokens_of_text(tools, b'"function":{', _A_TOOL)
    return max(1, tokens + _tokens_of_text(messages, b'"role":', _A_MESSAGE))


def _tokens_of_text(text: bytes, mark: bytes, each: int) -> int:
    """The tokens of a text, and `each` more wherever the mark is."""
    sample = text
    if len(text) > _SAMPLE * _STRIDE:
        sample = b"".join(text[at : at + _SAMPLE] for at in range(0, len(text), _SAMPLE * _STRIDE))
    return round((_weigh(sample) + sample.count(mark) * each) * len(text) / max(1, len(sample)))


def _weigh(text: bytes) -> float:
    rest = text.translate(None, _LETTERS)
    others = len(rest) - len(rest.translate(None, _OTHER_SCRIPTS))
    counts = (len(text) - len(rest), len(rest) - others, others)
    return sum(count / size for count, size in zip(counts, _BYTES_A_TOKEN, strict=True))


def _tokens_of_media(kind: bytes, data: bytes) -> int:
    if kind != b"image":
        return len(data) // 1000
    try:
        head = data[:_HEADER]
        size = size_of_image(base64.b64decode(head[: len(head) // 4 * 4]))
    except binascii.Error:
        size = None
    pixels = size[0] * size[1] if size is not None else 0
    return min(_IMAGE_MOST, max(1, pixels // _PIXELS_A_TOKEN)) if pixels else _IMAGE_MOST


def size_of_image(head: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels from the first bytes of a PNG, GIF, WebP or JPEG, or None if they do not tell."""
    try:
        if head.startswith(b"\x89PNG"):
            return _unpacked(">II", head, 16)
        if head.startswith(b"GIF8"):
            return _unpacked("<HH", head, 6)
        if head[8:16] == b"WEBPVP8X":
            width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
            return width, height
        if head[8:16] == b"WEBPVP8 ":
            width, height = _unpacked("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
        if head[8:16] == b"WEBPVP8L":
            (bits,) = struct.unpack_from("<I", head, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return _size_of_jpeg(head) if head.startswith(b"\xff\xd8") else None
    except struct.error:
        return None


def _unpacked(form: str, head: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, head, at)
    return first, second


def _size_of_jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at < len(head):
        mark, kind, length = struct.unpack_from(">BBH", head, at)
        if mark != 0xFF:
            return None
        if kind in _FRAMES:
            height, width = _unpacked(">HH", head, at + 5)
            return width, height
        at += 2 + length
    return None
