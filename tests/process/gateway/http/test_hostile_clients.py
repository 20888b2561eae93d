"""The listener against those who mean harm: requests that two could read in two ways, heads and bodies without end, clients
that take their time."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import uvicorn

from fake_upstream import (
    HANG,
    SERVE,
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    GatewayStage,
    always,
    completion,
    in_turn,
    post_of,
    question,
    reply,
    until,
)
from freeride_core.gateway import server
from freeride_core.gateway.http import listener

BODY = json.dumps(question()).encode()
SIZE = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
START = b"POST /v1/chat/completions HTTP/1.1\r\n"
HEAD = START + b"Host: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
MAX_BODY = 1_000_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    with GatewayStage(tmp_path_factory.mktemp("home"), max_body=MAX_BODY) as stage:
        yield stage


def heard(connection: socket.socket) -> bytes:
    """What the gateway says until it hangs up."""
    said = b""
    try:
        while data := connection.recv(65536):
            said += data
    except ConnectionError:
        pass
    return said


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


# One request that two could read in two ways

AMBIGUOUS = {
    "both lengths": HEAD + SIZE + CHUNKED + b"\r\n0\r\n\r\n",
    "both lengths, reversed": HEAD + CHUNKED + SIZE + b"\r\n0\r\n\r\n",
    "two lengths": HEAD + SIZE + b"Content-Length: 3\r\n\r\n" + BODY,
    "two equal lengths": HEAD + SIZE + SIZE + b"\r\n" + BODY,
    "a list of lengths": HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    "a signed length": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "a hexadecimal length": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "a length with a space": HEAD + b"Content-Length: 1 5\r\n\r\nhello",
    "an empty length": HEAD + b"Content-Length:\r\n\r\n",
    "a length beyond 64 bits": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "chunked and then not": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "another encoding": HEAD + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
    "nearly chunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "nearly chunked, by a sign": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "quoted": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked twice": HEAD + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n",
    "a folded line": HEAD + b"X: a\r\n b\r\n" + SIZE + b"\r\n" + BODY,
    "a folded Host": b"GET /health HTTP/1.1\r\nHost: localhost\r\n .evil.example\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "a space before the name": b"GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "a name that is none": GET + b": x\r\n\r\n",
    "a line without a colon": GET + b"evil\r\n\r\n",
    "bare line feeds": (HEAD + SIZE).replace(b"\r\n", b"\n") + b"\n" + BODY,
    "one bare line feed": HEAD + b"X: a\nY: b\r\n" + SIZE + b"\r\n" + BODY,
    "a bare carriage return": HEAD + b"X: a\rY: b\r\n" + SIZE + b"\r\n" + BODY,
    "a request line without a version": b"GET /health\r\nHost: localhost\r\n\r\n",
    "that with a bare line feed": b"GET /health\nHost: localhost\r\n\r\n",
    "another version": b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "no version": b"GET /health HTTP/1.10\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "NUL in the path": b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a space in the path": b"GET /health x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes in the path": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no path": b"GET health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method that is none": b"GIVE /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method in small letters": b"get /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a proxy's method": b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a chunk ended by a line feed": HEAD + CHUNKED + b"\r\n5\nhello\n0\n\n",
    "a signed chunk": HEAD + CHUNKED + b"\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a chunk with a prefix": HEAD + CHUNKED + b"\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk with a space": HEAD + CHUNKED + b"\r\n5 \r\nhello\r\n0\r\n\r\n",
    "a chunk beyond 64 bits": HEAD + CHUNKED + b"\r\n" + b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than it says": HEAD + CHUNKED + b"\r\n3\r\nhello\r\n0\r\n\r\n",
    "a length after the body": HEAD + CHUNKED + b"\r\n2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
}


@pytest.mark.parametrize("request_", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_two_could_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    stage: GatewayStage, request_: bytes
) -> None:
    seen = len(stage["alpha"].posts)
    with stage.raw(request_ + SMUGGLED) as connection:
        assert statuses(heard(connection)) == [400]
    assert len(stage["alpha"].posts) == seen


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (HEAD + SIZE + b"\r\n" + BODY, [200, 404]),
        (HEAD + CHUNKED + b"\r\n%x;a=b\r\n%b\r\n0\r\nHost: evil.example\r\n\r\n" % (len(BODY), BODY), [200, 404]),
        (HEAD + b"Transfer-Encoding:\tchunked\r\n\r\n%X\r\n%b\r\n000\r\n\r\n" % (len(BODY), BODY), [200, 404]),
        (b"\r\n\r\n" + GET + b"\r\n", [200, 404]),
        (GET + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", [200, 404]),
        (
            b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n" + SIZE + b"\r\n" + BODY,
            [415, 404],
        ),
    ],
    ids=["a length", "chunks, an extension and a trailer", "a tab", "blank lines before", "a GET", "a refused body"],
)
def test_what_can_be_read_in_one_way_is_read_in_that(stage: GatewayStage, request_: bytes, expected: list[int]) -> None:
    with stage.raw(request_ + SMUGGLED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as connection:
        assert statuses(heard(connection)) == expected


# Other protocols


@pytest.mark.parametrize("protocol", [b"h2c", b"foo/2", b"h2c, foo", b"TLS/1.0"])
@pytest.mark.parametrize("connection", [b"upgrade", b"Upgrade, HTTP2-Settings", b"keep-alive, upgrade"])
@pytest.mark.parametrize("pieces", [1, 7, 4000], ids=["whole", "in sevens", "at once"])
def test_a_request_that_asks_for_another_protocol_keeps_its_body(
    stage: GatewayStage, protocol: bytes, connection: bytes, pieces: int
) -> None:
    """Its body is a body and no request, even where it looks like one."""
    more = b"Connection: " + connection + b"\r\nUpgrade: " + protocol + b"\r\nHTTP2-Settings: AAMAAABk\r\n"
    prompt = json.dumps(question(user=SMUGGLED.decode())).encode()
    sent = HEAD + more + b"Content-Length: %d\r\n\r\n" % len(prompt) + prompt
    sent += HEAD + more + CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(prompt), prompt)
    sent += GET + b"Connection: close\r\n\r\n"
    seen = len(stage["alpha"].posts)
    size = len(sent) if pieces == 1 else pieces
    with stage.raw(b"") as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(sent), size):
            client.sendall(sent[at : at + size])
        assert statuses(heard(client)) == [200, 200, 200]
    assert [json.loads(post.body)["user"] for post in stage["alpha"].posts[seen:]] == [SMUGGLED.decode()] * 2


def test_a_websocket_with_a_body_gets_one_answer(stage: GatewayStage) -> None:
    asks = b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED)
    with stage.raw(HEAD + asks + SMUGGLED + GET + b"Connection: close\r\n\r\n") as connection:
        assert statuses(heard(connection)) == [426, 200]


def test_a_request_for_another_protocol_may_have_a_long_head_and_ask_for_the_end(stage: GatewayStage) -> None:
    more = b"Connection: upgrade\r\nConnection: close\r\nUpgrade: h2c\r\nX: " + b"x" * 40_000 + b"\r\n\r\n"
    with stage.raw(GET + more) as connection:
        assert statuses(heard(connection)) == [200]


# Without end

ENDLESS = {
    "a path": (b"GET /", b"a" * 4096),
    "a header": (GET + b"X: ", b"a" * 4096),
    "headers": (GET, b"X: a\r\n" * 1000),
    "chunk extensions": (HEAD + CHUNKED + b"\r\n5;", b"a" * 4096),
    "trailers": (HEAD + CHUNKED + b"\r\n0\r\n", b"X: a\r\n" * 1000),
    "blank lines": (b"", b"\r\n" * 2000),
}


@pytest.mark.parametrize(("start", "more"), ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_cut_off(stage: GatewayStage, start: bytes, more: bytes) -> None:
    sent = 0
    with stage.raw(start) as connection, pytest.raises(ConnectionError):  # noqa: PT012 - it hangs up meanwhile
        while sent < 64_000_000:
            connection.sendall(more)
            sent += len(more)
    assert sent < 16_000_000  # what the two sockets hold between them is theirs


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
def test_a_body_over_the_cap_is_never_held(stage: GatewayStage, path: str, announced: bool) -> None:
    size = 64_000_000
    piece = b"%x\r\n" % 100_000 + b" " * 100_000 + b"\r\n"
    length = b"Content-Length: %d\r\n" % size if announced else CHUNKED
    with stage.raw(HEAD.replace(b"/v1/chat/completions", path.encode()) + length + b"\r\n") as connection:
        tracemalloc.start()
        try:
            for _ in range(size // len(piece)):
                connection.sendall(piece)
        except ConnectionError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert statuses(heard(connection)) in ([413], [])  # a reset may overtake the answer
    assert peak < 4 * MAX_BODY


@pytest.mark.parametrize("path", ["/health", "/nothing"])
def test_a_body_that_nobody_wants_is_not_held(stage: GatewayStage, path: str) -> None:
    size, piece = 64_000_000, b" " * 100_000
    head = HEAD.replace(b"/v1/chat/completions", path.encode()) + b"Content-Length: %d\r\n\r\n" % size
    with stage.raw(head) as connection:
        tracemalloc.start()
        for _ in range(size // len(piece)):
            connection.sendall(piece)
        connection.sendall(GET + b"Connection: close\r\n\r\n")
        said = heard(connection)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert statuses(said) in ([404, 200], [405, 200])
    assert peak < 4 * MAX_BODY


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (GET + b"X: a\r\n" * 511, [200]),
        (GET + b"X: a\r\n" * 512, [431]),
        (GET + b"X: a\r\n" * 5000, [431]),
        (GET.replace(b"/health", b"/health?" + b"a" * 8000), [200]),
        (GET.replace(b"/health", b"/health?" + b"a" * 9000), [414]),
        (GET + b"Connection: upgrade\r\nUpgrade: a\r\n" + b"X: a\r\n" * 600, [431]),
    ],
    ids=["512 headers", "one more", "thousands", "a long target", "a longer one", "another protocol"],
)
def test_a_head_has_a_bound_for_each_of_its_parts(stage: GatewayStage, head: bytes, expected: list[int]) -> None:
    with stage.raw(
        head + b"Connection: close\r\n" * (expected == [200] and b"X: a" not in head) + b"\r\n"
    ) as connection:
        if expected == [200] and b"X: a" in head:
            assert statuses(connection.recv(65536)) == expected
        else:
            assert statuses(heard(connection)) == expected


def test_what_strangers_say_is_not_kept_for_the_next(stage: GatewayStage) -> None:
    """A name that is looked up again costs nothing; one without an end would cost its length for as long as the gateway runs."""
    tracemalloc.start()
    try:
        for number in range(300):
            host = b"%d" % number + b"a" * 50_000
            with stage.raw(
                b"GET /v1/models HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
            ) as connection:
                assert statuses(heard(connection)) == [421]
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 5_000_000


# Requests one after the other


def client_of(stage: GatewayStage, connection: socket.socket) -> listener.ClientConnection:
    """The gateway's side of it."""
    assert stage.thread._server is not None
    name = connection.getsockname()
    [found] = [
        each
        for each in tuple(stage.thread._server.server_state.connections)
        if isinstance(each, listener.ClientConnection) and each._transport.get_extra_info("peername") == name
    ]
    return found


def send_on(connection: socket.socket, data: bytes, times: int) -> int:
    """How many bytes are taken before the gateway takes no more."""
    connection.settimeout(0.5)
    sent = 0
    with suppress(TimeoutError):
        for _ in range(times):
            sent += connection.send(data)
    return sent


def test_of_requests_that_wait_few_are_read(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, grace_s=0.2) as stage:
        stage["alpha"].answer = always([HANG])
        with stage.raw(HEAD + SIZE + b"\r\n" + BODY) as connection:
            until(lambda: stage["alpha"].posts)
            tracemalloc.start()
            try:
                sent = send_on(connection, (GET + b"\r\n") * 1000, 2000)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            client = client_of(stage, connection)
            assert len(client._waiting) < 300
            assert len(client._unparsed) <= 256 * 1024
        assert sent < 50_000_000, "what the sockets hold between them is theirs"
        assert peak < 4_000_000


def test_of_bodies_that_wait_little_is_read(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, grace_s=0.2) as stage:
        stage["alpha"].answer = always([HANG])
        with stage.raw(HEAD + SIZE + b"\r\n" + BODY) as connection:
            until(lambda: stage["alpha"].posts)
            piece = HEAD + b"Content-Length: 200000\r\n\r\n" + b" " * 200_000
            send_on(connection, piece, 100)
            client = client_of(stage, connection)
            assert sum(server_exchange.body._size for server_exchange in client._waiting) < 200_000
            assert len(client._unparsed) <= 256 * 1024


@pytest.mark.parametrize(
    "each",
    [
        GET + b"\r\n",
        GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + SIZE + b"\r\n" + BODY,
        b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + CHUNKED
        + b"\r\n"
        + b"1\r\n \r\n" * 3000
        + b"0\r\n\r\n",
    ],
    ids=["small ones", "for another protocol", "with bodies", "with bodies in pieces"],
)
def test_all_that_is_asked_in_one_go_is_answered(stage: GatewayStage, each: bytes) -> None:
    count = min(3000, 4_000_000 // len(each))
    sent = each * count + HEAD + b"Connection: close\r\n" + SIZE + b"\r\n" + BODY
    with stage.raw(b"") as connection:
        said = bytearray()
        reading = threading.Thread(target=lambda: said.extend(heard(connection)))
        reading.start()
        connection.sendall(sent)
        reading.join(60)
    assert statuses(bytes(said)) == [404 if b"POST" in each else 200] * count + [200]


def test_a_client_that_reads_nothing_is_answered_no_further(stage: GatewayStage) -> None:
    server_ = stage.thread._server
    assert server_ is not None
    asked = GET.replace(b"/health", b"/v1/models") + b"\r\n"
    with stage.raw(b"") as connection:
        send_on(connection, asked * 1000, 2000)
        before = -1
        while before != (before := server_.server_state.total_requests):
            threading.Event().wait(0.2)
        client = client_of(stage, connection)
        assert client._transport.get_write_buffer_size() < 1_000_000
        assert stage.ask().status_code == 200
        connection.settimeout(10)
        for _ in range(50):  # it goes on once its client does
            assert connection.recv(1 << 20)
        until(lambda: server_.server_state.total_requests > before + 1)


# Absurd JSON


def chat(more: bytes) -> bytes:
    return b'{"model":"double/one","messages":[],' + more + b"}"


ABSURD = {
    "an array 100,000 deep": (chat(b'"x":' + b"[" * 100_000 + b"]" * 100_000), 400),
    "an object 100,000 deep": (chat(b'"x":' + b'{"":' * 100_000 + b"1" + b"}" * 100_000), 400),
    "100,000 that are never closed": (b"[" * 100_000, 400),
    "NaN, and 100,000 deep": (chat(b'"y":NaN,"x":' + b"[" * 100_000 + b"]" * 100_000), 400),
    "200 deep": (chat(b'"x":' + b"[" * 200 + b"]" * 200), 200),
    "an integer of 400,000 digits": (chat(b'"x":' + b"9" * 400_000), 200),
    "as many tokens": (chat(b'"max_tokens":' + b"9" * 400_000), 200),
    "as many options": (chat(b'"stream_options":' + b"9" * 400_000), 200),
    "NaN, and an integer that Python refuses": (chat(b'"y":NaN,"x":' + b"9" * 5000), 400),
    "1e400000": (chat(b'"temperature":1e400000,"max_tokens":-1e400000,"top_p":1e-400000'), 200),
    "NaN and Infinity": (chat(b'"a":NaN,"b":Infinity,"c":-Infinity'), 200),
    "another NaN": (chat(b'"a":nan'), 400),
    "a field twice": (chat(b'"a":1,"a":2'), 200),
    "the model twice": (chat(b'"model":"auto"'), 400),
    "the model twice, spelled otherwise": (chat(b'"mod\\u0065l":"auto"'), 400),
    "half a surrogate pair": (chat(b'"a":"\\ud800","\\udfff":1'), 200),
    "half of one, raw": (chat(b'"a":"\xed\xa0\x80"'), 200),
    "a model of half a pair": (b'{"model":"\\ud800","messages":[]}', 404),
    "a model with a line end": (b'{"model":"a\\r\\nX-Evil: b","messages":[]}', 404),
    "a model without end": (b'{"model":"%b","messages":[]}' % (b"a" * 100_000), 400),
    "no UTF-8": (chat(b'"a":"\xff\xfe"'), 400),
    "an overlong letter": (chat(b'"a":"\xc0\xaf"'), 400),
    "a byte order mark": (b"\xef\xbb\xbf" + chat(b'"a":1'), 200),
    "UTF-16": (chat(b'"a":1').decode().encode("utf-16"), 200),
    "half of UTF-16": (chat(b'"a":1').decode().encode("utf-16")[:-1], 400),
    "a control character": (chat(b'"a":"\x01"'), 400),
    "NUL at the end": (chat(b'"a":1') + b"\0", 400),
    "two documents": (chat(b'"a":1') + chat(b'"a":1'), 400),
}


@pytest.mark.parametrize(("body", "status"), ABSURD.values(), ids=ABSURD)
def test_absurd_json_is_passed_on_as_it_is_or_refused_without_an_echo(
    stage: GatewayStage, body: bytes, status: int
) -> None:
    stage["alpha"].answer = always(reply(200, completion()))  # the usual one reads what it is sent
    seen = len(stage["alpha"].posts)
    with stage.raw(post_of(body, Connection="close")) as connection:
        said = heard(connection)
    assert statuses(said) == [status]
    assert [post.body for post in stage["alpha"].posts[seen:]] == ([body] if status == 200 else [])
    if status != 200:
        assert "message" in json.loads(said.partition(b"\r\n\r\n")[2])["error"]
        assert len(said) < 1000


# Without haste


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayStage]:
    """A gateway that waits a second where it would wait half a minute and more."""
    config = server._config

    def hasty_config(*arguments: object) -> uvicorn.Config:
        made = config(*arguments)  # type: ignore[arg-type]
        made.timeout_keep_alive = 1
        return made

    monkeypatch.setattr(server, "_config", hasty_config)
    monkeypatch.setattr(listener, "_BODY_S", 1.0)
    with GatewayStage(tmp_path) as stage:
        yield stage


DRIPS = {
    "blank lines": b"",
    "a request line": b"GET /aaaa",
    "a head": GET + b"X: a",
    "a second head": GET + b"\r\n" + GET + b"X: a",
    "a body": HEAD + b"Content-Length: 1000000\r\n\r\n{",
    "a chunked body": HEAD + CHUNKED + b"\r\nfffff\r\n{",
    "chunk extensions": HEAD + CHUNKED + b"\r\n5;a",
    "trailers": HEAD + CHUNKED + b"\r\n0\r\nX: a",
    "a body that nobody wants": HEAD.replace(b"/v1/chat/completions", b"/nothing")
    + b"Content-Length: 1000000\r\n\r\n{",
    "a second body": HEAD + SIZE + b"\r\n" + BODY + HEAD + b"Content-Length: 1000000\r\n\r\n{",
    "a body with another protocol": HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1000000\r\n\r\n{",
}


@pytest.mark.parametrize("start", DRIPS.values(), ids=DRIPS)
def test_whoever_drips_is_cut_off_in_time(hasty: GatewayStage, start: bytes) -> None:
    began = time.monotonic()
    with hasty.raw(start) as connection:
        dripping = threading.Event()

        def drip() -> None:
            try:
                while not dripping.wait(0.05):
                    connection.sendall(b"a" if start else b"\r\n")
            except OSError:
                pass

        thread = threading.Thread(target=drip)
        thread.start()
        said = heard(connection)
        dripping.set()
        thread.join()
    took = time.monotonic() - began
    assert 0.9 < took < 8
    if b"chunked" in start or b"1000000" in start:
        assert statuses(said)[-1] in (404, 408)


def test_what_has_come_already_buys_no_time(hasty: GatewayStage) -> None:
    """Else a megabyte would keep its place for a quarter of an hour."""
    began = time.monotonic()
    with hasty.raw(HEAD + b"Content-Length: 2000000\r\n\r\n" + b" " * 1_000_000) as connection:
        assert statuses(heard(connection)) == [408]
    assert time.monotonic() - began < 5


def test_whoever_is_slow_and_steady_is_heard_out(hasty: GatewayStage) -> None:
    """Each kilobyte gives a second more."""
    body = BODY[:-1] + b" " * 20_000 + b"}"
    with hasty.raw(HEAD + b"Content-Length: %d\r\n\r\n" % len(body)) as connection:
        for at in range(0, len(body), len(body) // 20):
            connection.sendall(body[at : at + len(body) // 20])
            time.sleep(0.1)  # what is tested is that it takes its time
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_long_answer_is_no_slow_request(hasty: GatewayStage) -> None:
    """Neither is a pipelined request that waits for it, with half a body."""
    hasty["alpha"].answer = in_turn([1.6, *reply(200, completion())])
    half = len(BODY) // 2
    with hasty.raw(HEAD + SIZE + b"\r\n" + BODY + HEAD + SIZE + b"\r\n" + BODY[:half]) as connection:
        said = b""
        while b"_freeride_provider" not in said:
            said += connection.recv(65536)
        connection.sendall(BODY[half:] + GET + b"Connection: close\r\n\r\n")
        assert statuses(said + heard(connection)) == [200, 200, 200]


def test_a_thousand_that_drip_starve_nobody(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path / "home")
    command = ("bash", "-c", 'ulimit -Sn 256 && exec "$@"', "bash", sys.executable, "-c", SERVE, "10", "alpha")
    server._open_more_files()  # this process has as many
    with FakeUpstream() as upstream, ExitStack() as stack:
        bench.add("alpha", upstream)
        gateway = stack.enter_context(GatewayProcess(bench, command=command))
        host, port = gateway.url.removeprefix("http://").split(":")
        crowd = [stack.enter_context(socket.create_connection((host, int(port)), timeout=10)) for _ in range(1000)]
        starts = list(DRIPS.values())
        for index, connection in enumerate(crowd):
            connection.sendall(starts[index % len(starts)])
        began = time.monotonic()
        for _ in range(5):
            assert gateway.ask().status_code == 200
        assert time.monotonic() - began < 20  # those who drip are waited for much longer
