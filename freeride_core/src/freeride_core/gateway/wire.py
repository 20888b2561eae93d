"""The request as a client sent it, decoded once and shallowly; and the headers that pass through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import msgspec

from freeride_core.provider import Call, Feature, Operation

_ONCE = frozenset({"model", "stream", "stream_options"})
"""Fields that decide where a request goes; twice is a contradiction."""
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SKIP = re.compile(r"[ \t\n\r]*")
_VALUE = json.JSONDecoder()
# Read only where the whole is known to be JSON.
_NAME = re.compile(rb'[ \t\n\r]*[{,][ \t\n\r]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\n\r]*:[ \t\n\r]*')
_END = re.compile(rb"[ \t\n\r]*}[ \t\n\r]*")
_IMAGE = re.compile(rb'"image_url"\s*:|"input_image"')
_PARTS = re.compile(rb'"content"\s*:\s*(?:\[|null)')
_LONGEST_NAME = 1024
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
    try:
        members = _DECODER.decode(body)
        if not body.isascii():
            body.decode("utf-8", "surrogatepass")  # the quick decoder does not look into the values
    except RecursionError:
        raise BadRequest("The request body is nested too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_patiently(body)
    pairs: list[Pair] = []
    at = 0
    for name, value in members.items():
        found = _NAME.match(body, at)
        # Of a repeated name the quick decoder keeps the first place and the last value: then the body reads otherwise.
        if found is None or not body.startswith(memoryview(value), found.end()):
            return _decode_patiently(body)
        pairs.append((found[1], name, value))
        at = found.end() + len(memoryview(value))
    return pairs if _END.fullmatch(body, at) else _decode_patiently(body)


def _decode_patiently(body: bytes) -> list[Pair]:
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
        pairs = _members(text)
    except RecursionError:
        raise BadRequest("The request body is nested too deep.") from None
    except (ValueError, StopIteration, IndexError):
        raise BadRequest("The request body is not valid JSON.") from None
    names = [name for _, name, _ in pairs]
    for name in _ONCE:
        if names.count(name) > 1:
            raise BadRequest(f"The field '{name}' stands twice in the request.", param=name)
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
        pairs.append((raw_name.encode("utf-8", "surrogatepass"), name, msgspec.Raw(raw)))
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError
    return pairs


def _skip(text: str, at: int) -> int:
    match = _SKIP.match(text, at)
    return match.end() if match else at


def parse_call(operation: Operation, body: bytes, now: float = 0.0) -> Call:
    """A client's request, received `now`, as a `Call`. Raises `BadRequest`."""
    if not body.strip():
        raise BadRequest("The request has no body.")
    pairs = decode(body)
    fields = {name: value for _, name, value in pairs}
    model = _model(fields)
    required = "messages" if operation is Operation.CHAT else "input"
    if required not in fields:
        raise BadRequest(f"The field '{required}' is missing.", param=required)
    messages = bytes(fields.get("messages", b""))
    return Call(
        operation=operation,
        model=model,
        stream=operation is Operation.CHAT and bytes(fields.get("stream", b"")) == b"true",
        pairs=pairs,
        body=body,
        features=_features(fields, messages),
        prompt_tokens=_prompt_tokens(fields, messages),
        output_tokens=max(_whole(fields.get("max_tokens")), _whole(fields.get("max_completion_tokens"))),
        received_at=now,
    )


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
    return str(json.loads(raw))


def _features(fields: Mapping[str, msgspec.Raw], messages: bytes) -> frozenset[str]:
    """What the request needs. Found by byte tests: inside a JSON string a quote is escaped, so these cannot be text."""
    features: set[str] = set()
    for name in ("tools", "functions"):
        if bytes(fields.get(name, b"")).strip(b"[] \t\r\n") not in (b"", b"null"):
            features.add(Feature.TOOLS)
    if _IMAGE.search(messages):
        features.add(Feature.IMAGES)
    if b'"json_schema"' in bytes(fields.get("response_format", b"")):
        features.add(Feature.JSON_SCHEMA)
    if _PARTS.search(messages):
        features.add(Feature.CONTENT_PARTS)
    return frozenset(features)


def _prompt_tokens(fields: Mapping[str, msgspec.Raw], messages: bytes) -> int:
    """About four bytes a token; an escaped character is one, and an inline file is not text at all."""
    size = -_inline_size(messages)
    for raw in (messages, bytes(fields.get("tools", b"")), bytes(fields.get("input", b""))):
        size += len(raw) - 2 * raw.count(b"\\u")
    return size // 4


def _inline_size(messages: bytes) -> int:
    """Bytes of all strings that are `data:` URLs."""
    size = 0
    at = messages.find(_DATA_URL)
    while at >= 0:
        end = messages.find(b'"', at + 1)
        size += end - at
        at = messages.find(_DATA_URL, end)
    return size


def _whole(raw: msgspec.Raw | None) -> int:
    if raw is None:
        return 0
    digits = bytes(raw)
    return int(digits) if digits.isdigit() and len(digits) < 12 else 0


_RELAYED = frozenset({"x-request-id", "request-id"})


def relayed_headers(headers: Mapping[str, str], more: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """The upstream's rate-limit and request-id headers, and those that a package names."""
    named = _RELAYED.union(more)
    return [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
        if name in named or name.startswith(("x-ratelimit-", "ratelimit"))
    ]
