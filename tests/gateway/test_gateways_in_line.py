"""A gateway behind a gateway: no loops, one word of each header, and the truth about who answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import (
    DONE,
    RESET,
    FakeUpstream,
    GatewayBench,
    ReceivedRequest,
    Script,
    always,
    chunk,
    plugins,
    provider,
    question,
    refusal,
    reply,
    stream,
)
from freeride_core.gateway.server import GatewayThread

CLIENT = httpx.Client(trust_env=False, verify=False, timeout=20)


@contextmanager
def in_line(home: Path, upstream: FakeUpstream, count: int = 2) -> Iterator[list[GatewayThread]]:
    """Gateways, each asked by the one after it; the first asks the upstream."""
    with ExitStack() as stack:
        line: list[GatewayThread] = []
        for number in range(count):
            name = ("alpha", "beta", "gamma")[number]
            bench = GatewayBench(home / name)
            bench.add(name, f"{line[-1].url}/v1" if line else upstream)
            line.append(stack.enter_context(GatewayThread(bench.settings(), plugins(provider(name)))))
        yield line


def ask(gateway: GatewayThread, **fields: Any) -> httpx.Response:
    return CLIENT.post(f"{gateway.url}/v1/chat/completions", json=question(**fields))


def test_a_request_passes_three_gateways_and_says_who_answered(tmp_path: Path) -> None:
    with FakeUpstream() as upstream, in_line(tmp_path, upstream, 3) as line:
        answer = ask(line[2])
        assert answer.status_code == 200
        assert answer.content.count(b"_freeride_provider") == 1
        assert answer.json()["_freeride_provider"] == answer.headers["x-freeride-provider"] == "gamma"
        for name in (
            "x-request-id",
            "x-freeride-request-id",
            "x-freeride-provider",
            "x-freeride-attempts",
            "vary",
            "content-type",
        ):
            assert len(answer.headers.get_list(name)) == 1, name
        [seen] = upstream.posts
        assert [each.pseudonym for each in (gateway.gateway.upstreams for gateway in reversed(line))] == [
            hop.split()[1] for hop in seen.headers["via"].split(", ")
        ]


@pytest.mark.parametrize(
    "stamp",
    [
        b'{"x":1,"_freeride_provider":"inner"}',
        b'{"x":1,"_freeride_provider":"inner"}\n ',
        b'{"_freeride_provider":"a b","x":1}',
    ],
)
def test_another_gateways_word_is_replaced_and_nothing_else(tmp_path: Path, stamp: bytes) -> None:
    whole = json.dumps(
        {"choices": [{"message": {"content": '"_freeride_provider":"inner"}'}, "finish_reason": "stop"}]}
    ).encode()
    body = whole[:-1] + b"," + stamp[1:]
    with FakeUpstream(always(reply(200, body))) as upstream, in_line(tmp_path, upstream, 1) as line:
        said = ask(line[0]).content
        if b"a b" in stamp:
            assert said == body[:-1] + b',"_freeride_provider":"alpha"}'
        else:
            assert said == body.replace(b',"_freeride_provider":"inner"', b',"_freeride_provider":"alpha"')


def test_a_stream_passes_and_ends_once(tmp_path: Path) -> None:
    with FakeUpstream() as upstream, in_line(tmp_path, upstream) as line:
        assert ask(line[1], stream=True).content == ask(line[0], stream=True).content
        assert ask(line[1], stream=True).content.count(DONE) == 1


def test_a_broken_stream_is_one_error_event_after_any_number_of_gateways(tmp_path: Path) -> None:
    broken = [*stream(chunk({"content": "Hel"}), ends=False), RESET]
    with FakeUpstream(always(broken)) as upstream, in_line(tmp_path, upstream, 3) as line:
        answer = ask(line[2], stream=True).content
        assert answer.count(b'"error"') == 1
        assert b"Network error: alpha broke off" in answer
        assert not answer.endswith(DONE)


def test_when_none_answers_the_time_to_wait_is_passed_on(tmp_path: Path) -> None:
    with (
        FakeUpstream(always(refusal(429, headers={"retry-after": "40"}))) as upstream,
        in_line(tmp_path, upstream) as line,
    ):
        answer = ask(line[1])
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "all_upstreams_failed")
        assert 35 <= int(answer.headers["retry-after"]) <= 41


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_ring_of_gateways_is_noticed_at_once(tmp_path: Path, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    with FakeUpstream() as entry, ExitStack() as stack:
        urls: dict[str, str] = {}

        def forward(seen: ReceivedRequest) -> Script:
            """Closes the ring: what the first gateway sends goes to the last one."""
            back = CLIENT.post(
                f"{urls['first']}/v1/chat/completions",
                content=seen.body,
                headers={"content-type": "application/json", "via": seen.headers.get("via", "")},
            )
            return reply(back.status_code, back.content)

        entry.answer = forward
        line = stack.enter_context(in_line(tmp_path, entry, count))
        urls["first"] = line[-1].url
        answer = ask(line[-1])
        assert answer.status_code == 503
        assert len(entry.posts) == 1
    assert "leads to this gateway" in capfd.readouterr().err


def test_a_loop_says_what_to_correct(tmp_path: Path) -> None:
    with FakeUpstream() as upstream, in_line(tmp_path, upstream, 1) as line:
        via = f"1.0 proxy.example, 1.1 {line[0].gateway.upstreams.pseudonym}"
        answer = CLIENT.post(f"{line[0].url}/v1/chat/completions", json=question(), headers={"via": via})
        assert answer.status_code == 508
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json()["error"]["code"] == "loop_detected"
        assert "_BASE_URL" in answer.json()["error"]["message"]
        assert not upstream.posts


@pytest.mark.parametrize("via", ["1.1 proxy.example", "1.1 freeride-00000000", "\u00e4" * 3, "x" * 5000, ""])
def test_the_hops_of_others_are_no_loop_and_are_passed_on_if_they_are_sound(tmp_path: Path, via: str) -> None:
    with FakeUpstream() as upstream, in_line(tmp_path, upstream, 1) as line:
        answer = CLIENT.post(
            f"{line[0].url}/v1/chat/completions",
            content=json.dumps(question()),
            headers=[(b"content-type", b"application/json"), (b"via", via.encode("latin-1"))],
        )
        assert answer.status_code == 200
        own = f"1.1 {line[0].gateway.upstreams.pseudonym}"
        assert upstream.posts[0].headers["via"] == (f"{via}, {own}" if via.startswith("1.1") else own)
