"""Connections to upstreams."""

from __future__ import annotations

from pathlib import Path

import httpx

from doubles import RESET, Bench, Script, Seen, Upstream, good, plugins, provider
from freeride_core.gateway.server import GatewayThread

BODY = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def test_a_kept_connection_that_the_upstream_closed_costs_no_attempt(tmp_path: Path) -> None:
    def answer(seen: Seen) -> Script:
        return [RESET] if len(upstream.posts) == 2 else good(seen)

    with Upstream(answer) as upstream:
        bench = Bench(tmp_path)
        bench.add("alpha", upstream)
        with GatewayThread(bench.settings(), plugins(provider("alpha"))) as gateway:
            first, second = (httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY) for _ in range(2))
            assert (first.status_code, second.status_code) == (200, 200)
            assert second.headers["x-freeride-attempts"] == "1"
            assert not gateway.gateway.ledger.cooldowns
        assert (len(upstream.posts), upstream.connections) == (3, 2)


def test_a_fresh_connection_that_breaks_is_a_failure(tmp_path: Path) -> None:
    with Upstream(lambda _: [RESET]) as broken, Upstream() as healthy:
        bench = Bench(tmp_path)
        bench.add("alpha", broken)
        bench.add("beta", healthy)
        with GatewayThread(bench.settings(), plugins(provider("alpha", rank=1), provider("beta"))) as gateway:
            answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY)
            assert answer.headers["x-freeride-provider"] == "beta"
            assert answer.headers["x-freeride-attempts"] == "2"
        assert len(broken.posts) == 1
