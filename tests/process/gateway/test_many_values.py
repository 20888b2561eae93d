"""JSON of many small values: what clients and upstreams send is counted before it is built."""

from __future__ import annotations

import json
import re
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fake_upstream import (
    DONE,
    EMBEDDER,
    TEXT,
    GatewayStage,
    always,
    chunk,
    completion,
    events_of,
    good,
    in_turn,
    post_of,
    provider,
    question,
    refusal,
    reply,
    stream,
    until,
)
from freeride_core import Answer, Call, Key, Model, Operation, Phase, Reading, UpstreamRequest
from freeride_core.compatible.retry_after import in_body, retry_after
from freeride_core.compatible.wire import CompatibleWire
from freeride_core.gateway import explanation
from freeride_core.gateway.protocols.request import BadRequest, parse_call
from freeride_core.gateway.walk import attempt
from freeride_core.gateway.walk.opening import Opening
from freeride_core.gateway.walk.outline import outline_of
from freeride_core.privacy.prompt_redaction import without_echo
from freeride_core.provider import Decoder
from freeride_core.system import json_values
from freeride_core.system.json_values import LARGE, MOST_VALUES, PATIENT_MOST, has_too_many_values
from listed_catalogs import ids, refreshed, world
from listed_catalogs import provider as listed

MIB = 1 << 20


def peak_of(act: Callable[[], object]) -> int:
    """Bytes that it takes at most, while it runs."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Counting

VALUES = st.recursive(
    st.none() | st.integers() | st.text('a,[{"\\', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('b,{"', max_size=3), inner, max_size=4),
    max_leaves=30,
)


@given(VALUES, st.integers(0, 20), st.booleans())
@example(["\\" * 3000 + '"' * 2000, "," * 200], 10, True)
@example({"": "["}, 1, True)
def test_what_stands_within_strings_is_no_value(value: Any, most: int, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "S", text)
    separators, strings = sum(bare.count(mark) for mark in ",[{"), bare.count("S")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "_UNCOUNTED", 0)
        patch.setattr(json_values, "MOST_VALUES", most)
        found = has_too_many_values(text.encode())
    assert found or separators <= most
    assert not found or separators > most or strings > 2 * most


LONG = b'"' + b" " * MIB + b'"'
TOO_MANY = {
    "objects": b"[" + b"{}," * MOST_VALUES + LONG + b"]",
    "arrays": b"[" + b"[]," * MOST_VALUES + LONG + b"]",
    "numbers": b"[" + b"1," * 2 * MOST_VALUES + LONG + b"]",
    "members": b"{" + b'"":0,' * MOST_VALUES + b'"":0,"":' + LONG + b"}",
    "each in another": b"[" * 2 * MOST_VALUES + b" " * MIB + b"]" * 2 * MOST_VALUES,
    "values after a text of backslashes": b'["' + b"\\\\," * MIB + b'"' + b",0" * 2 * MOST_VALUES + b"]",
    "UTF-16": ("[" + "1," * 2 * MOST_VALUES + "0]").encode("utf-16"),
}
NOT_TOO_MANY = {
    "as many as may be": b"[" + b"{}," * (MOST_VALUES // 2 - 10) + LONG + b"]",
    "many in little": b"[" + b"{}," * 80_000 + b"0]",
    "a long text of marks": b'["' + b",[{" * MIB + b'"]',
    "a long text of quotes": b'["' + b'\\",' * MIB + b'"]',
    "a text without an end": b'["' + b",[{" * MIB,
    "backslashes without an end": b'["' + b",\\\\" * MIB,
}


@pytest.mark.parametrize("text", TOO_MANY.values(), ids=TOO_MANY)
def test_more_values_than_anyone_has_are_not_built(text: bytes) -> None:
    assert has_too_many_values(text)
    answer = Answer(200, {}, text, 0.0)
    assert peak_of(lambda: answer.json) < MIB
    assert answer.json is None


@pytest.mark.parametrize("text", NOT_TOO_MANY.values(), ids=NOT_TOO_MANY)
def test_a_long_text_is_one_value(text: bytes) -> None:
    assert not has_too_many_values(text)


def test_of_an_event_which_is_looked_at_in_the_loop_the_commas_of_a_text_count_too() -> None:
    text = NOT_TOO_MANY["a long text of marks"]
    assert Answer(200, {}, text, 0.0).json is not None
    assert Answer(200, {}, text, 0.0, Phase.EVENT).json is None


def test_what_only_a_patient_parser_reads_is_read_up_to_a_size() -> None:
    odd = b'["\\ud800","' + b"x" * PATIENT_MOST
    assert Answer(200, {}, odd[:-20] + b'"]', 0.0).json is not None
    assert Answer(200, {}, odd + b'"]', 0.0).json is None
    call = Call(
        operation=Operation.CHAT,
        model="m",
        stream=False,
        pairs=(),
        body=b"",
        fields={"messages": odd + b'"]'},  # type: ignore[dict-item] # as good as a `Raw`
    )
    with pytest.raises(ValueError, match="too long to decode"):
        call.value("messages")
    assert without_echo("what is this", call) == "", "what cannot be looked through may hold anything"


# Requests

MANY = 300_000
REQUESTS = {
    "members": b'{"model":"auto","messages":[],' + b",".join(b'"%d":1' % at for at in range(MANY)) + b"}",
    "one member many times": b'{"model":"auto","messages":[]' + b',"a":1' * MANY + b"}",
    "more fields than a protocol has": b'{"model":"auto","messages":[]'
    + b"".join(b',"%d":"a little more"' % at for at in range(999))
    + b"}",
    "objects": b'{"model":"auto","messages":[' + b"{}," * 4 * MANY + b"{}]}",
    "objects, and a NaN": b'{"model":"auto","x":NaN,"messages":[' + b"{}," * 4 * MANY + b"{}]}",
    "a long text, and a NaN": b'{"model":"auto","x":NaN,"messages":["' + b"x" * PATIENT_MOST + b'"]}',
}


@pytest.mark.parametrize("body", REQUESTS.values(), ids=REQUESTS)
def test_a_request_of_more_than_a_client_can_have_is_refused_and_not_built(body: bytes) -> None:
    def parse() -> None:
        with pytest.raises(BadRequest):
            parse_call(Operation.CHAT, body)

    assert peak_of(parse) < 2 * len(body) + MIB


def test_as_many_fields_as_may_be_are_passed_on() -> None:
    body = b'{"model":"m","messages":[]' + b"".join(b',"%d":1' % at for at in range(998)) + b"}"
    assert len(parse_call(Operation.CHAT, body).fields) == 1000
    again = b'{"model":"m","messages":[]' + b',"a":1' * 998 + b"}"
    assert parse_call(Operation.CHAT, again).body_with({}) == again


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayStage]:
    model = Model(id="double/one", canonical="double/one", tier=1, context=10_000_000, tools=True, vision=True)
    alpha, beta = (provider(name, models=(model, EMBEDDER), embeds=True) for name in ("alpha", "beta"))
    with GatewayStage(tmp_path_factory.mktemp("home"), alpha, beta, stamp_body=0) as stage:
        yield stage
        assert not stage.cooled()


@pytest.fixture(autouse=True)
def _first_of_its_kind(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one test's odd answers teach is none of the next one's."""
    yield
    if "stage" in request.fixturenames:
        for name in ("alpha", "beta"):
            for model in ("double/one", EMBEDDER.id):
                request.getfixturevalue("stage").thread.gateway.ledger.nonsense.forget(name, model)


def send(stage: GatewayStage, body: bytes) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return httpx.post(f"{stage.url}/v1/chat/completions", content=body, headers=headers, trust_env=False, timeout=30)


@pytest.mark.parametrize("body", REQUESTS.values(), ids=REQUESTS)
def test_such_a_request_is_a_400_and_no_upstream_hears_of_it(stage: GatewayStage, body: bytes) -> None:
    stage["alpha"].answer = good
    seen = len(stage["alpha"].posts)
    answer = send(stage, body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert len(stage["alpha"].posts) == seen


SPELLINGS = {
    "a text": b'"' + b"word, " * 60_000 + b'"',
    "a text of umlauts": '"{}"'.format("ü" * 200_000).encode(),
    "a text of escapes": b'"' + b"\\u00e9" * 60_000 + b'"',
    "an image": b'[{"type":"image_url","image_url":{"url":"data:image/png;base64,' + b"A" * 400_000 + b'"}}]',
    "many tools": b'"x","tools":[' + b",".join([b'{"type":"function","function":{"name":"f"}}'] * 8000) + b"]",
}


@pytest.mark.parametrize("content", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("model", [b"auto", b"double/one"])
def test_a_large_request_reaches_its_upstream_byte_for_byte(stage: GatewayStage, content: bytes, model: bytes) -> None:
    stage["alpha"].answer = always(reply(200, completion()))
    body = b'{"messages":[{"role":"user","content":%b}],"model":"%b"}' % (content, model)
    is_list = content.startswith(b'"x",')
    if is_list:
        body = b'{"messages":[{"role":"user","content":"x"}],%b,"model":"%b"}' % (content[4:], model)
    assert send(stage, body).status_code == 200
    assert stage["alpha"].posts[-1].body == body.replace(b'"auto"', b'"double/one"')


@pytest.mark.parametrize("padding", ["", "x" * LARGE], ids=["small", "large"])
def test_large_bodies_are_read_beside_the_event_loop_and_others_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, padding: str
) -> None:
    threads: dict[str, set[str]] = {}

    def noted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: Any) -> Any:
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return act(*arguments)

        return noting

    monkeypatch.setattr("freeride_core.gateway.protocols.chat_completions.parse_call", noted("parse", parse_call))
    monkeypatch.setattr(explanation, "outcome", noted("explain", explanation.outcome))
    for name in ("_prepare", "_judge", "_refuse"):
        monkeypatch.setattr(attempt.Attempt, name, noted(name, getattr(attempt.Attempt, name)))
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(404, padding))
        stage["beta"].answer = in_turn(
            reply(200, completion(TEXT + padding)), refusal(400, padding, code="content_filter")
        )
        assert [stage.ask("double/one", user=padding).status_code for _ in range(2)] == [200, 400]
    assert set(threads) == {"parse", "explain", "_prepare", "_judge", "_refuse"}
    names = {name for each in threads.values() for name in each}
    assert names == ({"large-bodies_0"} if padding else {"gateway"})


# Answers


@pytest.mark.parametrize(
    ("asked", "given", "is_served"),
    [
        ({}, 1, True),
        ({}, 2, False),
        ({"n": None}, 1, True),
        ({"n": 1}, 2, False),
        ({"n": 3}, 3, True),
        ({"n": 3}, 2, True),
        ({"n": 3}, 4, False),
        ({"n": 2.0}, 2, True),
        ({"n": "2"}, 2, True),
        ({"n": 1000000}, 2, True),
    ],
)
@pytest.mark.parametrize("padding", ["", "x" * LARGE], ids=["small", "large"])
def test_an_answer_has_no_more_choices_than_were_asked_for(
    stage: GatewayStage, asked: dict[str, Any], given: int, is_served: bool, padding: str
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi" + padding}, "finish_reason": "stop"}
    stage["alpha"].answer = always(reply(200, completion(choices=[choice] * given)))
    answer = stage.ask(**asked)
    assert answer.headers["x-freeride-provider"] == ("alpha" if is_served else "beta")


HOSTILE_ANSWERS: Mapping[str, Callable[[], bytes]] = {
    "choices": lambda: b'{"choices":[' + b"{}," * MANY + b"{}]}",
    "many more choices": lambda: b'{"choices":[' + b"{}," * 5_000_000 + b"{}]}",
    "members": lambda: b'{"choices":[{"message":{' + b",".join(b'"%d":1' % at for at in range(5 * MANY)) + b"}}]}}",
    "names": lambda: b"{" + b",".join(b'"%d":{}' % at for at in range(2 * MANY)) + b"}",
    "an error": lambda: b'{"error":[' + b"{}," * 4 * MANY + b"{}]}",
    "no UTF-8": lambda: b'{"choices":[{"message":{"content":"\xff' + b"x" * LARGE + b'"}}]}',
    "no JSON": lambda: b'{"choices":[{"message":{"content":"' + b"x" * LARGE + b'"}}]',
    "no choice": lambda: b'{"choices":[],"x":"' + b"x" * LARGE + b'"}',
}


@pytest.mark.parametrize("make_body", HOSTILE_ANSWERS.values(), ids=HOSTILE_ANSWERS)
def test_an_answer_of_more_than_was_asked_for_is_passed_over_and_not_built(
    stage: GatewayStage, make_body: Callable[[], bytes]
) -> None:
    body = make_body()
    stage["alpha"].answer = always(reply(200, body))

    def ask() -> None:
        assert stage.ask().headers["x-freeride-provider"] == "beta"

    assert peak_of(ask) < 3 * len(body) + 4 * MIB


def honest_answers() -> dict[str, bytes]:
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    token = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{"token": "a", "logprob": -0.1}] * 20}
    words = "a, " * 400_000
    return {
        "the odds of every token": json.dumps(
            completion(choices=[{**choice, "logprobs": {"content": [token] * 5000}}])
        ).encode(),
        "a long text": json.dumps(completion(words)).encode(),
        "half a surrogate pair": json.dumps(completion(words)).encode().replace(b"a, a", b"\\ud800", 1),
        "a NaN": json.dumps(completion("a" * LARGE, x=float("nan"))).encode(),
    }


@pytest.mark.parametrize("body", honest_answers().values(), ids=honest_answers())
def test_a_large_answer_is_passed_on_byte_for_byte(stage: GatewayStage, body: bytes) -> None:
    stage["alpha"].answer = always(reply(200, body))
    answer = stage.ask()
    assert (answer.headers["x-freeride-provider"], answer.content) == ("alpha", body)


def test_vectors_of_many_numbers_are_passed_on(stage: GatewayStage) -> None:
    rows = [{"object": "embedding", "index": at, "embedding": [0.0123456789] * 1500} for at in range(400)]
    body = json.dumps({"object": "list", "data": rows}).encode()
    stage["alpha"].answer = always(reply(200, body))
    answer = stage.embed("double/embed", input=["x"] * 400)
    assert (answer.headers["x-freeride-provider"], answer.content) == ("alpha", body)


def test_a_large_answer_without_vectors_is_passed_over(stage: GatewayStage) -> None:
    stage["alpha"].answer = always(reply(200, {"object": "list", "data": [], "x": "x" * LARGE}))
    assert stage.embed("double/embed").headers["x-freeride-provider"] == "beta"


def test_an_outline_has_the_first_items_and_one_beyond_what_was_asked_for() -> None:
    outline = outline_of(b'{"a":[[]],"choices":[{"b":1},2,"3",4],"data":{}}', 2)
    assert outline is not None
    assert {name: [bytes(item) for item in items] for name, items in outline.items()} == {
        "choices": [b'{"b":1}', b"2", b'"3"']
    }
    assert outline_of(b"[1]", 1) is None
    assert outline_of(b"{", 1) is None


# A slot that cools while a large request is prepared


@dataclass(frozen=True, kw_only=True)
class SlowWire(CompatibleWire):
    """Takes its time to prepare a large request."""

    begun: threading.Event
    may_end: threading.Event

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        if len(call.body) > LARGE:
            self.begun.set()
            assert self.may_end.wait(10)
        return super().prepare(call, model, key)


def test_nothing_is_sent_to_a_slot_that_cooled_while_the_request_was_prepared(tmp_path: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()
    alpha = provider("alpha")
    alpha.wires = {Operation.CHAT: SlowWire(path="/chat/completions", begun=begun, may_end=may_end)}
    with GatewayStage(tmp_path, alpha, provider("beta")) as stage:
        stage["alpha"].answer = always(refusal(429))
        with stage.raw(post_of(json.dumps(question(user="x" * LARGE)).encode(), Connection="close")) as connection:
            assert begun.wait(10)
            assert stage.ask().headers["x-freeride-provider"] == "beta"
            may_end.set()
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert [len(seen.body) > LARGE for seen in stage["alpha"].posts] == [False]
        assert [len(seen.body) > LARGE for seen in stage["beta"].posts] == [False, True]


# Streams


class CountingReader:
    """CountingReader events, and counts them."""

    def __init__(self) -> None:
        self.count = count()

    def read(self, body: bytes, phase: Any, event: str = "") -> Any:
        next(self.count)
        return Answer(200, {}, body, 0.0), Reading()

    def broken(self, message: str) -> Any:
        raise AssertionError(message)


def test_of_an_opening_no_more_is_weighed_than_is_held() -> None:
    reads = CountingReader()
    assert Opening(reads).feed(b"data: {}\n\n" * 100_000) is not None
    assert next(reads.count) < 8000


class Hoarding:
    """A decoder that waits for a line end."""

    def __init__(self) -> None:
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        whole, end, self.rest = (self.rest + data).rpartition(b"\n")
        return whole + end

    def flush(self) -> bytes:
        return self.rest


@dataclass(frozen=True, kw_only=True)
class HoardingWire(CompatibleWire):
    def decoder(self, call: Call, model: Model) -> Decoder | None:
        return Hoarding()


@pytest.mark.parametrize("is_begun", [False, True])
def test_an_event_without_an_end_is_not_kept_by_a_packages_decoder(tmp_path: Path, is_begun: bool) -> None:
    alpha = provider("alpha")
    alpha.wires = {Operation.CHAT: HoardingWire(path="/chat/completions")}
    endless = stream(*[chunk({"content": "Hi"})] * is_begun, b"data: ", *[b"x" * MIB] * 40, ends=False)
    with GatewayStage(tmp_path, alpha, provider("beta")) as stage:
        stage["alpha"].answer = always(endless)
        answer = httpx.Response(0)

        def ask() -> None:
            nonlocal answer
            answer = stage.ask(stream=True)

        assert peak_of(ask) < 40 * MIB
        if is_begun:
            assert events_of(answer.content)[-1]["error"]["code"] == "protocol"
        else:
            assert answer.headers["x-freeride-provider"] == "beta"
        until(lambda: stage.thread.gateway.budget.held == 0)


def test_a_stream_full_of_what_may_be_errors_is_passed_on(tmp_path: Path) -> None:
    said = [chunk({"content": "Hi"}), b'data: {"error":null}\n\n' * 8000, b"\n\n" * 50_000, chunk({}, "stop"), DONE]
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(*said))
        assert stage.ask(stream=True).content == b"".join(said)


# Lists, hints, names


def test_no_more_models_of_a_list_are_taken_than_can_be_shown() -> None:
    here = world(listed("acme"), answers={"acme": [f"m/{at}" for at in range(5000)]})
    catalogs, is_good = refreshed(here)
    assert is_good
    assert ids(catalogs) == [f"m/{at}" for at in range(2000)]


def test_a_hint_is_looked_for_among_some_thousand_members() -> None:
    many: dict[str, Any] = {str(at): {} for at in range(5000)}
    assert in_body({**many, "retry_after": 7}, 0.0) == 7
    assert in_body({"a": [many, many, many, {"retry_after": 7}]}, 0.0) is None


def test_a_hint_without_an_end_is_none() -> None:
    assert retry_after("1h" * 40, 0.0) == 86400
    assert retry_after("1h" * 100_000, 0.0) is None
    assert retry_after("9" * 100_000, 0.0) is None
