"""Embeddings: chat completions' sister. Only the encoding of the vectors is changed, where a client asked for the other one."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import Any

import msgspec

from freeride_core.call import Call, Operation
from freeride_core.gateway.protocols.protocol import (
    AnswerEncoder,
    ParsedRequest,
    ProtocolRoute,
    RequestHead,
    ServedProtocol,
)
from freeride_core.gateway.protocols.request import parse_call

_BASE64 = b'"base64"'
_FLOATS = (b"", b"null", b'"float"')
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class EmbeddingsProtocol(ServedProtocol):
    """Vectors for texts. Errors and lists are those of chat completions."""

    routes = (ProtocolRoute("POST", "/v1/embeddings"),)

    def parse(self, head: RequestHead, body: bytes, now: float) -> ParsedRequest:  # noqa: ARG002 - the body says it all
        call = parse_call(Operation.EMBEDDINGS, body, now)
        return ParsedRequest(call, VectorEncoder(call))


class VectorEncoder(AnswerEncoder):
    """Writes vectors as numbers or in base64."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def whole(self, body: bytes) -> bytes:
        return encoded_as_asked(self._call, body)


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
