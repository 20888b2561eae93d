"""Vectors: whether an answer has one for each input."""

from __future__ import annotations

import msgspec

from freeride_core.call import Call
from freeride_core.system.json_values import LARGE, count_separators, is_utf8

_MOST_VALUES = 16_000_000
"""Read over in 80 ms. Two thousand vectors of eight thousand numbers have as many."""


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw] = []


_ANSWER = msgspec.json.Decoder(_Answer)
_INPUTS = msgspec.json.Decoder(list[msgspec.Raw])


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
