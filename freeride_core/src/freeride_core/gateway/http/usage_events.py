"""Events of a stream that count tokens and hold no choice. Many clients read `choices[0]` of every event, and fail on these."""

from __future__ import annotations

import msgspec

from freeride_core.call import Call
from freeride_core.gateway.http.sse import parse, split

_EMPTY = b"[]"
_USAGE = b'"usage"'


def asks_for_usage(call: Call) -> bool:
    """Whether the client asked for such an event, in OpenAI's way or in an upstream's own."""
    if "stream_options" in call.fields and b"include_usage" in bytes(call.fields["stream_options"]):
        options = call.value("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            return True
    return "usage" in call.fields and bytes(call.fields["usage"]) not in (b"null", b"false")


def without_usage_events(data: bytes) -> bytes:
    """Return the events without those that hold no choice; all others as they came."""
    if _EMPTY not in data and _USAGE not in data:
        return data
    blocks, rest = split(data)
    kept = [block for block in blocks if not _is_usage_event(block)]
    if rest and not _is_usage_event(rest):
        kept.append(rest)
    return data if len(kept) == len(blocks) + bool(rest) else b"".join(kept)


def _is_usage_event(block: bytes) -> bool:
    if b'"choices":[{' in block or b'"choices": [{' in block:
        return False
    event = parse(block).data
    try:
        content = None if event is None else msgspec.json.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(content, dict) or content.get("error"):
        return False
    choices = content.get("choices")
    return choices == [] or (choices is None and isinstance(content.get("usage"), dict))
