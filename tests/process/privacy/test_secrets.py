"""No key, no prompt and no answer ever shows where people and programs look: not in errors, events, state or output."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conversation import ANSWER, ARGUMENT, MESSAGES, PROMPT, TOKEN, echo, leaks
from fake_upstream import (
    RESET,
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    ReceivedRequest,
    Script,
    chunk,
    key_of,
    question,
    refusal,
    reply,
    stream,
)


def indiscreet(seen: ReceivedRequest) -> Script:
    """An upstream that quotes key and prompt in every kind of trouble; the odd field `case` says which."""
    if seen.method == "GET":
        return refusal(401, echo(seen))
    words, case = echo(seen), seen.json.get("case")
    page = f"<html>{words}</html>".encode()
    begun = chunk({"content": ANSWER})
    scripts: dict[str, Script] = {
        "auth": refusal(401, words, code=seen.key),
        "limit": refusal(429, words, {"x-request-id": "up-1"}),
        "quota": refusal(402, words),
        "server": refusal(500, words),
        "page": reply(502, page, content_type="text/html"),
        "plain": reply(403, words.encode(), content_type="text/plain"),
        "gone": refusal(404, words),
        "unsupported": refusal(400, f"{words}, and tools are not supported", param=seen.key),
        "fault": refusal(400, f"{words}: temperature must be <= 2", param=PROMPT),
        "filter": refusal(403, f"{words}: your input was flagged", code=seen.key),
        "large": refusal(413, words),
        "length": refusal(400, f"{words}: maximum context length is 9", code="context_length_exceeded"),
        "page_200": reply(200, page, content_type="text/html"),
        "truncated": reply(200, json.dumps({"choices": [{"message": {"content": ANSWER + words}}]})[:-4].encode()),
        "error_200": reply(200, {"error": {"message": words, "code": 429}}),
        "no_list": reply(200, {"choices": words}),
        "first": stream(b"data: " + json.dumps({"error": {"message": words, "code": 503}}).encode() + b"\n\n"),
        "junk": stream(b"data: " + words.encode() + b"\n\n"),
        "midway": stream(begun, b"data: " + json.dumps({"error": {"message": words, "code": 429}}).encode() + b"\n\n"),
        "named": stream(begun, b"event: error\ndata: " + words.encode() + b"\n\n"),
        "cut": [*stream(begun, ends=False), RESET],
        "header": [f"HTTP/1.1 200 OK\r\n{words}\r\n\r\n".encode()],
        "status": [f"{words}\r\n\r\n".encode()],
    }
    return scripts[case]


CASES = (
    "auth",
    "limit",
    "quota",
    "server",
    "page",
    "plain",
    "gone",
    "unsupported",
    "fault",
    "filter",
    "large",
    "length",
    "page_200",
    "truncated",
    "error_200",
    "no_list",
    "first",
    "junk",
    "midway",
    "named",
    "cut",
    "header",
    "status",
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, httpx.Response], str]]:
    """All answers of a gateway whose upstreams are indiscreet, and all that it wrote, logging everything."""
    bench = GatewayBench(tmp_path_factory.mktemp("secrets") / "home", {"FREERIDE_TOKEN": TOKEN})
    names = [f"{case}_{form}" for case in CASES for form in ("whole", "stream")]  # none is cooled by another
    answers: dict[str, httpx.Response] = {}
    with FakeUpstream(indiscreet) as upstream:
        for name in names:
            bench.add(name, upstream, key_of("alpha"), key_of("alpha", 1))
        with GatewayProcess(bench, names=names) as process, httpx.Client(trust_env=False, timeout=20) as client:
            url = f"{process.url}/v1/chat/completions?key={TOKEN}"
            for name in names:
                case, _, form = name.rpartition("_")
                body = {**question(stream=form == "stream", case=case), "messages": MESSAGES, "tools": [{"x": 1}]}
                answers[name] = client.post(url, json=body, headers={"x-freeride-force-provider": name})
            for number, malformed in enumerate(
                (b"{" + PROMPT.encode(), json.dumps([PROMPT, key_of("alpha")]).encode())
            ):
                headers = {"content-type": "application/json"}
                answers[f"malformed {number}"] = client.post(url, content=malformed, headers=headers)
            answers["model"] = client.post(url, json=question(key_of("alpha")))
            answers["path"] = client.get(f"{process.url}/{key_of('alpha')}?key={TOKEN}")
            process.send(signal.SIGTERM)
            assert process.wait() == 0
            assert "Traceback" not in process.stderr
            files = [path.read_bytes().decode("utf-8", "replace") for path in bench.home.iterdir() if path.is_file()]
            yield answers, "".join((process.stdout, process.stderr, *files))


def test_nothing_that_is_written_holds_a_key_or_a_word_of_the_conversation(written: Any) -> None:
    _, text = written
    keys = [key_of("alpha"), key_of("alpha", 1), TOKEN]
    assert len(text) > 1000
    assert not leaks(text, [*keys, PROMPT, ARGUMENT, ANSWER])


def test_no_error_holds_a_key_or_a_word_of_the_conversation(written: Any) -> None:
    answers, _ = written
    keys = [key_of("alpha"), key_of("alpha", 1), TOKEN]
    assert len(answers) == 2 * len(CASES) + 4
    for case, answer in answers.items():
        said = [ANSWER] if not case.startswith(("midway", "named", "cut")) else []  # which had begun to answer
        shown = str(answer.headers) + answer.text.replace("\\u00d6", "Ö").replace("\\u00f6", "ö")
        assert not leaks(shown, [*keys, PROMPT, ARGUMENT, *said]), case
        assert answer.status_code >= 400 or '"error"' in answer.text, case


def test_what_is_left_of_an_upstreams_words_still_helps(written: Any) -> None:
    answers, _ = written
    assert "temperature must be <= 2" in answers["fault_whole"].json()["error"]["message"]
    assert "maximum context length is 9" in answers["length_stream"].json()["error"]["message"]


def test_the_state_is_for_its_owner_alone(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path / "home")
    with FakeUpstream() as alpha:
        bench.add("alpha", alpha, key_of("alpha"))
        bench.add("beta", alpha, key_of("beta"))
        with GatewayProcess(bench) as process:
            assert process.ask().status_code == 200
            process.send(signal.SIGTERM)
            assert process.wait() == 0
    assert bench.home.stat().st_mode & 0o777 == 0o700
    files = list(bench.home.iterdir())
    assert {path.name for path in files} >= {"state.db", "events.jsonl"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    with sqlite3.connect(bench.home / "state.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()
