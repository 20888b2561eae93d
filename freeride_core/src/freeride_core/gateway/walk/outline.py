"""An outline of a large answer: the few members that are looked at. The rest is read over and not built."""

from __future__ import annotations

import functools

import msgspec

from freeride_core.system.json_values import count_separators, is_utf8

_MOST_VALUES = 4_000_000
"""Read over in 20 ms. Two thousand vectors of two thousand numbers have as many."""
_NOTHING = msgspec.Raw(b"")


class _Members(msgspec.Struct):
    choices: msgspec.Raw = _NOTHING
    data: msgspec.Raw = _NOTHING


_MEMBERS = msgspec.json.Decoder(_Members)


def outline_of(body: bytes, most: int) -> dict[str, list[msgspec.Raw]] | None:
    """`choices` and `data` of an answer, each with its first items and no more than one beyond `most`. None: it is no object, or
    has more values than any answer."""
    if count_separators(body) > _MOST_VALUES or not is_utf8(body):
        return None
    try:
        members = _MEMBERS.decode(body)
        named = {"choices": members.choices, "data": members.data}
        return {name: _items(raw, most + 1) for name, raw in named.items() if _is_array(raw)}
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_array(raw: msgspec.Raw) -> bool:
    return memoryview(raw)[:1].tobytes() == b"["


def _items(array: msgspec.Raw, most: int) -> list[msgspec.Raw]:
    found = _first(most).decode(array)
    return [raw for name in found.__struct_fields__ if (raw := getattr(found, name)) is not _NOTHING]


@functools.lru_cache(maxsize=16)
def _first(count: int) -> msgspec.json.Decoder[msgspec.Struct]:
    """Decodes the first items of an array, and reads over the others."""
    fields = [(f"item_{number}", msgspec.Raw, _NOTHING) for number in range(count)]
    return msgspec.json.Decoder(msgspec.defstruct("First", fields, array_like=True))
