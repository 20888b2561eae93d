"""Simulated embeddings: one unit vector an input, always the same for the same input."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import struct
from collections.abc import Mapping
from typing import Any

_LARGEST = 8192


def inputs_of(request: Mapping[str, Any]) -> list[str]:
    """What is to be embedded: a text, texts, tokens, or lists of tokens, each as one text."""
    value = request.get("input")
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        return []
    if all(isinstance(item, int) for item in value):
        return [json.dumps(value)]
    return [item if isinstance(item, str) else json.dumps(item) for item in value]


def vector_of(model: str, text: str, dimensions: int) -> list[float]:
    """A unit vector."""
    seed = f"{model}\n{text}".encode("utf-8", "surrogatepass")
    raw = hashlib.shake_256(seed).digest(dimensions * 2)
    numbers = [value / 32768 or 1e-4 for value in struct.unpack(f"<{dimensions}h", raw)]
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def rows_of(request: Mapping[str, Any], model: str, default_dimensions: int) -> str:
    """The `data` array of an answer, as JSON: floats, or base64 of little-endian float32 where that was asked for."""
    asked = request.get("dimensions")
    dimensions = asked if isinstance(asked, int) and 0 < asked <= _LARGEST else default_dimensions
    rows = []
    for index, text in enumerate(inputs_of(request)):
        vector = vector_of(model, text, dimensions)
        shown: Any = vector
        if request.get("encoding_format") == "base64":
            shown = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        rows.append({"object": "embedding", "index": index, "embedding": shown})
    return json.dumps(rows)
