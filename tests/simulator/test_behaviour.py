"""The built-in misbehaviour does on the wire what its name says."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.simulator import BEHAVIOURS, Simulator, SimulatorThread, read_profile
from freeride_core.simulator.dialect import words_of
from repository import PROFILES

ACME = read_profile(PROFILES / "acme.toml")
HELLO = "Hello! This is acme/large, as simulated for acme."
ENDLESS = {"hang", "silence", "idle-mid-stream", "comments-only"}
POLYGLOT = "Grüße, żółw! 你好 🐢🚗"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(ACME, quotas=False, pace=0, slow_s=0)
    with SimulatorThread(simulator):
        yield simulator


def bytes_of(simulator: Simulator, name: str, *, stream: bool = True, wait_s: float = 5) -> bytes:
    """All that comes until the simulator has finished, or nothing comes for `wait_s`. ConnectionResetError: a reset."""
    simulator.script(name)
    body = json.dumps(
        {"model": "acme/large", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    ).encode()
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=wait_s) as client:
        client.sendall(
            b"POST /accounts/0123abcd/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        data = b""
        try:
            while more := client.recv(65536):
                data += more
        except TimeoutError:
            assert name in ENDLESS
        return data


def chat(simulator: Simulator, name: str, *, stream: bool = True) -> httpx.Response:
    simulator.script(name)
    return httpx.post(
        f"{simulator.base_url}/chat/completions",
        json={"model": "acme/large", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]},
        headers={"authorization": "Bearer k"},
        trust_env=False,
        verify=False,
        timeout=5,
    )


def events_of(answer: httpx.Response) -> list[Any]:
    """A patient reading of a stream: any line ends, data over many lines."""
    text = answer.text.replace("\r\n", "\n")
    result = []
    for block in text.split("\n\n"):
        lines = [line.removeprefix("data:").removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        data = "\n".join(lines)
        if data and data != "[DONE]":
            try:
                result.append(json.loads(data))
            except ValueError:
                result.append(data)
    return result


def content_of(answer: httpx.Response) -> str:
    choices = [event["choices"][0] for event in events_of(answer) if isinstance(event, dict) and event.get("choices")]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def finishes_of(answer: httpx.Response) -> list[str]:
    choices = [event["choices"][0] for event in events_of(answer) if isinstance(event, dict) and event.get("choices")]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", sorted(set(BEHAVIOURS) - ENDLESS))
def test_all_that_ends_ends_in_good_time(simulator: Simulator, name: str, stream: bool) -> None:
    try:
        data = bytes_of(simulator, name, stream=stream)
    except ConnectionResetError:
        assert name in {"reset", "reset-mid-stream"}
    else:
        assert data.startswith(b"HTTP/1.1 200 OK\r\n") != (name == "close")
    assert simulator.requests[-1].answered == name


@pytest.mark.parametrize("stream", [True, False])
def test_a_reset_is_a_reset_and_not_an_end(simulator: Simulator, stream: bool) -> None:
    with pytest.raises(ConnectionResetError):
        bytes_of(simulator, "reset", stream=stream)


def test_a_reset_midway_comes_after_content_and_within_an_event(simulator: Simulator) -> None:
    received: list[bytes] = []
    with pytest.raises(httpx.ReadError):
        read_into(received, simulator, "reset-mid-stream")

    assert b"Hello!" in b"".join(received)
    assert not received[-1].endswith(b"\n\n")


def read_into(received: list[bytes], simulator: Simulator, name: str) -> None:
    simulator.script(name)
    with httpx.stream(
        "POST",
        f"{simulator.base_url}/chat/completions",
        json={"model": "acme/large", "stream": True, "messages": [{"role": "user", "content": "Hi"}]},
        headers={"authorization": "Bearer k"},
        trust_env=False,
        verify=False,
    ) as answer:
        received.extend(answer.iter_raw())


def test_close_sends_no_byte(simulator: Simulator) -> None:
    assert bytes_of(simulator, "close") == b""
    assert simulator.requests[-1].status == 0


def test_hang_sends_no_byte(simulator: Simulator) -> None:
    assert bytes_of(simulator, "hang", wait_s=0.1) == b""


def test_silence_sends_a_streams_head_and_no_more(simulator: Simulator) -> None:
    data = bytes_of(simulator, "silence", wait_s=0.1)

    assert b"content-type: text/event-stream" in data
    assert data.endswith(b"\r\n\r\n")


def test_idle_midway_sends_content_and_no_more(simulator: Simulator) -> None:
    data = bytes_of(simulator, "idle-mid-stream", wait_s=0.1)

    assert b"Hello!" in data
    assert b"[DONE]" not in data
    assert not data.endswith(b"0\r\n\r\n")


def test_comments_only_sends_one_comment_after_the_other(simulator: Simulator) -> None:
    simulator.script("comments-only")
    body = b'{"model":"acme/large","stream":true,"messages":[]}'
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=5) as client:
        client.sendall(
            b"POST /accounts/0123abcd/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        data = b""
        while data.count(b": ACME PROCESSING\n\n") < 5:
            data += client.recv(65536)

    assert b"data:" not in data


def test_cut_midway_breaks_the_bodys_framing(simulator: Simulator) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        chat(simulator, "cut-mid-stream")
    with pytest.raises(httpx.RemoteProtocolError):
        chat(simulator, "cut-mid-stream", stream=False)


def test_an_early_end_keeps_the_framing_and_has_no_finish(simulator: Simulator) -> None:
    answer = chat(simulator, "eof-mid-stream")

    assert HELLO.startswith(content_of(answer))
    assert content_of(answer)
    assert not finishes_of(answer)
    assert "[DONE]" not in answer.text


def test_html_is_html(simulator: Simulator) -> None:
    answer = chat(simulator, "html-200")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_truncated_json_is_whole_for_http_only(simulator: Simulator) -> None:
    answer = chat(simulator, "truncated-json", stream=False)

    assert answer.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    [half] = events_of(chat(simulator, "truncated-json"))
    assert isinstance(half, str)


def test_an_empty_answer_says_nothing_and_counts_nothing(simulator: Simulator) -> None:
    streamed, whole = chat(simulator, "empty"), chat(simulator, "empty", stream=False)

    assert (content_of(streamed), finishes_of(streamed)) == ("", ["stop"])
    assert whole.json()["choices"][0]["message"]["content"] == ""
    assert whole.json()["usage"]["completion_tokens"] == 0
    assert "usage" not in streamed.text


def test_errors_within_a_200(simulator: Simulator) -> None:
    assert chat(simulator, "error-in-200", stream=False).json()["error"]["code"] == 503
    first = chat(simulator, "error-first-event")
    assert first.text.startswith('event: error\ndata: {"error":{"message":"went away"')
    midway = chat(simulator, "error-mid-stream")
    assert content_of(midway).startswith("Hello!")
    assert "event: error\n" in midway.text
    assert "[DONE]" not in midway.text


def test_utf8_is_split_within_every_wide_character(simulator: Simulator) -> None:
    data = bytes_of(simulator, "split-utf8")

    assert content_of(chat(simulator, "split-utf8")) == POLYGLOT
    assert chat(simulator, "split-utf8", stream=False).json()["choices"][0]["message"]["content"] == POLYGLOT
    assert "🐢".encode() not in data
    assert "ü".encode() not in data


@pytest.mark.parametrize(
    "name",
    ["split-everywhere", "all-at-once", "many-lines", "crlf", "gzip", "no-done", "slow-first-byte", "non-json-line"],
)
def test_what_is_only_odd_still_says_everything(simulator: Simulator, name: str) -> None:
    streamed = chat(simulator, name)

    assert content_of(streamed) == HELLO
    assert finishes_of(streamed) == ["stop"]
    assert ("[DONE]" in streamed.text) == (name != "no-done")
    assert chat(simulator, name, stream=False).json()["choices"][0]["message"]["content"] == HELLO


def test_odd_forms_are_odd(simulator: Simulator) -> None:
    assert chat(simulator, "gzip").headers["content-encoding"] == "gzip"
    assert chat(simulator, "gzip", stream=False).headers["content-encoding"] == "gzip"
    assert "\n" not in chat(simulator, "crlf").text.replace("\r\n", "")
    assert "data: not JSON at all\n\n" in chat(simulator, "non-json-line").text
    assert 'data:{\ndata:"id"' in chat(simulator, "many-lines").text
    assert b"\r\n1\r\n" in bytes_of(simulator, "split-everywhere")
    assert bytes_of(simulator, "all-at-once").count(b"\r\n\r\n") == 2


def test_line_separators_arrive_raw(simulator: Simulator) -> None:
    answer = chat(simulator, "line-separators", stream=False)

    assert answer.json()["choices"][0]["message"]["content"] == "one\u2028two\u0085three\u2029four"
    assert "\u2028" in answer.content.decode()


def test_the_wrong_kind_of_answer(simulator: Simulator) -> None:
    whole = chat(simulator, "json-for-stream")
    assert whole.json()["choices"][0]["message"]["content"] == HELLO
    streamed = chat(simulator, "sse-for-json", stream=False)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert content_of(streamed) == HELLO


def test_slow_first_byte_is_as_slow_as_it_is_told() -> None:
    simulator = Simulator(ACME, slow_s=0.15)

    async def ask() -> float:
        await simulator.start()
        simulator.script("slow-first-byte")
        began = time.monotonic()
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            await client.post(
                f"{simulator.base_url}/chat/completions",
                json={"messages": [{"role": "user", "content": "Hi"}]},
                headers={"authorization": "Bearer k"},
            )
        await simulator.stop()
        return time.monotonic() - began

    assert 0.15 <= asyncio.run(ask()) < 3


@given(st.text())
def test_the_words_of_a_text_are_the_text(text: str) -> None:
    words = words_of(text)

    assert "".join(words) == text
    assert all(word for word in words)
