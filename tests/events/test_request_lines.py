"""`freeride serve --verbose`: one line for each request, with nothing of its prompt."""

from __future__ import annotations

import re
from typing import Any

import pytest

from freeride_core.events.request_lines import RequestLines

START = {
    "type": "request_start",
    "ts": 100.0,
    "request_id": "req_1",
    "model": "auto",
    "stream": True,
    "operation": "chat",
}
SERVED = {"type": "request_complete", "provider": "alpha", "model": "a/one", "attempts": 1, "duration_ms": 700}


def lines_of(*events: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    observe = RequestLines(lines.append)
    for event in events:
        observe({"ts": 100.7, "request_id": "req_1", **event})
    return [re.sub(r"^\[\d\d:\d\d:\d\d\] ", "", line) for line in lines]


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (SERVED, "req_1  auto -> alpha a/one, 0.7 s"),
        ({**SERVED, "attempts": 3}, "req_1  auto -> alpha a/one, 3 attempts, 0.7 s"),
        (
            {**SERVED, "usage": {"input": 1200, "output": 34}},
            "req_1  auto -> alpha a/one, 1,200 tokens in, 34 out, 0.7 s",
        ),
        (
            {"type": "request_failed", "code": "all_upstreams_failed", "tried": ["alpha", "beta"]},
            "req_1  auto -> failed: all_upstreams_failed (tried alpha, beta), 0.7 s",
        ),
        ({"type": "request_failed", "code": "client_gone"}, "req_1  auto -> failed: client_gone, 0.7 s"),
        (
            {"type": "request_mid_stream_error", "provider": "alpha", "model": "m", "kind": "network"},
            "req_1  auto -> broke off at alpha: network, 0.7 s",
        ),
    ],
)
def test_each_end_of_a_request_is_a_line(end: dict[str, Any], line: str) -> None:
    attempt = {"type": "provider_attempt", "provider": "alpha", "key_index": 0, "model": "m", "operation": "chat"}
    assert lines_of(START, attempt, end) == [line]


def test_a_wait_is_told_when_it_begins() -> None:
    wait = {"type": "request_wait", "provider": "alpha", "wait_s": 2.2}
    assert lines_of(START, wait, SERVED) == [
        "req_1  auto waits 2.2 s for alpha",
        "req_1  auto -> alpha a/one, 0.7 s",
    ]
    assert lines_of(wait) == ["req_1  auto waits 2.2 s for alpha"], "its start may have been before ours"


def test_a_name_that_a_client_chose_is_short_and_steers_no_terminal() -> None:
    [line] = lines_of({**START, "model": "\x1b[2J" + "x" * 500}, SERVED)
    assert "\x1b" not in line
    assert len(line) < 150


def test_requests_that_never_end_are_forgotten() -> None:
    observe = RequestLines(lambda _: None)
    for number in range(5000):
        observe({**START, "request_id": str(number)})
    assert len(observe._open) <= 1000
