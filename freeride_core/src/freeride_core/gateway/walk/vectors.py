"""Vectors: whether an answer has one for each input, and in the encoding that the client asked for."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import Any

import msgspec

from freeride_core.call import Call
from freeride_core.system.json_values import LARGE, count_separators, is_utf8

_MOST_VALUES = 16_000_000
"""Read over in 80 ms. Two thousand vectors of eight thousand numbers have as many."""
_BASE64 = b'"base64"'
_FLOATS = (b"", b"null", b'"float"')


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] = []


_ANSWER = msgspec.json.Decoder(_Answer)
_INPUTS = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def fault_of(call: Call, body: bytes) -> str | None:
    """Return what is wrong with an answer to embeddings, or None if it has one vector for each input."""
    if len(body) > LARGE and (count_separators(body) > _MOST_VALUES or not is_utf8(body)):
        return "the answer is not what was asked for"
    try:
        count = len(_ANSWER.decode(body).data)
    except (msgspec.DecodeError, RecursionError):
        return "the answer is not what was asked for"
    if count == 0:
        return "the answer holds no embeddings"
    inputs = _count_inputs(bytes(call.fields["input"]))
    return None if inputs in (None, count) else f"the answer has {count} embeddings for {inputs} inputs"


def _count_inputs(raw: bytes) -> int | None:
    """A text or an array of tokens is one input. None: this is no form that is known."""
    if raw.startswith(b'"'):
        return 1
    try:
        items = _INPUTS.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not items:
        return None
    return 1 if bytes(items[0])[:1] in b"-0123456789" else len(items)


def encoded_as_asked(call: Call, body: bytes) -> bytes:
    """Return the answer with its vectors in the encoding that the client asked for; as it came if they are, or cannot be."""
    asked = bytes(call.fields.get("encoding_format", b""))
    if asked != _BASE64 and asked not in _FLOATS:
        return body
    try:
        members = _MEMBERS.decode(body)
        rows = _ROWS.decode(members["data"])
        changed = [_recoded(row, is_base64=asked == _BASE64) for row in rows]
    except (RecursionError, KeyError, ValueError):  # of `msgspec`, `base64` and `array` too
        return body
    if not any(changed):
        return body
    return msgspec.json.encode({**members, "data": rows})


def _recoded(row: dict[str, msgspec.Raw], *, is_base64: bool) -> bool:
    """Whether the row's vector had to be changed."""
    vector = bytes(row["embedding"])
    if is_base64 and vector.startswith(b"["):
        numbers = array("f", msgspec.json.decode(vector, type=list[float]))
        row["embedding"] = _raw(base64.b64encode(_little_endian(numbers).tobytes()).decode())
        return True
    if not is_base64 and vector.startswith(b'"'):
        numbers = array("f")
        numbers.frombytes(base64.b64decode(msgspec.json.decode(vector, type=str), validate=True))
        row["embedding"] = _raw(_little_endian(numbers).tolist())
        return True
    return False


def _little_endian(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
