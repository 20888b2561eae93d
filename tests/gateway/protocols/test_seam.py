"""Another client protocol: one file, one line of registration, and all that chat completions has."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import (
    DONE,
    HANG,
    TEXT,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    chunk,
    completion,
    good,
    provider,
    refusal,
    reply,
    stream,
    until,
)
from freeride_core.gateway import relay
from freeride_core.gateway.protocols import registry
from freeride_core.gateway.protocols.chat_completions import ChatCompletionsProtocol
from freeride_core.gateway.protocols.protocol import ProtocolRoute
from freeride_core.gateway.routes import RouteTable, understood
from toy_protocol import ToyProtocol

TOKEN = "let-me-in"
CLIENT = httpx.Client(verify=False, trust_env=False, timeout=20)
WORD = chunk({"content": "Hel"})
USAGE = {"prompt_tokens": 3, "completion_tokens": 5}
FINISH = chunk({}, "tool_calls", usage=USAGE)


def part(arguments: str, index: int = 0, **function: str) -> bytes:
    """A piece of a tool call."""
    return chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments, **function}}]})


TWO_CALLS = (part('{"a"', name="first"), part("{}", 1, name="second"), part(":1}"))


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PROTOCOLS", (*registry.PROTOCOLS, ToyProtocol()))


def say(
    stage: GatewayStage, path: str = "/toy/auto:say", headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    body = {"say": "Say hello.", **fields}
    return CLIENT.post(stage.url + path, json=body, headers=headers or {})


def events_in(answer: httpx.Response) -> list[Any]:
    """Every event of a stream; it holds nothing else but blank lines."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines), lines
    return [json.loads(line.removeprefix("data: ")) for line in lines]


# Preparation


def test_the_gateway_listens_before_it_imports_what_only_some_requests_need() -> None:
    code = (
        "import sys, freeride_core.gateway.server as server\n"
        "late = {'assembler', 'repair', 'messages.request'}\n"
        "imported = lambda: {name for name in late if f'freeride_core.gateway.protocols.{name}' in sys.modules}\n"
        "assert imported() == set(), imported()\n"
        "server.registry.prepare()\n"
        "assert imported() == late, imported()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_protocols_are_prepared_once_the_gateway_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = threading.Event()
    monkeypatch.setattr(ToyProtocol, "prepare", lambda _: prepared.set())
    with GatewayStage(tmp_path, provider("alpha")):
        assert prepared.wait(20)


# Answers


@pytest.mark.parametrize("path", ["/toy/auto:say", "/v1/toy/auto:say", "/v1/v1/toy/auto:say/"])
def test_a_whole_answer_is_written_in_the_protocol(tmp_path: Path, path: str) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        answer = say(stage, path)
        assert answer.json() == {
            "by": "double/one",
            "text": TEXT,
            "tools": [],
            "end": "stop",
            "tokens": 4,
            "_freeride_provider": "alpha",
        }
        assert answer.headers["x-freeride-provider"] == "alpha"
        own_id = answer.headers["x-freeride-request-id"]
        assert answer.headers["toy-id"] == answer.headers["x-request-id"] == own_id
        [seen] = stage["alpha"].posts
        assert seen.json == {"model": "double/one", "messages": [{"role": "user", "content": "Say hello."}]}


def test_a_stream_is_written_in_the_protocol_as_it_comes(tmp_path: Path) -> None:
    def answer(seen: ReceivedRequest) -> Script:
        return stream(chunk({"role": "assistant"}), WORD, chunk({"content": "lo"}), HANG)

    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = answer
        with httpx.stream(
            "POST", stage.url + "/toy/auto:say", json={"say": "x", "live": True}, trust_env=False
        ) as said:
            told = b""
            for piece in said.iter_raw():
                told += piece
                if b"lo" in told:
                    break
        assert told == b'data: {"begin": "double/one"}\n\ndata: {"text": "Hel"}\n\ndata: {"text": "lo"}\n\n'


@pytest.mark.parametrize("ending", [[FINISH, DONE], [FINISH], [chunk({}, "tool_calls"), chunk({}, usage=USAGE), DONE]])
def test_tool_calls_are_told_whole_and_what_ends_a_stream_last(tmp_path: Path, ending: list[bytes]) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(stream(WORD, *TWO_CALLS, *ending))
        answer = say(stage, live=True, tools=["first", "second"])
        assert events_in(answer) == [
            {"begin": "double/one"},
            {"text": "Hel"},
            {"tool": {"name": "first", "with": {"a": 1}}},
            {"tool": {"name": "second", "with": {}}},
            {"end": "tool_calls", "tokens": 5},
        ]


def test_usage_is_counted_although_the_client_is_told_in_other_words(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(stream(WORD, chunk({}, "stop", usage=USAGE), DONE))
        say(stage, live=True)
        [event] = until(lambda: stage.events("request_complete"))
        assert event["usage"] == {"input": 3, "output": 5}


def test_headers_of_the_protocol_are_on_answers_and_on_errors(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keep_alive_s=0.1) as stage:
        assert say(stage, magic=1).headers["toy-dropped"] == "magic"
        assert say(stage, magic=1, live=True).headers["toy-dropped"] == "magic"
        assert "toy-dropped" not in say(stage).headers
        stage["alpha"].answer = always([0.3, *refusal(500)])
        waited = say(stage, magic=1, live=True)
        assert (waited.status_code, waited.headers["toy-dropped"]) == (200, "magic")
        failed = say(stage, magic=1)
        assert (failed.status_code, failed.headers["toy-dropped"]) == (503, "magic")


def test_a_request_without_an_upstream_is_answered_at_once(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        answer = say(stage, "/toy/double/one:count")
        assert (answer.status_code, answer.content) == (200, b'{"count":2}')
        assert answer.headers["content-type"] == "application/json"
        unknown = say(stage, "/toy/nowhere/none:count")
        assert (unknown.status_code, unknown.json()["fault"]["name"]) == (404, "model_not_found")
        assert say(stage).status_code == 200
        assert until(lambda: stage.events("request_complete"))
        assert len(stage.events("request_start")) == len(stage["alpha"].posts) == 1, "of the count is no trace"


def test_a_request_without_an_upstream_needs_no_key(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keys={"alpha": 0}) as stage:
        assert say(stage, "/toy/double/one:count").status_code == 200
        assert say(stage).status_code == 503


# Errors


def test_errors_are_written_in_the_protocol(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), max_body=2000) as stage:
        stage["alpha"].answer = always(refusal(429, headers={"Retry-After": "90"}))
        for answer, number, name in (
            (say(stage), 503, "rate_limit"),
            (say(stage, "/toy/nowhere/none:say"), 404, "model_not_found"),
            (say(stage, say=1), 400, None),
            (say(stage, say="x" * 3000), 413, "request_too_large"),
            (say(stage, headers={"host": "elsewhere.example"}), 421, "host_not_allowed"),
            (say(stage, headers={"content-type": "text/plain"}), 415, "unsupported_media_type"),
            (say(stage, "/toy/auto:sing"), 404, "not_found"),
            (stage.get("/toy"), 404, "not_found"),
            (stage.get("/toy/auto:say"), 405, "method_not_allowed"),
            (stage.get("/v1/models/nowhere/none", **{"toy-version": "1"}), 404, "model_not_found"),
        ):
            fault = answer.json()["fault"]
            assert (answer.status_code, fault["number"], fault["name"]) == (number, number, name)
            assert fault["id"] == answer.headers["toy-id"]
            assert answer.headers["content-type"] == "application/json"
        assert (say(stage).headers["retry-after"], say(stage).headers["x-should-retry"]) == ("90", "false")
        assert "POST /toy/{id}:say" in stage.get("/toy").json()["fault"]["words"]


def test_a_client_without_the_token_is_told_so_in_the_protocol(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), token=TOKEN) as stage:
        answer = say(stage)
        assert (answer.status_code, answer.json()["fault"]["name"]) == (401, "invalid_api_key")
        assert say(stage, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_page_is_let_in_by_the_protocols_routes(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), token=TOKEN) as stage:
        asks = {
            "origin": "http://localhost:3000",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        }
        for path, status in (("/toy/auto:say", 204), ("/toy/auto:count", 204), ("/toy/else", 401), ("/toys", 401)):
            asked = CLIENT.options(stage.url + path, headers=asks)
            assert (asked.status_code, "access-control-allow-origin" in asked.headers) == (status, status == 204)
        answer = say(stage, headers={"origin": asks["origin"], "authorization": f"Bearer {TOKEN}"})
        assert answer.headers["access-control-allow-origin"] == asks["origin"]
        assert {"toy-dropped", "x-freeride-provider"} <= set(
            answer.headers["access-control-expose-headers"].split(", ")
        )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (stream(WORD, TWO_CALLS[0], ends=False), "Network error: alpha broke off"),
        (stream(WORD, TWO_CALLS[0], b'data: {"error": {"message": "Boom."}}\n\n'), "alpha ended in the middle"),
        (stream(WORD, part("{}"), FINISH, DONE), "a tool without a name"),
    ],
    ids=["a cut", "an error event", "what has no form in the protocol"],
)
def test_a_broken_stream_ends_in_the_protocols_own_event(tmp_path: Path, script: Script, words: str) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always([*script, "close"])
        *before, last = events_in(say(stage, live=True))
        assert before == [{"begin": "double/one"}, {"text": "Hel"}], "no call is closed"
        assert words in last["fault"]
        assert (last["number"], last["after"]) == (502, 2)
        assert until(lambda: stage.events("request_mid_stream_error"))


def test_a_whole_answer_without_a_form_in_the_protocol_leads_to_the_next_provider(tmp_path: Path) -> None:
    calls = [{"function": {"name": "", "arguments": "{}"}}]
    choice = {"index": 0, "message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, completion(choices=[choice])))
        assert say(stage).headers["x-freeride-provider"] == "beta"
        stage["beta"].answer = stage["alpha"].answer
        answer = say(stage)
        assert (answer.status_code, answer.json()["fault"]["name"]) == (503, "protocol")


# While the client waits


def test_a_stream_that_waits_gets_the_protocols_keep_alive(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keep_alive_s=0.1) as stage:
        stage["alpha"].answer = lambda seen: [0.4, *good(seen)]
        answer = say(stage, live=True)
        assert answer.text.startswith("\n\n")
        assert events_in(answer)[0] == {"begin": "double/one"}
        stage["alpha"].answer = always([0.3, *refusal(500)])
        [only] = events_in(say(stage, live=True))
        assert (only["number"], only["after"]) == (503, 0)


def test_a_stream_whose_encoder_keeps_silent_gets_the_keep_alive(tmp_path: Path) -> None:
    pauses = [step for number in range(6) for step in (part(str(number)), 0.06)]
    script = stream(WORD, part('{"a":1', name="f"), *pauses, part("}"), FINISH, DONE)
    with GatewayStage(tmp_path, provider("alpha"), keep_alive_s=0.1) as stage:
        stage["alpha"].answer = always(script)
        answer = say(stage, live=True)
        assert "\n\n\n" in answer.text
        assert events_in(answer)[2] == {"tool": {"name": "f", "with": {"a": 1012345}}}


def test_an_encoder_that_keeps_too_much_ends_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_MOST_UNSAID", 20_000)
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        stage["alpha"].answer = always(stream(WORD, 0.1, part('{"a":1', name="f"), *[part("1" * 5000)] * 8, HANG))
        assert "too large" in events_in(say(stage, live=True))[-1]["fault"]
        assert until(lambda: not stage.thread.gateway.budget.held), "what was kept is given back"


# Lists


def test_one_path_has_the_list_of_each_protocol_by_its_header(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha")) as stage:
        marked = {"toy-version": "1"}
        assert stage.get("/v1/models?most=1", **marked).json() == {"toys": ["auto"]}
        assert stage.get("/v1/models/double/one", **marked).json() == {"toy": "double/one", "of": ["alpha"]}
        assert stage.get("/v1/models").json()["object"] == "list"
        assert stage.get("/v1/models/double/one").json()["object"] == "model"
        assert stage.ask().json()["object"] == "chat.completion"


class TwinProtocol(ChatCompletionsProtocol):
    """Shares a path of POST with chat completions."""

    routes = (
        ProtocolRoute("POST", "/v1/chat/completions", marks=(b"twin",)),
        ProtocolRoute("GET", "/twin"),
        ProtocolRoute("GET", "/twins"),
    )


@pytest.mark.parametrize(
    ("method", "path", "headers", "owner", "has_route", "is_path", "id_"),
    [
        ("POST", "/v1/chat/completions", (), "ChatCompletionsProtocol", True, True, ""),
        ("POST", "/v1/chat/completions", (b"twin",), "TwinProtocol", True, True, ""),
        ("GET", "/v1/chat/completions", (), "ChatCompletionsProtocol", False, True, ""),
        ("HEAD", "/v1/models", (), "ChatCompletionsProtocol", True, True, ""),
        ("GET", "/v1/models/a/b:c", (), "ChatCompletionsProtocol", True, True, "a/b:c"),
        ("GET", "/v1/models/a\nb", (), "ChatCompletionsProtocol", True, True, "a\nb"),
        ("POST", "/toy/a/b:free:say", (), "ToyProtocol", True, True, "a/b:free"),
        ("GET", "/toy/a:say", (), "ToyProtocol", False, True, ""),
        ("POST", "/toy/a:sing", (), "ToyProtocol", False, False, ""),
        ("POST", "/twin", (), "TwinProtocol", False, True, ""),
        ("POST", "/", (), "ChatCompletionsProtocol", False, False, ""),
    ],
)
def test_a_request_leads_to_one_protocol_and_at_most_one_route(
    method: str, path: str, headers: tuple[bytes, ...], owner: str, *, has_route: bool, is_path: bool, id_: str
) -> None:
    table = RouteTable((*registry.PROTOCOLS, TwinProtocol()))
    found = table.find(method, path, dict.fromkeys(headers, b"1"))
    assert type(found.protocol).__name__ == owner
    assert (found.route is not None, found.is_path, found.id) == (has_route, is_path, id_)
    assert "/v1/chat/completions" not in table.usual, "two protocols have it"
    assert table.usual["/v1/embeddings"] == table.find("POST", "/v1/embeddings", {})


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/v1/models", "/v1/models"),
        ("//v1/models//", "/v1/models"),
        ("/v1//v1/chat/completions/", "/v1/chat/completions"),
        ("/toy/a:say/", "/toy/a:say"),
        ("/", "/"),
        ("//", "/"),
        ("/v1/models/v1/v1/x", "/v1/models/v1/v1/x"),
    ],
)
def test_a_path_is_understood_in_other_spellings(path: str, route: str) -> None:
    assert understood(path) == route
