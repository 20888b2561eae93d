"""Ends of streams and answers that are none, at the client's socket: what the table says is what happens."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

import h11
import pytest

from fake_upstream import (
    CLOSE,
    DONE,
    SSE_HEAD,
    GatewayStage,
    Script,
    always,
    chunk,
    events_of,
    framed,
    key_of,
    post_of,
    provider,
    question,
)
from fault_cases.environment import TITLED, second, trials
from fault_cases.model import LARGE, WORDS, Fault, FaultTrial, Outcome
from freeride_core.ledger.slots import Slot
from freeride_core.settings.keys import fingerprint

SLOTS = {
    "model": Slot("alpha", "*", "double/one"),
    "account": Slot("alpha", f"account:{fingerprint(key_of('alpha'))}", "*"),
    "account's model": Slot("alpha", f"account:{fingerprint(key_of('alpha'))}", "double/one"),
    "key": Slot("alpha", f"key:{fingerprint(key_of('alpha'))}", "*"),
    "provider": Slot("alpha", "*", "*"),
}
STATUSES = {Outcome.REFUSED: 503, Outcome.IN_ITS_WORDS: 400}
CASES = [
    pytest.param(fault, is_beside, id=f"{title} ({'beside' if is_beside else 'alone'})")
    for title, fault in TITLED.items()
    for is_beside in (False, True)
]


@dataclass(frozen=True)
class Heard:
    """An answer as it came over a raw socket."""

    status: int
    headers: dict[str, str]
    body: bytes


def hear(connection: socket.socket) -> Heard:
    """The answer, read as strictly as h11 reads; the same connection then serves another request, so that not a byte stood
    between the answer's end and the next one."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "localhost"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    heard = _next_answer(client, connection)
    assert client.trailing_data == (b"", False)
    client.start_next_cycle()
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.send(h11.Request(method="GET", target="/health", headers=[("host", "localhost")]))
    client.send(h11.EndOfMessage())
    assert json.loads(_next_answer(client, connection).body)["ok"]
    return heard


def _next_answer(client: h11.Connection, connection: socket.socket) -> Heard:
    status, headers, parts = 0, {}, list[bytes]()
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(connection.recv(1 << 20))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return Heard(status, headers, b"".join(parts))


@pytest.mark.parametrize(("fault", "is_beside"), CASES)
def test_a_fault_has_the_outcome_that_the_table_says(tmp_path: Path, fault: Fault, is_beside: bool) -> None:
    outcome = fault.beside if is_beside else fault.alone
    request = post_of(json.dumps(question(stream=fault.is_stream)).encode())
    asked = [1, int(outcome is Outcome.SECOND)]
    for trial, stage in trials(fault, tmp_path, is_beside=is_beside):
        before = [len(stage[name].posts) for name in stage.names]
        with stage.raw(request) as connection:
            heard = hear(connection)
        check(outcome, fault, trial, heard)
        check_cooled(fault, stage)
        after = [len(stage[name].posts) for name in stage.names]
        assert [now - then for now, then in zip(after, before, strict=True)] == asked[: len(before)]
        assert {seen.path for seen in stage["alpha"].seen} == {"/v1/chat/completions"}


def check(outcome: Outcome, fault: Fault, trial: FaultTrial, heard: Heard) -> None:
    """Status, headers and every byte of the body."""
    is_second = outcome is Outcome.SECOND
    assert heard.headers["x-freeride-provider"] == ("beta" if is_second else "alpha")
    assert heard.headers["x-freeride-model"] == "double/one"
    assert heard.status == STATUSES.get(outcome, 200), heard.body
    is_json = outcome in STATUSES or not fault.is_stream
    assert heard.headers["content-type"] == ("application/json" if is_json else "text/event-stream; charset=utf-8")
    if outcome is Outcome.REFUSED:
        error = json.loads(heard.body)["error"]
        assert (error["type"], error["code"]) == ("all_upstreams_failed", fault.kind)
        assert error["request_id"] == heard.headers["x-freeride-request-id"]
        assert int(heard.headers["retry-after"]) >= 1
        assert b"secret words" not in heard.body
    elif outcome is Outcome.IN_ITS_WORDS:
        error = json.loads(heard.body)["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", fault.kind)
        assert error["message"] == json.loads(body_of(trial.script))["error"]["message"]
    elif outcome is Outcome.BROKEN_OFF:
        assert heard.body.startswith(trial.reaches)
        check_error_event(heard.body[len(trial.reaches) :], str(fault.kind), heard)
    else:
        expected = trial.reaches + DONE * (outcome is Outcome.COMPLETED)
        assert heard.body == (body_of(second(fault)) if is_second else expected)


def check_error_event(data: bytes, code: str, heard: Heard) -> None:
    """It is one, and all that there is."""
    [error] = [event["error"] for event in events_of(data)]
    assert data == b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
    assert error.pop("message")
    assert error == {
        "type": "server_error",
        "code": code,
        "param": None,
        "request_id": heard.headers["x-freeride-request-id"],
        "provider": "alpha",
        "model": "double/one",
    }


def body_of(script: Script) -> bytes:
    """What a whole answer or a stream of a script says."""
    head, *pieces = [step for step in script if isinstance(step, bytes)]
    if head == SSE_HEAD:
        return b"".join(piece.split(b"\r\n", 1)[1].removesuffix(b"\r\n") for piece in pieces[:-1])
    return head.split(b"\r\n\r\n", 1)[1]


def check_cooled(fault: Fault, stage: GatewayStage) -> None:
    cooled = stage.cooled()
    if fault.cooled is None:
        assert not cooled
        return
    [(slot, (kind, left_s))] = cooled.items()
    assert (slot, kind) == (SLOTS[fault.cooled.what], fault.kind)
    assert fault.cooled.wait_s - 10 <= left_s <= fault.cooled.wait_s


def test_a_cut_within_a_large_event_ends_the_half_that_has_gone_before_it_says_so(tmp_path: Path) -> None:
    event = chunk({"content": LARGE})
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always([SSE_HEAD, framed(WORDS[0]), framed(event[: 4 << 20]), CLOSE])
        with stage.raw(post_of(json.dumps(question(stream=True)).encode())) as connection:
            heard = hear(connection)
    half, error = heard.body.removeprefix(WORDS[0]).rsplit(b"\n\ndata: ", 1)
    assert len(half) > 1 << 20
    assert event.startswith(half)
    check_error_event(b"data: " + error, "network", heard)


def test_an_answer_whose_only_words_follow_a_byte_order_mark_is_passed_on(tmp_path: Path) -> None:
    only = b'\xef\xbb\xbfdata: {"choices":[{"index":0,"delta":{"content":"only"},"finish_reason":"stop"}]}\n\n'
    request = post_of(json.dumps(question(stream=True)).encode())
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        for cut in range(1, len(only)):
            stage["alpha"].answer = always(
                [SSE_HEAD, framed(only[:cut]), 0.001, framed(only[cut:] + DONE), b"0\r\n\r\n"]
            )
            with stage.raw(request) as connection:
                assert hear(connection).body == only + DONE
