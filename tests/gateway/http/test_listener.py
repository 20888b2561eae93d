"""The listener: HTTP/1.1 as clients speak it, well and badly, over raw sockets."""

from __future__ import annotations

import gc
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_upstream import (
    TEXT,
    FakeUpstream,
    GatewayBench,
    plugins,
    provider,
    until,
)
from freeride_core.call import Call
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.http.server_exchange import ServerExchange
from freeride_core.gateway.http.upstream_response import UpstreamResponse
from freeride_core.gateway.server import GatewayThread

BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()
STREAM = json.dumps({"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
JSON = b"content-type: application/json\r\n"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    with FakeUpstream() as upstream:
        bench = GatewayBench(tmp_path)
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(max_body=100_000), plugins(provider("alpha"))) as gateway:
            yield gateway


def post(body: bytes = BODY, more: bytes = b"", version: bytes = b"1.1") -> bytes:
    lines = b"POST /v1/chat/completions HTTP/" + version + b"\r\nhost: localhost\r\n" + JSON + more
    return lines + b"content-length: %d\r\n\r\n" % len(body) + body


class SocketClient:
    """A socket that reads answers one after the other."""

    def __init__(self, gateway: GatewayThread) -> None:
        host, port = gateway.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self._buffer = b""

    def __enter__(self) -> SocketClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self._buffer += data
        return bool(data)

    def head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            assert self._more(), self._buffer
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:])

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = self.head()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self._buffer:
                    assert self._more()
                size_line, _, self._buffer = self._buffer.partition(b"\r\n")
                size = int(size_line, 16)
                while len(self._buffer) < size + 2:
                    assert self._more()
                body, self._buffer = body + self._buffer[:size], self._buffer[size + 2 :]
                if not size:
                    return status, headers, body
        size = int(headers.get("content-length", 0))
        while len(self._buffer) < size:
            assert self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return status, headers, body

    def rest(self) -> bytes:
        """What comes until the gateway hangs up."""
        while self._more():
            pass
        return self._buffer


def text(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["message"]["content"])


def test_one_connection_serves_many_requests(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        for _ in range(3):
            client.send(post())
            status, headers, body = client.answer()
            assert (status, text(body)) == (200, TEXT)
            assert "connection" not in headers
            assert "date" in headers


def test_a_request_in_single_bytes_is_the_same_request(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post():
            client.send(bytes([byte]))
        assert client.answer()[0] == 200


def test_a_chunked_body_is_the_same_body(gateway: GatewayThread) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + JSON + b"transfer-encoding: chunked\r\n\r\n"
    with SocketClient(gateway) as client:
        client.send(head + b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\nx-trailer: 1\r\n\r\n" + post())
        assert [client.answer()[0] for _ in range(2)] == [200, 200]


def test_pipelined_requests_are_answered_in_their_order(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(post() + b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n" + post(b"{}") + post(STREAM) + post())
        answers = [client.answer() for _ in range(5)]
        assert [status for status, _, _ in answers] == [200, 200, 400, 200, 200]
        assert json.loads(answers[1][2])["ok"] is True
        assert answers[3][2].endswith(b"data: [DONE]\n\n")


def test_more_pipelined_requests_than_are_held_are_answered_all_the_same(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n" * 100)
        assert {client.answer()[0] for _ in range(100)} == {200}


def test_whoever_asks_for_the_end_gets_it(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(post(more=b"connection: close\r\n"))
        status, headers, body = client.answer()
        assert (status, headers["connection"], text(body)) == (200, "close", TEXT)
        assert client.rest() == b""


def test_an_old_client_gets_a_stream_without_chunks(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(post(STREAM, version=b"1.0"))
        status, headers = client.head()
        assert status == 200
        assert "transfer-encoding" not in headers
        assert headers["connection"] == "close"
        assert client.rest().endswith(b"data: [DONE]\n\n")


def test_a_head_request_has_no_body(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(b"HEAD /health HTTP/1.1\r\nhost: localhost\r\n\r\n" + post())
        status, headers = client.head()
        assert status == 200
        assert int(headers["content-length"]) > 0
        assert client.answer()[0] == 200


def test_a_client_that_waits_for_a_word_hears_it(gateway: GatewayThread) -> None:
    head, _, body = post(more=b"expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with SocketClient(gateway) as client:
        client.send(head + b"\r\n\r\n")
        assert client.head()[0] == 100
        client.send(body)
        assert client.answer()[0] == 200


def test_a_refused_body_is_not_asked_for(gateway: GatewayThread) -> None:
    lines = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + JSON + b"expect: 100-continue\r\n"
    with SocketClient(gateway) as client:
        client.send(lines + b"content-length: 1000000\r\n\r\n")
        status, headers, _ = client.answer()
        assert (status, headers["connection"]) == (413, "close")


def test_a_request_that_asks_for_another_protocol_is_answered_in_this_one(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
        assert client.answer()[0] == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: a\0b\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost : localhost\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
    ids=["no HTTP", "TLS", "two lengths", "both lengths", "a bad chunk", "NUL", "a space", "no URL"],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(gateway: GatewayThread, request_: bytes) -> None:
    with SocketClient(gateway) as client:
        client.send(request_)
        assert client.rest().startswith(b"HTTP/1.1 400 ")


def test_a_request_after_a_good_one_is_refused_without_harm_to_it(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(post(STREAM) + b"rubbish\r\n\r\n")
        status, _headers, body = client.answer()
        assert (status, body[-14:]) == (200, b"data: [DONE]\n\n")
        assert client.rest() == b""


def test_headers_without_end_are_refused(gateway: GatewayThread) -> None:
    with SocketClient(gateway) as client:
        client.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: ")
        with pytest.raises(ConnectionError):  # noqa: PT012 - the gateway hangs up while the client still writes
            for _ in range(1000):
                client.send(b"y" * 65536)
        assert client._buffer == b""


def test_a_body_larger_than_is_held_waits_at_the_client_until_it_is_read(gateway: GatewayThread) -> None:
    """Its route reads none: what is not read is passed over, and the connection goes on."""
    body = b"[" + b"1," * 300_000 + b"1]"
    with SocketClient(gateway) as client:
        client.send(
            b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\n" + JSON + b"content-length: %d\r\n\r\n" % len(body) + body
        )
        assert client.answer()[0] == 404
        client.send(post())
        assert client.answer()[0] == 200


def test_what_a_burst_of_large_requests_took_is_given_back_at_once(gateway: GatewayThread) -> None:
    """By reference counts alone: none of it refers to itself, so that nobody has to look for garbage."""

    def requests() -> list[object]:
        kinds = (ServerExchange, ClientExchange, Call, UpstreamResponse)
        return [each for each in gc.get_objects() if isinstance(each, kinds)]

    large = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "x" * 90_000}]}).encode()
    gc.collect()
    others = requests()  # what tests before this one have left
    gc.disable()
    try:
        clients = [SocketClient(gateway) for _ in range(8)]
        for _ in range(3):
            for client in clients:
                client.send(post(large))
            assert {client.answer()[0] for client in clients} == {200}
        for client in clients:
            client.socket.close()
        until(lambda: len(requests()) <= len(others))
    finally:
        gc.enable()


def test_a_large_body_in_small_pieces_is_put_together_once(gateway: GatewayThread) -> None:
    large = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "y" * 90_000}]}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + JSON + b"transfer-encoding: chunked\r\n\r\n"
    with SocketClient(gateway) as client:
        client.send(head + b"".join(b"1\r\n%c\r\n" % byte for byte in large) + b"0\r\n\r\n")
        assert client.answer()[0] == 200
