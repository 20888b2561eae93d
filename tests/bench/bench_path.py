"""What the byte path's steps cost one by one: `uv run pytest tests/bench/bench_path.py`.

Not run with the tests: a figure is no verdict, and a machine with other work to do gives other figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import FakeUpstream, GatewayBench, chunk, completion, plugins, provider, refusal
from freeride_core.answer import Answer, Phase
from freeride_core.call import Call, Operation
from freeride_core.gateway.http.stream_scanner import StreamScanner
from freeride_core.gateway.protocols.messages.encoder import MessageEncoder
from freeride_core.gateway.protocols.messages.request import parse_messages
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.server import GatewayThread
from freeride_core.gateway.walk.opening import Opening
from freeride_core.gateway.walk.routing import RoutingPlan
from freeride_core.gateway.walk.selection import Selection

TURN = 'the quick brown fox says "jump"\n to every café ' * 6


def request(size: int) -> bytes:
    """Like an agent's: many turns, and tools where there is room for them."""
    body: dict[str, Any] = {"model": "double/one", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.7}
    if size > 4096:
        schema = {"type": "object", "properties": {"path": {"type": "string"}}}
        body["tools"] = [{"type": "function", "function": {"name": f"t{n}", "parameters": schema}} for n in range(20)]
    while len(json.dumps(body)) < size:
        body["messages"].append({"role": "assistant", "content": TURN[:size]})
    return json.dumps(body).encode()


SMALL, LARGE, HUGE = request(1024), request(200_000), request(1_000_000)
BODIES = pytest.mark.parametrize("body", [SMALL, LARGE, HUGE], ids=["1 KB", "200 KB", "1 MB"])
EVENT = chunk({"content": "word " * 20})


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with FakeUpstream() as upstream:
        bench = GatewayBench(tmp_path)
        for name in ("alpha", "beta", "gamma"):
            bench.add(name, upstream)
        with GatewayThread(bench.settings(), plugins(*map(provider, ("alpha", "beta", "gamma")))) as thread:
            yield thread.gateway


def planned(gateway: Gateway, call: Call) -> RoutingPlan:
    wanted = gateway.router.wanted(call.model, gateway.enabled)
    return gateway.router.plan(call, wanted, gateway.enabled, None, gateway.ledger.traffic.first_event_s)


@BODIES
def test_parse(benchmark: Any, body: bytes) -> None:
    assert benchmark(parse_call, Operation.CHAT, body).model == "double/one"


@BODIES
def test_splice(benchmark: Any, body: bytes) -> None:
    def parse_and_splice() -> bytes:
        return parse_call(Operation.CHAT, body).body_with({"model": b'"other"'})

    assert b'"other"' in benchmark(parse_and_splice)


@pytest.mark.parametrize("events", [1, 4, 64])
def test_scan(benchmark: Any, events: int) -> None:
    relay = StreamScanner(lambda _: None)
    data = EVENT * events
    assert benchmark(relay.feed, data) == data


@pytest.mark.benchmark(group="a chunk")
@pytest.mark.parametrize("is_messages", [False, True], ids=["chat completions", "messages"])
def test_pass_on_a_chunk(benchmark: Any, is_messages: bool) -> None:
    """What the scanner lets through is the client's, or goes on to the encoder of its protocol."""
    relay = StreamScanner(lambda _: None)
    body = b'{"model":"auto","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
    encoder = MessageEncoder(parse_messages(body, 0.0), "req_1")
    encoder.begin("double/one")
    encoder.feed(EVENT)
    passed = benchmark((lambda: encoder.feed(relay.feed(EVENT))) if is_messages else (lambda: relay.feed(EVENT)))
    assert b"word word" in passed


def test_scan_of_an_event_in_two_halves(benchmark: Any) -> None:
    relay = StreamScanner(lambda _: None)

    def halves() -> bytes:
        return relay.feed(EVENT[:50]) + relay.feed(EVENT[50:])

    assert benchmark(halves) == EVENT


def test_open_a_burst(benchmark: Any) -> None:
    """A stream whose first read holds hundreds of events: only the first is looked at."""

    class ReadingAttempt:
        def read(self, body: bytes, phase: Phase, event: str = "") -> tuple[Answer, Any]:
            answer = Answer(200, {}, body, 0.0, phase)
            return answer, provider("alpha").wires[Operation.CHAT].read(answer)

    data = EVENT * 300
    assert benchmark(lambda: Opening(ReadingAttempt()).feed(data)) is not None  # type: ignore[arg-type] # an attempt without its upstream


@pytest.mark.parametrize("is_settled", [True, False], ids=["settled", "planned"])
def test_route(benchmark: Any, gateway: Gateway, is_settled: bool) -> None:
    call = parse_call(Operation.CHAT, SMALL)
    planned(gateway, call)
    route = (
        benchmark(gateway.router.settled, call, gateway.enabled) if is_settled else benchmark(planned, gateway, call)
    )
    assert len(route.choices) == 3


def test_select(benchmark: Any, gateway: Gateway) -> None:
    call = parse_call(Operation.CHAT, SMALL)
    route = planned(gateway, call)
    assert benchmark(lambda: Selection(call, route, gateway.ledger).usual()) is not None


@pytest.mark.parametrize("kind", ["good", "limited", "strange"])
def test_classify(benchmark: Any, kind: str) -> None:
    wire = provider("alpha").wires[Operation.CHAT]
    bodies = {
        "good": json.dumps(completion()).encode(),
        "limited": refusal(429, "slow down", code="rate_limit_exceeded")[-1],
        "strange": b"<html>" + b"x" * 4000,
    }
    body = bodies[kind]
    assert isinstance(body, bytes)
    status, phase = (200, Phase.BODY) if kind == "good" else (429, Phase.STATUS)
    body = body.rpartition(b"\r\n\r\n")[2]
    reading = benchmark(lambda: wire.read(Answer(status, {"retry-after": "7"}, body, 1.0, phase)))
    assert (reading.failure is None) == (kind == "good")
