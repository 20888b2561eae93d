"""Misbehaviour that every upstream is capable of, by name, in the dialect of the profile at hand."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from freeride_core.simulator.dialect import (
    PlayedRequest,
    block,
    blocks_before_finish,
    blocks_from_finish,
    done_blocks,
    event,
    events_reply,
    good_chat,
    streamed,
    unstreamed,
    whole_body,
)
from freeride_core.simulator.reply import EVENTS, ResponseEnding, SimulatedResponse, json_reply

_ERROR = (
    '{"error":{"message":"The upstream is overloaded, please try again later.","type":"server_error",'
    '"param":null,"code":503}}'
)
_PAGE = "<!doctype html><html><head><title>Just a moment...</title></head><body>Checking your browser.</body></html>\n"
_COMMENT_GAP_S = 0.05
POLYGLOT = "Grüße, żółw! 你好 🐢🚗"
SEPARATED = "one\u2028two\u0085three\u2029four"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A name, what it does in one line, and the response that does it."""

    name: str
    does: str
    reply: Callable[[PlayedRequest], SimulatedResponse]


def _error_block(turn: PlayedRequest) -> bytes:
    """The upstream's own way of failing midway, where the profile knows it."""
    case = turn.profile.case("mid-stream-error")
    if case is not None and case.sse:
        return block(turn.values(defaults=True).fill(case.sse[-1]))
    return event(_ERROR)


def _first_half(turn: PlayedRequest) -> list[bytes]:
    """A stream's beginning, at least up to its first word."""
    blocks = blocks_before_finish(turn)
    stream = turn.profile.stream
    before_words = len(stream.before) + bool(stream.role) + bool(stream.reasoning)
    return blocks[: max(before_words + 1, len(blocks) // 2)]


def _broken_off(turn: PlayedRequest, ending: ResponseEnding) -> SimulatedResponse:
    """Content, and then no more."""
    if turn.stream:
        return events_reply(turn, tuple(_first_half(turn)), ending)
    whole = unstreamed(turn)
    body = whole.pieces[0]
    return replace(whole, pieces=(body[: len(body) // 2],), length=len(body), ending=ending)


def _reset_midway(turn: PlayedRequest) -> SimulatedResponse:
    reply = _broken_off(turn, ResponseEnding.RESET)
    if not turn.stream:
        return reply
    # The reset hits in the middle of an event.
    *others, last = reply.pieces
    return replace(reply, pieces=(*others, last, last[: len(last) // 2]))


def _ended_midway(turn: PlayedRequest) -> SimulatedResponse:
    if turn.stream:
        return events_reply(turn, tuple(_first_half(turn)), ResponseEnding.CLOSE)
    return _truncated(turn)


def _truncated(turn: PlayedRequest) -> SimulatedResponse:
    """JSON that stops halfway while HTTP says that it is whole."""
    if turn.stream:
        first = event(whole_body(turn))
        return events_reply(turn, (first[: len(first) // 2] + b"\n\n",), ResponseEnding.CLOSE)
    whole = unstreamed(turn)
    return replace(whole, pieces=(whole.pieces[0][: len(whole.pieces[0]) // 2],))


def _empty(turn: PlayedRequest) -> SimulatedResponse:
    """A finish without a word before it, and not a token counted."""
    return good_chat(turn.saying_instead(""))


def _error_first(turn: PlayedRequest) -> SimulatedResponse:
    if turn.stream:
        return events_reply(turn, (_error_block(turn),), ResponseEnding.CLOSE)
    return json_reply(_ERROR)


def _error_midway(turn: PlayedRequest) -> SimulatedResponse:
    if turn.stream:
        return events_reply(turn, (*_first_half(turn), _error_block(turn)), ResponseEnding.CLOSE)
    return json_reply(_ERROR)


def _comments_only(turn: PlayedRequest) -> SimulatedResponse:
    comments = tuple(block(text) for text in turn.profile.stream.before if text.startswith(":"))
    reply = events_reply(turn, comments or (b": keep-alive\n\n",), ResponseEnding.REPEAT)
    return replace(reply, gap_s=max(reply.gap_s, _COMMENT_GAP_S))


def _split_characters(turn: PlayedRequest) -> SimulatedResponse:
    """Every character of more than one byte arrives in two writes."""
    reply = good_chat(turn.saying_instead(POLYGLOT))
    pieces = [piece for whole in reply.pieces for piece in _split_within_characters(whole)]
    if turn.stream:
        return replace(reply, pieces=tuple(pieces))
    return replace(reply, pieces=tuple(pieces), length=sum(map(len, pieces)))


def _split_within_characters(data: bytes) -> Iterable[bytes]:
    start = 0
    for index in range(1, len(data)):
        if data[index] & 0xC0 == 0x80 and data[index - 1] & 0xC0 == 0xC0:
            yield data[start:index]
            start = index
    yield data[start:]


def _split_everywhere(turn: PlayedRequest) -> SimulatedResponse:
    """Writes of 1 to 7 bytes, then the rest with several events at once."""
    reply = good_chat(turn)
    data = b"".join(reply.pieces)
    pieces, at, size = [], 0, 1
    while at < min(len(data), 400):
        pieces.append(data[at : at + size])
        at, size = at + size, size % 7 + 1
    rest = (data[at:],) if data[at:] else ()
    return replace(reply, pieces=(*pieces, *rest), length=None if reply.chunked else len(data), gap_s=0.001)


def _all_at_once(turn: PlayedRequest) -> SimulatedResponse:
    reply = good_chat(turn)
    return replace(reply, pieces=(b"".join(reply.pieces),))


def _line_ends(turn: PlayedRequest) -> SimulatedResponse:
    reply = good_chat(turn)
    if not turn.stream:
        return reply
    return replace(reply, pieces=tuple(piece.replace(b"\n", b"\r\n") for piece in reply.pieces))


def _compressed(turn: PlayedRequest) -> SimulatedResponse:
    reply = good_chat(turn)
    if turn.stream:
        squeeze = zlib.compressobj(wbits=31)
        pieces = [squeeze.compress(piece) + squeeze.flush(zlib.Z_SYNC_FLUSH) for piece in reply.pieces]
        pieces.append(squeeze.flush())
    else:
        pieces = [gzip.compress(b"".join(reply.pieces))]
    return replace(reply, pieces=tuple(pieces), headers=reply.with_header("content-encoding", "gzip"))


def _without_done(turn: PlayedRequest) -> SimulatedResponse:
    if not turn.stream:
        return good_chat(turn)
    return events_reply(turn, (*blocks_before_finish(turn), *blocks_from_finish(turn)), ResponseEnding.CLOSE)


def _odd_line(turn: PlayedRequest) -> SimulatedResponse:
    if not turn.stream:
        return good_chat(turn)
    blocks = blocks_before_finish(turn)
    odd = event("not JSON at all")
    return events_reply(turn, (*blocks[:-1], odd, *blocks[-1:], *blocks_from_finish(turn), *done_blocks(turn)))


def _many_lines(turn: PlayedRequest) -> SimulatedResponse:
    """Each event's data on two `data:` lines, without the space that most put after the colon."""
    reply = good_chat(turn)
    if not turn.stream:
        return reply
    pieces = [piece.replace(b"data: {", b"data:{\ndata:") for piece in reply.pieces]
    return replace(reply, pieces=tuple(pieces))


def _slow(turn: PlayedRequest) -> SimulatedResponse:
    return replace(good_chat(turn), delay_s=turn.slow_s)


_ALL = (
    Behaviour(
        "hang",
        "accepts the request and never says a word",
        lambda _: SimulatedResponse(head=False, ending=ResponseEnding.HANG),
    ),
    Behaviour(
        "reset", "resets the TCP connection", lambda _: SimulatedResponse(head=False, ending=ResponseEnding.RESET)
    ),
    Behaviour(
        "close",
        "closes the connection without a byte",
        lambda _: SimulatedResponse(head=False, ending=ResponseEnding.CUT),
    ),
    Behaviour(
        "silence",
        "sends 200 and the headers of a stream, then nothing",
        lambda _: SimulatedResponse(headers=(EVENTS,), chunked=True, ending=ResponseEnding.HANG),
    ),
    Behaviour("slow-first-byte", "answers well, but late", _slow),
    Behaviour(
        "html-200",
        "answers 200 with an HTML page",
        lambda _: SimulatedResponse(headers=(("content-type", "text/html; charset=utf-8"),), pieces=(_PAGE.encode(),)),
    ),
    Behaviour("truncated-json", "answers 200 with half of a JSON text", _truncated),
    Behaviour("empty", "answers 200 and says nothing", _empty),
    Behaviour("error-in-200", "answers 200 with an error as its JSON body", lambda _: json_reply(_ERROR)),
    Behaviour("error-first-event", "starts a stream with an error event", _error_first),
    Behaviour("error-mid-stream", "sends content, then an error event", _error_midway),
    Behaviour(
        "cut-mid-stream", "sends content, then drops the connection", lambda t: _broken_off(t, ResponseEnding.CUT)
    ),
    Behaviour("eof-mid-stream", "sends content, then ends the body properly, without a finish", _ended_midway),
    Behaviour("reset-mid-stream", "sends content, then resets the connection within an event", _reset_midway),
    Behaviour("idle-mid-stream", "sends content, then nothing", lambda t: _broken_off(t, ResponseEnding.HANG)),
    Behaviour("comments-only", "sends SSE comments and nothing else", _comments_only),
    Behaviour("split-utf8", "splits characters across writes", _split_characters),
    Behaviour("split-everywhere", "splits events across tiny writes, then joins many in one", _split_everywhere),
    Behaviour("all-at-once", "sends a whole stream in one write", _all_at_once),
    Behaviour(
        "line-separators",
        "sends raw U+2028, U+2029 and U+0085 within the text",
        lambda t: good_chat(t.saying_instead(SEPARATED)),
    ),
    Behaviour("many-lines", "spreads each event's data over two lines", _many_lines),
    Behaviour("crlf", "ends the lines of a stream with CR LF", _line_ends),
    Behaviour("gzip", "compresses the answer although the client did not ask for it", _compressed),
    Behaviour("no-done", "ends a finished stream without [DONE]", _without_done),
    Behaviour("non-json-line", "sends one event that is not JSON", _odd_line),
    Behaviour("json-for-stream", "answers a streamed request with whole JSON", unstreamed),
    Behaviour("sse-for-json", "answers with a stream that the client did not ask for", streamed),
)

BEHAVIOURS = {behaviour.name: behaviour for behaviour in _ALL}
"""The built-in misbehaviour of every simulator, by name."""
