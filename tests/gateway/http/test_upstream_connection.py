"""The connection's parser boundary, against h11 as oracle and against hostile bytes: no event loop, no socket."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from examples import examples
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.upstream_connection import UpstreamConnection
from freeride_core.gateway.http.upstream_response import AT_ONCE

OK = b"HTTP/1.1 200 OK\r\n"
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(lambda name: "x" + name)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20)
BODIES = st.lists(st.binary(min_size=1, max_size=60), max_size=6)
PLACES = st.lists(st.integers(min_value=0), max_size=8)


class RecordingTransport:
    """A socket's transport that remembers what is done to it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_aborted = False
        self.is_paused = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.sent += parts

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Line:
    """A connection that has asked something, and is told what comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.wire = RecordingTransport()
        self.lost: list[UpstreamConnection] = []
        self.connection = UpstreamConnection(loop, self.lost.append)
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]
        self.connection.send(b"POST / HTTP/1.1\r\n\r\n", b"")

    def hear(self, data: bytes, places: list[int]) -> None:
        for piece in cut(data, places):
            if not self.wire.is_aborted:
                self.connection.data_received(piece)

    def hang_up(self) -> None:
        self.connection.connection_lost(None)

    async def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        await self.connection.head()
        headers = {name.lower(): value for name, value in self.connection.headers}
        return self.connection.status, headers, await self.connection.whole(1 << 20)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(borders)]


def by_h11(data: bytes, *, is_over: bool) -> tuple[int, dict[bytes, bytes], bytes] | None:
    """What h11 makes of an answer; None: it refuses it, or it is not whole."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    status, headers, body = 0, {}, b""
    try:
        client.receive_data(data)
        if is_over:
            client.receive_data(b"")
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                status, headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, headers, body
            elif event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError:
        return None


def heard(loop: asyncio.AbstractEventLoop, data: bytes, places: list[int], *, is_over: bool = False) -> Line:
    line = Line(loop)
    line.hear(data, places)
    if is_over and not line.wire.is_aborted:
        line.hang_up()
    return line


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bool]:
    """A good answer, and whether it ends with its connection."""
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 429, 500, 503]))
    fields = draw(st.dictionaries(TOKENS, VALUES, max_size=5))
    pieces = draw(BODIES)
    framing = draw(st.sampled_from(["length", "chunked", "end"]))
    lines = [f"HTTP/1.1 {status} Some Words", *(f"{name}: {value}" for name, value in fields.items())]
    body = b"".join(pieces)
    if status in (204, 304):
        framing, body = "length", b""
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        ends = b"0\r\n" + draw(st.sampled_from([b"", b"x-trailer: 1\r\n", b"x-a: 1\r\nx-b: 2\r\n"])) + b"\r\n"
        extension = draw(st.sampled_from([b"", b";name=value", b';q="quoted"']))
        body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + ends
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Go On\r\n\r\n", b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n"]))
    return interim + "\r\n".join((*lines, "", "")).encode() + body, framing == "end"


@settings(max_examples=examples(300), deadline=None)
@given(answers(), PLACES)
def test_every_good_answer_is_understood_as_h11_does_however_it_is_cut(
    loop: asyncio.AbstractEventLoop, answer: tuple[bytes, bool], places: list[int]
) -> None:
    data, is_over = answer
    expected = by_h11(data, is_over=is_over)
    line = heard(loop, data, places, is_over=is_over)
    assert expected is not None
    assert loop.run_until_complete(line.answer()) == expected


@settings(max_examples=examples(400), deadline=None)
@given(answers(), st.lists(st.tuples(st.integers(min_value=0), st.binary(min_size=0, max_size=3)), max_size=4), PLACES)
def test_of_a_damaged_answer_no_more_is_believed_than_h11_believes(
    loop: asyncio.AbstractEventLoop, answer: tuple[bytes, bool], damage: list[tuple[int, bytes]], places: list[int]
) -> None:
    """Both take it, and for the same; or one refuses it. Where only h11 does, it is over a byte in a header's value or words
    of a status line, and frames nothing otherwise."""
    data, is_over = answer
    for place, bytes_ in damage:
        at = place % (len(data) + 1)
        data = data[:at] + bytes_ + data[at + len(bytes_) :]
    line = heard(loop, data, places, is_over=is_over)
    if not (line.connection.is_complete or line.wire.is_aborted):
        line.hang_up()
    try:
        found = loop.run_until_complete(line.answer())
    except UpstreamError:
        return
    expected = by_h11(data, is_over=True)
    if expected is not None:
        assert found[0] == expected[0]
        assert found[2] == expected[2]


SCRAPS = [
    OK,
    b"HTTP/1.1 ",
    b"HTTP/1.0 200 OK\r\n",
    b"100 x\r\n",
    b"content-length: 5\r\n",
    b"content-length: -1\r\n",
    b"transfer-encoding: chunked\r\n",
    b"transfer-encoding: gzip, chunked\r\n",
    b"connection: close\r\n",
    b"connection: upgrade\r\nupgrade: h2c\r\n",
    b"x: y\r\n",
    b" folded\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"5\r\n",
    b"hello",
    b"0\r\n\r\n",
    b"ffffffffffffffff1\r\n",
    b";ext=1",
    b"\xff\xfe",
    b"x" * 70_000,
]


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(st.sampled_from(SCRAPS), max_size=12).map(b"".join), PLACES)
@example(b"", [])
def test_whatever_comes_the_connection_ends_in_an_answer_or_in_trouble(
    loop: asyncio.AbstractEventLoop, data: bytes, places: list[int]
) -> None:
    line = heard(loop, data, places)
    if not line.wire.is_aborted:
        line.hang_up()
    else:
        line.connection.connection_lost(None)
    try:
        status, _, body = loop.run_until_complete(line.answer())
    except UpstreamError:
        return
    assert 200 <= status <= 999
    assert len(body) <= len(data)


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: 5\r\ncontent-length: 5\r\n",
        b"content-length: 5, 6\r\n",
        b"content-length: +5\r\n",
        b"content-length: 5x\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"x: a\0b\r\ncontent-length: 5\r\n",
        b"x: a\rb\r\ncontent-length: 5\r\n",
        b"x\0y: a\r\ncontent-length: 5\r\n",
        b"x y: a\r\ncontent-length: 5\r\n",
        b": a\r\ncontent-length: 5\r\n",
    ],
)
def test_an_answer_that_two_could_read_in_two_ways_is_refused(loop: asyncio.AbstractEventLoop, head: bytes) -> None:
    line = heard(loop, OK + head + b"\r\nhello", [])
    assert line.wire.is_aborted
    with pytest.raises(UpstreamError):
        loop.run_until_complete(line.answer())


@pytest.mark.parametrize("size", [b"g", b"-5", b"0x5", b"5 5", b"ffffffffffffffffff", b"", b"\0"])
def test_a_chunk_whose_size_is_none_is_refused(loop: asyncio.AbstractEventLoop, size: bytes) -> None:
    line = heard(loop, OK + b"transfer-encoding: chunked\r\n\r\n" + size + b"\r\nhello\r\n0\r\n\r\n", [])
    with pytest.raises(UpstreamError):
        loop.run_until_complete(line.answer())


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (OK + b"x: ", b"y"),
        (OK, b"x: y\r\n"),
        (b"", b"HTTP/1.1 100 Go On\r\n\r\n"),
        (b"HTTP/1.1 200 ", b"O"),
        (OK + b"transfer-encoding: chunked\r\n\r\n", b"0"),
        (OK + b"transfer-encoding: chunked\r\n\r\n5;", b"x"),
        (OK + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
        (OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", b"y"),
    ],
    ids=["a value", "headers", "interim answers", "a reason", "a size", "an extension", "trailers", "a trailer"],
)
def test_what_never_becomes_a_body_is_refused_in_the_end(
    loop: asyncio.AbstractEventLoop, start: bytes, endless: bytes
) -> None:
    line = Line(loop)
    line.connection.data_received(start or endless)
    for _ in range(40):
        if line.wire.is_aborted:
            break
        line.connection.data_received(endless * (4096 // len(endless)))
    assert line.wire.is_aborted


def test_a_second_answer_to_one_request_ends_the_connection_and_changes_nothing(
    loop: asyncio.AbstractEventLoop,
) -> None:
    good = OK + b"x-mark: 1\r\ncontent-length: 2\r\n\r\nok"
    line = heard(loop, good + b"HTTP/1.1 500 No\r\nx-mark: 2\r\ncontent-length: 3\r\n\r\nbad", [])
    assert loop.run_until_complete(line.answer()) == (200, {b"x-mark": b"1", b"content-length": b"2"}, b"ok")
    assert line.wire.is_aborted
    assert not line.connection.can_be_kept()


def test_a_word_that_nobody_asked_for_ends_the_connection(loop: asyncio.AbstractEventLoop) -> None:
    line = heard(loop, OK + b"content-length: 2\r\n\r\nok", [])
    assert line.connection.can_be_kept() is False, "its body is not read"
    loop.run_until_complete(line.answer())
    assert line.connection.can_be_kept()
    line.connection.data_received(b"HTTP/1.1 408 Timeout\r\n\r\n")
    assert line.wire.is_aborted


def test_a_large_body_is_sent_beside_its_head_and_not_copied(loop: asyncio.AbstractEventLoop) -> None:
    line = heard(loop, OK + b"content-length: 0\r\n\r\n", [])
    body = b"x" * 200_000
    line.connection.send(b"head", body)
    assert line.wire.sent[-2:] == [b"head", body]
    assert line.wire.sent[-1] is body


def test_a_slow_reader_pauses_the_upstream_and_a_read_resumes_it(loop: asyncio.AbstractEventLoop) -> None:
    line = heard(loop, OK + b"content-length: 1000000\r\n\r\n", [])
    for _ in range(5):
        line.connection.data_received(b"x" * 100_000)
    assert line.wire.is_paused
    assert sum(len(loop.run_until_complete(line.connection.read())) for _ in range(-(-500_000 // AT_ONCE))) == 500_000
    assert not line.wire.is_paused


def test_an_answer_larger_than_is_read_is_trouble(loop: asyncio.AbstractEventLoop) -> None:
    line = heard(loop, OK + b"content-length: 300\r\n\r\n" + b"x" * 300, [])
    with pytest.raises(UpstreamError):
        loop.run_until_complete(line.connection.whole(200))
