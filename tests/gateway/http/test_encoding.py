"""Encoded bodies, of upstreams and of clients: one layer is undone, and no more of it than is read of such a body."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_upstream import (
    DONE,
    TEXT,
    FakeUpstream,
    GatewayStage,
    Script,
    always,
    chunk,
    completion,
    framed,
    good,
    post_of,
    provider,
    question,
    reply,
    until,
)
from freeride_core import UpstreamRequest
from freeride_core.answer import ErrorKind
from freeride_core.cli.key_check import check_keys
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.encoding import (
    PIECE,
    BrokenCoding,
    DecodedTooLarge,
    Decompressor,
    UnknownCoding,
    coding_of,
    decode_whole,
)
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.proxied import ProxiedOrigin
from freeride_core.gateway.http.upstream_response import MAX_BODY, MAX_ERROR_BODY, UpstreamResponse
from freeride_core.settings.keys import read_keys

MIB = 1 << 20


def deflated(body: bytes) -> bytes:
    """The bare stream, without zlib's head and tail."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "a bare deflate": ("deflate", deflated),
    "identity and gzip": ("identity, gzip", gzip.compress),
}


@cache
def zeros(size: int, layers: int = 1) -> bytes:
    """So many, in a thousandth of the space for each layer."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)  # which may stand any number of times
    check = 0
    for _ in range(size // MIB):
        check = zlib.crc32(bytes(MIB), check)
    head, end = gzip.compress(b"", mtime=0)[:10], packer.flush()
    data = head + block * (size // MIB) + end + struct.pack("<LL", check, size)
    for _ in range(layers - 1):
        data = gzip.compress(data, 9)
    return data


# The decoder


def decoded(coding: str, packed: bytes, cuts: list[int], limit: int = MAX_BODY) -> bytes:
    decompressor = Decompressor(coding, limit)
    borders = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    whole = b""
    for start, end in pairwise(borders):
        for piece in decompressor.feed(packed[start:end]):
            assert 0 < len(piece) <= PIECE
            whole += piece
    decompressor.end()
    return whole


@given(
    st.binary(max_size=300) | st.integers(0, 5 * PIECE).map(bytes),
    st.sampled_from(list(PACKERS.values())),
    st.lists(st.integers(0, 400), max_size=4),
)
def test_what_was_packed_comes_out_in_pieces_wherever_it_is_cut(
    body: bytes, packer: tuple[str, Callable[[bytes], bytes]], cuts: list[int]
) -> None:
    coding = coding_of(packer[0])
    assert coding is not None
    packed = packer[1](body)
    assert decoded(coding, packed, cuts) == body
    for bad in (packed + b"x", packed + packed, packed[:-1]):
        with pytest.raises(BrokenCoding):
            decoded(coding, bad, cuts)


def test_nothing_is_decoded_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it would become: what counts is what zlib gives out, all pieces together."""
    sizes: list[int] = []
    make = zlib.decompressobj

    class CountingDecompressor:
        def __init__(self, bits: int) -> None:
            self._engine = make(bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            sizes.append(len(piece := self._engine.decompress(data, most)))
            return piece

        def __getattr__(self, name: str) -> Any:
            return getattr(self._engine, name)

    monkeypatch.setattr(zlib, "decompressobj", CountingDecompressor)
    with pytest.raises(DecodedTooLarge):
        decoded("gzip", zeros(50 * MIB), [], limit=MIB)
    assert max(sizes) <= PIECE
    assert sum(sizes) <= MIB + PIECE


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        (" Identity , ", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("deflate", "deflate"),
    ],
)
def test_one_layer_is_known_by_its_name(header: str, coding: str | None) -> None:
    assert coding_of(header) == coding
    assert coding is not None or decode_whole(b"{}", header, 10) == b"{}"


@pytest.mark.parametrize("header", ["br", "zstd", "compress", "gzip, gzip", "deflate,identity,gzip", "gzip;q=1", "*"])
def test_any_other_coding_and_any_second_layer_is_unknown(header: str) -> None:
    with pytest.raises(UnknownCoding):
        coding_of(header)


def test_a_body_of_no_bytes_is_empty_whatever_its_coding() -> None:
    assert decode_whole(b"", "gzip", 10) == b""


# Upstreams

ANSWER = json.dumps(completion("beta would say something else")).encode()


def packed(body: bytes, header: str, *more: str, status: int = 200, content_type: str = "application/json") -> Script:
    headers = "".join(f"content-encoding: {each}\r\n" for each in (header, *more)).encode()
    (whole,) = reply(status, body, content_type=content_type)
    assert isinstance(whole, bytes)
    return [whole.replace(b"\r\n\r\n", b"\r\n" + headers + b"\r\n", 1)]


@pytest.mark.parametrize(("header", "pack"), PACKERS.values(), ids=PACKERS)
def test_an_answer_in_one_layer_is_undone(tmp_path: Path, header: str, pack: Callable[[bytes], bytes]) -> None:
    with GatewayStage(tmp_path, stamp_body=0) as stage:
        stage["alpha"].answer = always(packed(pack(ANSWER), header))
        assert stage.ask().content == ANSWER


@pytest.mark.parametrize(
    "script",
    [
        packed(gzip.compress(gzip.compress(ANSWER)), "gzip, gzip"),
        packed(gzip.compress(gzip.compress(ANSWER)), "gzip", "gzip"),
        packed(gzip.compress(ANSWER), "gzip, identity, deflate"),
        packed(ANSWER, "br"),
        packed(ANSWER, "zstd"),
        packed(gzip.compress(ANSWER) + b"more", "gzip"),
        packed(gzip.compress(ANSWER[:40]) + gzip.compress(ANSWER[40:]), "gzip"),
        packed(zlib.compress(ANSWER) + b"\0", "deflate"),
        packed(gzip.compress(ANSWER)[:-20], "gzip"),
        packed(ANSWER, "gzip"),
    ],
    ids=[
        "two layers",
        "two headers",
        "two, and none between",
        "brotli",
        "zstandard",
        "rubbish behind it",
        "a second member",
        "a byte behind it",
        "cut off",
        "none at all",
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_encoded_in_any_other_way_is_passed_over(tmp_path: Path, script: Script, streams: bool) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(script)
        answer = stage.ask(stream=streams)
        assert (answer.status_code, answer.headers["x-freeride-provider"]) == (200, "beta")
        assert [event["status"] for event in until(lambda: stage.events("provider_response"))][:1] == ["PROTOCOL"]
        assert not stage.cooled()


@pytest.mark.parametrize("header", ["gzip, gzip", "br"])
def test_an_error_that_cannot_be_decoded_is_what_its_status_says(tmp_path: Path, header: str) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(packed(zeros(MIB, 2), header, status=429))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert [kind for kind, _ in stage.cooled().values()] == ["rate_limit"]


BOMBS = {
    "an answer": (packed(zeros(100 * MIB), "gzip"), False, MAX_BODY),
    "an answer in two layers": (packed(zeros(100 * MIB, 2), "gzip, gzip"), False, 0),
    "an error": (packed(zeros(100 * MIB), "gzip", status=429), False, MAX_ERROR_BODY),
    "an error in two layers": (packed(zeros(100 * MIB, 2), "gzip, gzip", status=429), False, 0),
    "a stream": (packed(zeros(100 * MIB), "gzip", content_type="text/event-stream"), True, 0),
    "a stream in two layers": (packed(zeros(100 * MIB, 2), "gzip,gzip", content_type="text/event-stream"), True, 0),
}


@pytest.mark.parametrize(("script", "streams", "read"), BOMBS.values(), ids=BOMBS)
def test_what_swells_costs_as_much_as_is_read_of_such_an_answer(
    tmp_path: Path, script: Script, streams: bool, read: int
) -> None:
    with GatewayStage(tmp_path) as stage:
        stage.ask()  # what is made once is there now
        stage["alpha"].answer = always(script)
        tracemalloc.start()
        try:
            with httpx.stream(
                "POST", f"{stage.url}/v1/chat/completions", json=question(stream=streams), verify=False
            ) as answer:
                for _ in answer.iter_raw():
                    pass
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.2 * read + 8 * MIB


def test_a_list_of_models_that_swells_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeride_core.ledger.catalogs._FIRST_RETRY_S", 0.1)
    listed = json.dumps({"data": [{"id": "live/one"}]}).encode()
    with FakeUpstream() as upstream:
        tracemalloc.start()
        try:
            upstream.answer = lambda seen: packed(zeros(100 * MIB), "gzip") if seen.method == "GET" else good(seen)
            with GatewayStage(tmp_path, provider("alpha", lists=True), urls={"alpha": upstream.url}) as stage:
                until(lambda: upstream.seen)
                until(lambda: stage.thread.gateway.catalogs.has_tried("alpha"))
                assert not stage.thread.gateway.catalogs.is_known("alpha")
                upstream.answer = always(packed(gzip.compress(listed), "gzip"))
                until(lambda: stage.thread.gateway.catalogs.is_known("alpha"), 15)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 40 * MIB


def test_keys_are_checked_without_an_answer_that_swells(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha", lists=True)) as stage:
        stage["alpha"].answer = always(packed(zeros(100 * MIB), "gzip"))
        settings = stage.bench.settings()
        keys, _ = read_keys(stage.providers[0], settings)
        tracemalloc.start()
        try:
            (verdict,) = check_keys(settings, [(stage.providers[0], keys)])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert verdict.note == "its answer is larger than 8388608 bytes when it is decoded"
        assert peak < 48 * MIB  # two requests, each in pieces and put together


# By way of a proxy


async def by_way_of_a_proxy(script: Script, read: Callable[[UpstreamResponse], Any]) -> Any:
    with FakeUpstream(always(script)) as proxy:
        origin = ProxiedOrigin(f"http://127.0.0.1:{proxy.port}", None)
        request = UpstreamRequest("POST", "http://upstream.invalid/v1", (("content-length", "2"),), b"{}")
        answer = await origin.ask(request, connect_s=5.0, due=NEVER, is_wanted=None)
        try:
            return await read(answer)
        finally:
            answer.close()
            await asyncio.sleep(0)
            await origin.close()


@pytest.mark.parametrize(("header", "pack"), PACKERS.values(), ids=PACKERS)
def test_by_way_of_a_proxy_one_layer_is_undone_as_well(header: str, pack: Callable[[bytes], bytes]) -> None:
    assert asyncio.run(by_way_of_a_proxy(packed(pack(ANSWER), header), UpstreamResponse.body)) == ANSWER


@pytest.mark.parametrize(
    ("script", "read"),
    [
        (packed(zeros(100 * MIB), "gzip"), MAX_BODY),
        (packed(zeros(100 * MIB, 2), "gzip, gzip"), 0),
        (packed(zeros(100 * MIB, 2), "gzip", "gzip"), 0),
        (packed(ANSWER, "br"), 0),
        (packed(gzip.compress(ANSWER) * 2, "gzip"), 0),
    ],
    ids=["a bomb", "two layers", "two headers", "brotli", "a second member"],
)
def test_by_way_of_a_proxy_nothing_else_is(script: Script, read: int) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamError) as caught:
            asyncio.run(by_way_of_a_proxy(script, UpstreamResponse.body))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.failure.kind is ErrorKind.PROTOCOL
    assert peak < 1.2 * read + 8 * MIB


# Clients

MAX_REQUEST = 200_000
BODY = json.dumps(question(user="é" * 20)).encode()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    with GatewayStage(tmp_path_factory.mktemp("home"), max_body=MAX_REQUEST) as stage:
        yield stage


def send(stage: GatewayStage, body: bytes, *encodings: str, **headers: str) -> httpx.Response:
    given = [
        ("content-type", "application/json"),
        *(("content-encoding", each) for each in encodings),
        *headers.items(),
    ]
    return httpx.post(f"{stage.url}/v1/chat/completions", content=body, headers=given, trust_env=False, verify=False)


@pytest.mark.parametrize(("header", "pack"), PACKERS.values(), ids=PACKERS)
def test_a_request_in_one_layer_is_understood(stage: GatewayStage, header: str, pack: Callable[[bytes], bytes]) -> None:
    answer = send(stage, pack(BODY), header)
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    seen = stage["alpha"].posts[-1]
    assert seen.json == {**json.loads(BODY), "model": "double/one"}
    assert "content-encoding" not in seen.headers


PADDED = b'{"model":"double/one","messages":[]' + b" " * (MAX_REQUEST - 36) + b"}"


@pytest.mark.parametrize(
    ("body", "encodings", "status", "code"),
    [
        (gzip.compress(gzip.compress(BODY)), ("gzip, gzip",), 415, "unsupported_encoding"),
        (BODY, ("br",), 415, "unsupported_encoding"),
        (gzip.compress(BODY), ("gzip", "gzip"), 400, "repeated_header"),
        (gzip.compress(BODY) + b"x", ("gzip",), 400, None),
        (gzip.compress(BODY) * 2, ("gzip",), 400, None),
        (zlib.compress(BODY) * 2, ("deflate",), 400, None),
        (gzip.compress(BODY)[:-1], ("gzip",), 400, None),
        (BODY, ("gzip",), 400, None),
        (b"x", ("deflate",), 400, None),
        (gzip.compress(PADDED), ("gzip",), 200, None),
        (gzip.compress(PADDED + b" "), ("gzip",), 413, "request_too_large"),
        (zeros(32 * MIB), ("gzip",), 413, "request_too_large"),
        (zeros(32 * MIB), ("deflate",), 400, None),
    ],
    ids=[
        "two layers",
        "brotli",
        "two headers",
        "a byte behind it",
        "a second member",
        "a second member of deflate",
        "cut off",
        "none at all",
        "one byte",
        "as large as may be",
        "a byte larger",
        "a bomb",
        "a bomb under a wrong name",
    ],
)
def test_a_request_is_decoded_as_far_as_it_may_be(
    stage: GatewayStage, body: bytes, encodings: tuple[str, ...], status: int, code: str | None
) -> None:
    seen = len(stage["alpha"].posts)
    tracemalloc.start()
    try:
        answer = send(stage, body, *encodings)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"]["code"] == code
    assert len(stage["alpha"].posts) - seen == (status == 200)
    assert peak < 4 * MAX_REQUEST + 2 * MIB


def test_a_request_is_not_decoded_before_its_token_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was decoded")

    with GatewayStage(tmp_path, token="a-token-of-sixteen") as stage:
        monkeypatch.setattr("freeride_core.gateway.http.request_body.Decompressor", never)
        for encodings in (("gzip",), ("br",), ("gzip, gzip",)):
            assert send(stage, gzip.compress(BODY), *encodings).status_code == 401
        monkeypatch.undo()
        assert send(stage, gzip.compress(BODY), "gzip", authorization="Bearer a-token-of-sixteen").status_code == 200


def test_an_encoded_request_in_single_bytes_is_the_same_request(stage: GatewayStage) -> None:
    packed_body = gzip.compress(BODY)
    head, _, _ = post_of(b"", content_encoding="gzip", connection="close").partition(b"Content-Length")
    chunks = b"".join(framed(packed_body[at : at + 1]) for at in range(len(packed_body)))
    rest = post_of(b"", content_encoding="gzip", connection="close").partition(b"Content-Length: 0\r\n")[2]
    with stage.raw(head + b"Transfer-Encoding: chunked\r\n" + rest + chunks + b"0\r\n\r\n") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_an_encoded_stream_ends_as_one_that_is_not(tmp_path: Path) -> None:
    said = [chunk({"content": "Hi"}), chunk({}, "stop"), DONE]
    script = packed(gzip.compress(b"".join(said)), "gzip", content_type="text/event-stream")
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(script)
        assert stage.ask(stream=True).content == b"".join(said)
