"""An upstream's event stream."""

from __future__ import annotations

import json

from freeride_core.answer import Failure
from freeride_core.events.usage import usage_in_body
from freeride_core.gateway.http import sse
from freeride_core.gateway.http.stream_scanner import StreamScanner
from fuzz.target import Bytes, Target, cut

_FAILURE = Failure(kind="rate_limit")
_MOST = 1024
"""Bytes: far below what a relay holds before it passes half an event on."""


def _find_failure(event: sse.StreamEvent) -> Failure | None:
    try:
        content = json.loads(event.data or b"")
    except (ValueError, RecursionError):
        return _FAILURE if event.name == "error" else None
    return _FAILURE if isinstance(content, dict) and content.get("error") else None


def _relayed(pieces: list[bytes]) -> tuple[bytes, list[sse.StreamEvent], tuple[bool, bool, bool]]:
    """What came out, the events in it, and how it ended."""
    relay = StreamScanner(_find_failure)
    out = b"".join(map(relay.feed, pieces)) + relay.end()
    blocks, rest = sse.split(out)
    events = [event for event in map(sse.parse, [*blocks, rest]) if event.data is not None]
    return out, events, (relay.is_done, relay.is_finished, relay.failure is not None)


def check(data: bytes) -> None:
    """However it is cut, a stream is relayed alike; nothing is added but the end of a last line, and nothing is lost before
    the end or an error."""
    source = Bytes(data)
    sizes = [source.byte() for _ in range(4)]
    stream = source.rest()[:_MOST]
    blocks, tail = sse.split(stream)
    assert b"".join(blocks) + tail == stream
    assert all(blocks)
    out, *said = _relayed([stream])
    for pieces in (cut(stream, sizes), [stream[at : at + 1] for at in range(len(stream))]):
        # Of blank lines there may be one more or less: half of one that could be a whole one has passed already.
        assert said == list(_relayed(pieces)[1:]), "it depends on where the stream is cut"
    is_done, _, has_failed = said[1]
    assert is_done or stream.startswith(out)
    if not is_done and not has_failed:
        expected = [event for event in map(sse.parse, blocks) if event.data is not None]
        assert said[0][: len(expected)] == expected, "a whole event was lost"
    for block in blocks:
        event = sse.parse(block)
        content: object = None
        try:
            content = json.loads(event.data or b"null")
        except (ValueError, RecursionError):
            continue
        choices = content.get("choices") if isinstance(content, dict) else None
        assert isinstance(sse.shows_content(choices), bool)
        assert isinstance(sse.finish_of(choices), str)
        assert usage_in_body(content).output >= 0


TARGET = Target(
    check,
    seeds=(
        b'\x05\x07\x09\x03data: {"choices":[{"delta":{"content":"hi"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
        b'\x05\x07\x09\x03data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
        b'\x01\x02\x03\x04: comment\r\n\r\nevent: error\r\ndata: {"error":{"message":"x"}}\r\n\r\n',
        b'\x09\x02\x30\x04id: 1\rdata: {"usage":{"completion_tokens":3}}\r\rdata:[DONE]\r\r',
        b'\x10\x20\x03\x04data: {"choices":[{"text":"[DONE] \\"error\\""}]}\n\nretry: 3\n\ndata: [DONE]',
    ),
    words=(
        b"data: ",
        b"data:",
        b"event: error",
        b"[DONE]",
        b"\n\n",
        b"\r\n\r\n",
        b"\r\r",
        b'"error":',
        b'"choices":[',
        b'"delta":{',
        b'"finish_reason":"',
        b'"finish_reason":null',
        b'"usage":{',
        b'"completion_tokens":',
        b'"content":"',
    ),
)
