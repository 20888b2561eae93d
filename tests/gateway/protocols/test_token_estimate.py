"""The estimate of a prompt's tokens counts all of it, and is near the truth."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from freeride_core.call import Operation
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.gateway.protocols.token_estimate import estimate_tokens, size_of_image

PROSE = "The gateway asks the next provider when one of them cannot answer, and the client notices nothing of it. "
"""21 tokens in the vocabularies of 2026."""
CODE = 'def add(first: int, second: int) -> int:\n    """Return the sum."""\n    return first + second\n\n\n'
"""27."""
OTHER = "ゲートウェイは次のプロバイダーに尋ねます。"
"""About 21."""


def tokens(content: Any, **more: Any) -> int:
    body = {"model": "auto", "messages": [{"role": "user", "content": content}], **more}
    return estimate_tokens(parse_call(Operation.CHAT, json.dumps(body, ensure_ascii=False).encode()))


@pytest.mark.parametrize(("text", "count"), [(PROSE, 21), (CODE, 27), (OTHER, 21)])
@pytest.mark.parametrize("times", [10, 3000])
def test_a_text_is_estimated_near_its_tokens_and_rather_too_high(text: str, count: int, times: int) -> None:
    assert 1.0 <= tokens(text * times) / (count * times) < 1.7


def test_everything_counts() -> None:
    """Trap 16: texts alone are a tenth of what an agent sends."""
    tool = {
        "type": "function",
        "function": {"name": "look", "description": PROSE * 50, "parameters": {"type": "object"}},
    }
    assert tokens("Hi", tools=[tool]) > tokens("Hi") + 350 + 50 * 21
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": json.dumps({"x": PROSE * 50})}}
    history = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": PROSE * 50},
    ]
    assert (
        estimate_tokens(parse_call(Operation.CHAT, json.dumps({"model": "auto", "messages": history}).encode()))
        > 100 * 21
    )


JPEG = b"\xff\xd8" + b"\xff\xe0\x00\x10" + bytes(14) + b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 300, 500)
IMAGES = {
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 500, 300), (500, 300)),
    "gif": (b"GIF89a" + struct.pack("<HH", 500, 300), (500, 300)),
    "jpeg": (JPEG, (500, 300)),
    "webp": (b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + b"\xf3\x01\x00\x2b\x01\x00", (500, 300)),
    "lossy webp": (b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + struct.pack("<HH", 500, 300), (500, 300)),
    "lossless webp": (b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(5) + struct.pack("<I", 499 | 299 << 14), (500, 300)),
    "a short png": (b"\x89PNG\r\n", None),
    "a jpeg without a size": (b"\xff\xd8\xff\xe0\x00\x02", None),
    "a broken jpeg": (b"\xff\xd8\x00\xe0\x00\x02\x00\x00\x00\x00", None),
    "nothing known": (b"BM", None),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_counted_by_its_size(name: str) -> None:
    head, size = IMAGES[name]
    assert size_of_image(head) == size
    url = f"data:image/x;base64,{base64.b64encode(head + bytes(50_000)).decode()}"
    image = {"type": "image_url", "image_url": {"url": url}}
    expected = 200 if size else 1600
    assert expected <= tokens([{"type": "text", "text": "Hi"}, image]) < expected + 100


def test_a_file_is_counted_by_its_length() -> None:
    file = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{'A' * 100_000}"}}
    assert 100 <= tokens([file]) < 200
