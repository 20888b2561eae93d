"""The request as a client sent it, decoded once and shallowly."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from freeride_core.call import Call, Feature, Operation
from freeride_core.system.json_values import LARGE, MOST_VALUES, PATIENT_MOST, decoded, has_too_many_values, is_utf8

_ONCE = frozenset({"model", "stream", "stream_options"})
"""Fields that decide where a request goes; twice is a contradiction."""
_MARKS = tuple((name, f'"{name}"'.encode()) for name in _ONCE)
_GLANCE = 16 * 1024
_ESCAPED_LETTER = re.compile(rb"\\u00[567]")
"""A name may be spelled with these."""
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SKIP = re.compile(r"[ \t\n\r]*")
_VALUE = json.JSONDecoder()
# Read only where the whole is known to be JSON.
_NAME = re.compile(
    rb'[ \t\n\r]{0,4096}[{,][ \t\n\r]{0,4096}("[^"\\]*(?:\\.[^"\\]*)*")[ \t\n\r]{0,4096}:[ \t\n\r]{0,4096}'
)
_END = re.compile(rb"[ \t\n\r]{0,4096}}[ \t\n\r]{0,4096}")
_IMAGE = re.compile(rb'"image_url"\s*:|"input_image"')
_IMAGE_ENDS = (b'_url"', b'_image"')
_PERHAPS_IMAGE = re.compile(rb'_(?:url|image)"')
_FEW = 64
_PARTS = re.compile(rb'"content"\s*:\s*(?:\[|null)')
_NONE: frozenset[str] = frozenset()
_LONGEST_NAME = 1024
_MOST_FIELDS = 1000
"""Names at the top of a request: more than any protocol has."""
_LOOK = 4 * 1024 * 1024
"""Bytes that a pattern is looked for in at once: hostile ones take five nanoseconds each."""
_OVERLAP = 16
_HUGE = 4 * 1024 * 1024
"""Bytes of a request whose features and size are found out at once: later that would hold the event loop up."""
_DATA = re.compile(rb'"data"\s{0,8}:\s{0,8}"[A-Za-z0-9+/_-]{64}[^"]*+"')
_DATA_URL = b'"data:'

Pair = tuple[bytes, str, msgspec.Raw]
"""A top-level member: its name as raw JSON, its name, its value as raw JSON."""


class BadRequest(Exception):
    """The client's own fault, in words that hold nothing of the body."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def decode(body: bytes) -> list[Pair]:
    """The top-level members of a JSON object, as they are written. Whatever Python's `json` accepts is accepted.
    Raises `BadRequest`."""
    members = _decode_quickly(body)
    pairs = None if members is None else _locate(body, members)
    return _decode_patiently(body) if pairs is None else pairs


def _decode_quickly(body: bytes) -> dict[str, msgspec.Raw] | None:
    """The members by name, of a repeated name the last; None: this takes patience."""
    try:
        members = _DECODER.decode(body)
    except RecursionError:
        raise BadRequest("The request body is nested too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not body.isascii() and not is_utf8(body):  # the quick decoder does not look into the values
        return None
    return members


def _too_many_fields() -> BadRequest:
    return BadRequest(f"The request has more than {_MOST_FIELDS} fields.")


def _locate(body: bytes, members: Mapping[str, msgspec.Raw]) -> list[Pair] | None:
    """Return the members with their names as they are written, or None if one of them is there twice."""
    pairs: list[Pair] = []
    at = 0
    for name, value in members.items():
        found = _NAME.match(body, at)
        # Of a repeated name the quick decoder keeps the first place and the last value: then the body reads otherwise.
        if found is None or not body.startswith(memoryview(value), found.end()):
            return None
        pairs.append((found[1], name, value))
        at = found.end() + len(memoryview(value))
    return pairs if _END.fullmatch(body, at) else None


class _Pairs:
    """The pairs of a body, located where they are wanted."""

    __slots__ = ("_body", "_members", "_pairs")

    def __init__(self, body: bytes, members: Mapping[str, msgspec.Raw]) -> None:
        self._body = body
        self._members = members
        self._pairs: list[Pair] | None = None

    def __iter__(self) -> Iterator[Pair]:
        if self._pairs is None:
            self._pairs = _locate(self._body, self._members) or _decode_patiently(self._body)
        return iter(self._pairs)


def _is_plain(body: bytes, members: Mapping[str, msgspec.Raw]) -> bool:
    """Whether a glance shows that no field that must be unique is there twice. In a large body, looking costs more than
    locating every member."""
    if len(body) > _GLANCE or (b"\\u00" in body and _ESCAPED_LETTER.search(body)):
        return False
    for name, mark in _MARKS:  # noqa: SIM110 - a generator for three names costs as much as the looking
        if name in members and body.count(mark) != 1:
            return False
    return True


def _decode_patiently(body: bytes) -> list[Pair]:
    if len(body) > PATIENT_MOST:
        raise BadRequest("The request body is too large for anything but plain JSON: send UTF-8, and each field once.")
    try:
        pairs = _members("".join(decoded(body, json.detect_encoding(body))))
    except RecursionError:
        raise BadRequest("The request body is nested too deep.") from None
    except (ValueError, StopIteration, IndexError):
        raise BadRequest("The request body is not valid JSON.") from None
    names = [name for _, name, _ in pairs]
    for name in _ONCE:
        if names.count(name) > 1:
            raise BadRequest(f"The field '{name}' is in the request twice.", param=name)
    return pairs


def _members(text: str) -> list[Pair]:
    """Each member of the top-level object as it is written; ValueError if the text is not JSON."""
    at = _skip(text, 0)
    if text[at] != "{":
        _, end = _VALUE.raw_decode(text, at)
        if _skip(text, end) != len(text):
            raise ValueError
        raise BadRequest("The request body is not a JSON object.")
    pairs: list[Pair] = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        if pairs:
            if text[at] != ",":
                raise ValueError
            at = _skip(text, at + 1)
        if text[at] != '"':
            raise ValueError
        name, end = _VALUE.raw_decode(text, at)
        raw_name = text[at:end]
        at = _skip(text, end)
        if text[at] != ":":
            raise ValueError
        at = _skip(text, at + 1)
        _, end = _VALUE.raw_decode(text, at)
        raw = text[at:end].encode("utf-8", "surrogatepass")
        if len(pairs) >= _MOST_FIELDS:
            raise _too_many_fields()
        pairs.append((raw_name.encode("utf-8", "surrogatepass"), name, msgspec.Raw(raw)))
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError
    return pairs


def _skip(text: str, at: int) -> int:
    match = _SKIP.match(text, at)
    return match.end() if match else at


def parse_call(operation: Operation, body: bytes, now: float = 0.0) -> Call:
    """A client's request, received `now`, as a `Call`. Raises `BadRequest`. Run it beside the event loop where the body is larger
    than `json_values.LARGE`."""
    if len(body) > LARGE and has_too_many_values(body):
        raise BadRequest(f"The request body holds more than {MOST_VALUES} values.")
    members = _decode_quickly(body)
    pairs: Iterable[Pair]
    if members is not None and _is_plain(body, members):
        pairs, fields, once = _Pairs(body, members), members, _ONCE
    else:
        if not body.strip():
            raise BadRequest("The request has no body.")
        if members is not None and len(members) > _MOST_FIELDS:
            raise _too_many_fields()
        located = None if members is None else _locate(body, members)
        pairs = _decode_patiently(body) if located is None else located
        fields, once = {name: value for _, name, value in pairs}, _NONE
    return _call(operation, body, pairs, fields, _abilities(body, fields), now, once)


def build_call(operation: Operation, members: Mapping[str, bytes], abilities: frozenset[str], now: float = 0.0) -> Call:
    """Return the call of a request that another protocol has made: the JSON of its top-level values by name, `model` first, and
    what its model must be able to do."""
    pairs = [(b'"%b"' % name.encode(), name, msgspec.Raw(value)) for name, value in members.items()]
    parts = [part for raw_name, name, _ in pairs for part in (b",", raw_name, b":", members[name])]
    body = b"".join([b"{", *parts[1:], b"}"])
    fields = {name: value for _, name, value in pairs}
    return _call(operation, body, pairs, fields, abilities, now, frozenset({"model"}))


def _call(
    operation: Operation,
    body: bytes,
    pairs: Iterable[Pair],
    fields: Mapping[str, msgspec.Raw],
    abilities: frozenset[str],
    now: float,
    once: frozenset[str],
) -> Call:
    is_chat = operation is Operation.CHAT
    model = _model(fields)
    required = "messages" if is_chat else "input"
    if required not in fields:
        raise BadRequest(f"The field '{required}' is missing.", param=required)
    most, most_completion = fields.get("max_tokens"), fields.get("max_completion_tokens")
    call = Call(
        operation=operation,
        model=model,
        stream=is_chat and "stream" in fields and bytes(fields["stream"]) == b"true",
        pairs=pairs,
        body=body,
        features=functools.partial(_features, fields),
        prompt_tokens=functools.partial(_prompt_tokens, fields),
        output_tokens=max(_whole(most), _whole(most_completion)) if most or most_completion else 0,
        fields=fields,
        abilities=abilities,
        received_at=now,
        once=once,
    )
    if len(body) > _HUGE:
        _ = call.features, call.prompt_tokens
    return call


def _model(fields: Mapping[str, msgspec.Raw]) -> str:
    if "model" not in fields:
        raise BadRequest("The field 'model' is missing. Use 'auto' to let FreeRide choose.", param="model")
    raw = bytes(fields["model"])
    if raw == b"null":
        return ""
    if not raw.startswith(b'"'):
        raise BadRequest("The field 'model' is neither a string nor null.", param="model")
    if len(raw) > _LONGEST_NAME:
        raise BadRequest("The field 'model' is too long to be a model's name.", param="model")
    return _name(raw)


@functools.lru_cache(maxsize=256)
def _name(raw: bytes) -> str:
    return str(json.loads(raw))


def _abilities(body: bytes, fields: Mapping[str, msgspec.Raw]) -> frozenset[str]:
    """What a model must be able to do. Found by byte tests: inside a JSON string a quote is escaped, so these cannot be text."""
    found: list[str] = []
    if ("tools" in fields and _holds_any(fields["tools"])) or (
        "functions" in fields and _holds_any(fields["functions"])
    ):
        found.append(Feature.TOOLS)
    if _may_hold_image(body) and _IMAGE.search(bytes(fields.get("messages", b""))):
        found.append(Feature.IMAGES)
    if "response_format" in fields and b'"json_schema"' in bytes(fields["response_format"]):
        found.append(Feature.JSON_SCHEMA)
    return frozenset(found) if found else _NONE


def _may_hold_image(body: bytes) -> bool:
    """By a byte that most bodies have a few of: to look for it saves 40 us in 200 KB against the pattern, which reads them all."""
    at = -1
    for _ in range(_FEW):
        at = body.find(b"_", at + 1)
        if at < 0:
            return False
        if body.startswith(_IMAGE_ENDS, at):
            return True
    return any(_PERHAPS_IMAGE.search(body, start, start + _LOOK + _OVERLAP) for start in range(at, len(body), _LOOK))


def _holds_any(array: msgspec.Raw) -> bool:
    return bytes(array).strip(b"[] \t\r\n") not in (b"", b"null")


def _features(fields: Mapping[str, msgspec.Raw]) -> frozenset[str]:
    messages = bytes(fields.get("messages", b""))
    abilities = _abilities(messages, fields)
    return abilities | {Feature.CONTENT_PARTS} if _PARTS.search(messages) else abilities


def _prompt_tokens(fields: Mapping[str, msgspec.Raw]) -> int:
    """About four bytes a token; an escaped character is one, and an inline file is not text at all."""
    if "input" in fields and "messages" not in fields:
        return _longest_input(bytes(fields["input"]))
    return (_text_size(bytes(fields.get("messages", b""))) + _text_size(bytes(fields.get("tools", b"")))) // 4


def _text_size(raw: bytes) -> int:
    return len(raw) - 2 * raw.count(b"\\u") - _inline_size(raw)


def _longest_input(raw: bytes) -> int:
    """Tokens of the longest of several inputs: a window limits each, and not their sum. An input is a text, or its tokens."""
    if not raw.startswith(b"["):
        return _text_size(raw) // 4
    try:
        inputs = [bytes(each) for each in msgspec.json.decode(raw, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0  # what only a more patient parser can read is the upstream's to judge
    if not any(each.startswith((b'"', b"[", b"{")) for each in inputs):
        return len(inputs)
    return max(each.count(b",") + 1 if each.startswith(b"[") else _text_size(each) // 4 for each in inputs)


def _inline_size(raw: bytes) -> int:
    """Bytes of all strings that are `data:` URLs, or files in base64 as the value of `data`."""
    size = sum(len(found[0]) for found in _DATA.finditer(raw)) if b'"data"' in raw else 0
    at = raw.find(_DATA_URL)
    while at >= 0:
        end = raw.find(b'"', at + 1)
        size += end - at
        at = raw.find(_DATA_URL, end)
    return size


def _whole(raw: msgspec.Raw | None) -> int:
    if raw is None:
        return 0
    digits = bytes(raw)
    return int(digits) if digits.isdigit() and len(digits) < 12 else 0
