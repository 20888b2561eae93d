"""Whatever a package, an upstream or a client does, and whatever is logged, neither key nor conversation shows.

Where it is upstreams that are indiscreet, `test_secrets` looks closer.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from dataclasses import dataclass, field

import httpx
import pytest

from conversation import ANSWER, ARGUMENT, MESSAGES, PROMPT, TOKEN, echo, leaks
from fake_upstream import (
    FakeUpstream,
    GatewayBench,
    GatewayProcess,
    ReceivedRequest,
    Script,
    completion,
    good_stream,
    key_of,
    question,
    reply,
    until,
)
from saboteurs import ERRORS, IN_A_REQUEST, NAMES, PATH_SECRET

PROXIED = ("proxied", "proxied_again")
CLOSED = "closed"
ASKED = (*NAMES, *PROXIED, CLOSED)
UNHEARD = "unheard"
"""A provider that is not to be asked, though there is a key."""
KEYS_OF = {name: (key_of(f"no{number}"), key_of(f"no{number}", 1)) for number, name in enumerate((*ASKED, UNHEARD))}
KEY = KEYS_OF[CLOSED][0]
SECRETS = [*(key for keys in KEYS_OF.values() for key in keys), TOKEN, PATH_SECRET]
CONVERSATION = [PROMPT, ARGUMENT, ANSWER]


@dataclass
class Shown:
    """All that a gateway let out."""

    answers: dict[str, httpx.Response] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    written: str = ""
    stderr: str = ""
    exit_code: int | None = None
    probed: set[str] = field(default_factory=set)
    """Keys that were looked at in the background."""


def answer(seen: ReceivedRequest) -> Script:
    """As a good upstream, whose answers are worth hiding; behind the proxy a bad one."""
    if "proxied" in seen.path:
        head = f"HTTP/1.1 403 {echo(seen)}\r\nx-why: {echo(seen)}\r\ncontent-length: 2\r\n\r\nno"
        return [head.encode("latin-1")] if seen.method == "POST" else reply(401, echo(seen).encode())
    if seen.method == "GET":
        return reply(200, {"data": [], "you": seen.key})
    return good_stream(ANSWER) if seen.json.get("stream") else reply(200, completion(ANSWER))


def visit(url: str, shown: Shown) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(trust_env=False, timeout=20, headers=headers) as client:
        chat = f"{url}/v1/chat/completions"
        for name in ASKED:
            for form in ("whole", "stream"):
                body = {**question(stream=form == "stream"), "messages": MESSAGES, "tools": [{"x": 1}]}
                shown.answers[f"{name} {form}"] = client.post(
                    chat, json=body, headers={"x-freeride-force-provider": name}
                )
        key = KEY
        shown.answers["model"] = client.post(chat, json=question(key))
        shown.answers["model of another"] = client.post(chat, json=question(KEYS_OF[UNHEARD][0]))
        shown.answers["query"] = client.get(f"{url}/v1/models?key={TOKEN}&api_key={key}")
        shown.answers["query and path"] = client.get(f"{url}/{key}?key={TOKEN}&prompt={PROMPT}")
        shown.answers["a model's path"] = client.get(f"{url}/v1/models/{key}")
        shown.answers["provider"] = client.post(chat, json=question(), headers={"x-freeride-force-provider": key})
        shown.answers["host"] = client.get(f"{url}/health", headers={"host": f"{key}.example"})
        shown.answers["origin"] = client.get(f"{url}/health", headers={"origin": f"http://{key}.example"})
        shown.answers["key"] = client.get(f"{url}/health", headers={"authorization": f"Bearer {key}"})
        shown.answers["type"] = client.post(chat, content=PROMPT.encode(), headers={"content-type": key})
        shown.answers["embeddings"] = client.post(f"{url}/v1/embeddings", json={"model": "auto", "input": PROMPT})
        for number, text in enumerate(("{" + PROMPT, json.dumps([PROMPT, key]), json.dumps({"model": [PROMPT, key]}))):
            malformed = client.post(chat, content=text.encode(), headers={"content-type": "application/json"})
            shown.answers[f"malformed {number}"] = malformed
    shown.raw["no request"] = knock(url, f"{KEY} {PROMPT}\r\n\r\n".encode())
    shown.raw["no header"] = knock(url, f"GET /health HTTP/1.1\r\nhost: localhost\r\n{KEY} {PROMPT}\r\n\r\n".encode())
    shown.raw["no length"] = knock(
        url, f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {KEY}\r\n\r\n".encode()
    )


def knock(url: str, request: bytes) -> bytes:
    """What comes back for these bytes."""
    host, port = httpx.URL(url).host, httpx.URL(url).port
    with socket.create_connection((host, port or 80), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.fixture(scope="module", params=[(), ("plain",)], ids=["uvloop", "asyncio"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    bench = GatewayBench(
        tmp_path_factory.mktemp("leaks") / "home", {"FREERIDE_TOKEN": TOKEN, "PYTHONASYNCIODEBUG": "1"}
    )
    shown = Shown()
    with FakeUpstream(answer) as upstream:
        for name, keys in KEYS_OF.items():
            bench.add(name, upstream, *keys)
        bench.environ["FREERIDE_PROVIDERS"] = ",".join(ASKED)
        for name in PROXIED:
            bench.environ[f"FREERIDE_{name.upper()}_BASE_URL"] = f"http://{name}.invalid/{PATH_SECRET}/v1"
        bench.environ["FREERIDE_CLOSED_BASE_URL"] = f"http://127.0.0.1:9/{PATH_SECRET}/v1"
        bench.environ["HTTP_PROXY"] = f"http://127.0.0.1:{upstream.port}"
        bench.environ["CLOSED_KEY_2"] = f"{KEY} with a blank"
        command = [sys.executable, "-X", "dev", "-m", "saboteurs", *request.param, *KEYS_OF]
        with GatewayProcess(bench, command=command) as process:
            visit(process.url, shown)
            (bench.home / ".env").write_text(f"FREERIDE_MAX_BODY={KEY}\n")
            (bench.home / "config.toml").write_text(f"[keys\nALPHA_KEY = {KEY}\n")
            until(lambda: "changed settings are ignored" in process.stderr, 15)
            shown.probed = {seen.key for seen in upstream.seen if seen.path.endswith("/key")}
            process.send(signal.SIGTERM)
            shown.exit_code = process.wait()
            shown.stderr = process.stderr
            files = [path for path in bench.home.iterdir() if path.name not in (".env", "config.toml")]
            written = [path.read_bytes().decode("utf-8", "replace") for path in files]
            shown.written = "".join((process.stdout, process.stderr, *written))
    return shown


def test_everything_went_wrong_and_was_told_in_our_own_words(shown: Shown) -> None:
    """What follows would be no proof otherwise."""
    raised = [error("").__class__.__name__ for error in ERRORS.values()]
    said = ["everything is logged", "in __del__", "Executing <"]
    said += [
        f"{name} in {place}" for name in raised for place in IN_A_REQUEST if place not in ("refusal", "kind", "flush")
    ]
    said += [f"failed at the start: {name}" for name in raised]
    said += [f"an observer of events failed (plugin {plugin}: " for plugin in ERRORS]
    assert [words for words in said if words not in shown.stderr] == []
    assert "background work has failed" not in shown.stderr
    assert {key for name in (f"probe_read_{error}" for error in ERRORS) for key in KEYS_OF[name]} <= shown.probed
    assert shown.exit_code == 0


def test_nothing_that_is_written_holds_a_key(shown: Shown) -> None:
    assert not leaks(shown.written, SECRETS)


def test_nothing_that_is_written_holds_a_word_of_the_conversation(shown: Shown) -> None:
    assert not leaks(shown.written, CONVERSATION)


def test_no_error_that_a_client_gets_holds_a_key_or_a_word_of_the_conversation(shown: Shown) -> None:
    errors = {
        case: answer for case, answer in shown.answers.items() if answer.status_code >= 400 or '"error"' in answer.text
    }
    failed = {f"{place}_{error} {form}" for place in IN_A_REQUEST for error in ERRORS for form in ("whole", "stream")}
    late = {f"flush_{error} stream" for error in ERRORS}  # the answer was over
    assert failed - late <= set(errors)
    for case, answer in errors.items():
        words = json.dumps(dict(answer.headers)) + answer.text.split('"error"', 1)[-1]
        assert not leaks(words, [*SECRETS, *CONVERSATION]), case
    for case, text in shown.raw.items():
        assert text.startswith(b"HTTP/1.1 4"), case
        assert not leaks(text.decode("latin-1"), [*SECRETS, *CONVERSATION]), case
