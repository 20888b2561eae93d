"""Connections to upstreams."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from fake_upstream import RESET, FakeUpstream, GatewayBench, ReceivedRequest, Script, good, plugins, provider, reply
from freeride_core.gateway.server import GatewayThread

BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def test_a_kept_connection_that_the_upstream_closed_costs_no_attempt(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return [RESET] if len(upstream.posts) == 2 else good(seen)

    with FakeUpstream(answer) as upstream:
        bench = GatewayBench(tmp_path)
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha"))) as gateway:
            first, second = (
                httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, verify=False) for _ in range(2)
            )
            assert (first.status_code, second.status_code) == (200, 200)
            assert second.headers["x-freeride-attempts"] == "1"
            assert not gateway.gateway.ledger.cooldowns
        assert (len(upstream.posts), upstream.connections) == (3, 2)


def test_a_fresh_connection_that_breaks_is_a_failure(tmp_path: Path) -> None:
    with FakeUpstream(lambda _: [RESET]) as broken, FakeUpstream() as healthy:
        bench = GatewayBench(tmp_path)
        bench.add("alpha", broken)
        bench.add("beta", healthy)
        with GatewayThread(bench.settings(), plugins(provider("alpha", rank=1), provider("beta"))) as gateway:
            answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, verify=False)
            assert answer.headers["x-freeride-provider"] == "beta"
            assert answer.headers["x-freeride-attempts"] == "2"
        assert len(broken.posts) == 1


def test_however_many_kept_connections_are_stale_the_upstream_is_not_down(tmp_path: Path) -> None:
    """After a laptop wakes all of them are."""
    is_asleep = [False]

    def answer(seen: ReceivedRequest) -> Script:
        if is_asleep[0] and len(upstream.posts) <= 5:
            return [RESET]
        return [0.2, *good(seen)]

    with FakeUpstream(answer) as upstream:
        bench = GatewayBench(tmp_path)
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha"))) as gateway:
            url = f"{gateway.url}/v1/chat/completions"
            with ThreadPoolExecutor(4) as pool:
                assert {
                    each.status_code for each in pool.map(lambda _: httpx.post(url, json=BODY, verify=False), range(4))
                } == {200}
            assert upstream.connections == 4
            is_asleep[0] = True
            assert httpx.post(url, json=BODY, verify=False).headers["x-freeride-attempts"] == "1"


def test_half_an_answer_is_not_asked_for_again(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return [b"HTTP/1.1 200 O", RESET] if len(upstream.posts) == 2 else good(seen)

    with FakeUpstream(answer) as upstream:
        bench = GatewayBench(tmp_path)
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha"))) as gateway:
            url = f"{gateway.url}/v1/chat/completions"
            assert [httpx.post(url, json=BODY, verify=False).status_code for _ in range(2)] == [200, 503]
        assert len(upstream.posts) == 2


def test_an_address_that_is_none_fails_over(tmp_path: Path) -> None:
    with FakeUpstream() as healthy:
        bench = GatewayBench(tmp_path)
        bench.add("alpha", f"http://{'x' * 70}.invalid/v1")
        bench.add("beta", healthy)
        with GatewayThread(bench.settings(), plugins(provider("alpha", rank=1), provider("beta"))) as gateway:
            answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, verify=False)
            assert answer.headers["x-freeride-provider"] == "beta"


@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "Application/JSON"])
def test_an_error_instead_of_a_stream_is_read(tmp_path: Path, kind: str) -> None:
    refusal = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    with FakeUpstream(lambda _: reply(200, refusal, content_type=kind)) as limited, FakeUpstream() as healthy:
        bench = GatewayBench(tmp_path)
        bench.add("alpha", limited)
        bench.add("beta", healthy)
        with GatewayThread(bench.settings(), plugins(provider("alpha", rank=1), provider("beta"))) as gateway:
            answer = httpx.post(f"{gateway.url}/v1/chat/completions", json={**BODY, "stream": True}, verify=False)
            assert answer.headers["x-freeride-provider"] == "beta"
            cooled = gateway.gateway.ledger.cooldowns.items()
            assert [each.kind for _, each in cooled] == ["rate_limit"]
