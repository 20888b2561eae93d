"""Bodies: what a client sent reaches the upstream as it was, and what the upstream said reaches the client."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import httpx
import msgspec
import pytest

from fake_upstream import DONE, GatewayStage, always, chunk, completion, framed, key_of, post_of, provider, reply
from freeride_core import Model

ODD = (
    b'{ "temperature" : 1.0e0,"seed":12345678901234567890, "stop":null,\n\t"messages": [ {"role":"developer","content":null,'
    b'"x":[1.50,-0.0,1E3]},{"role":"user","content":[{"type":"text","text":"\\u00e9\xc3\xa9 \\/ \\ud83d\\ude00"}]}] ,'
    b'"logit_bias":{"50256":-100},"unknown":{"b":1,"a":[ ]}, "model" : "%b" , "user":"\\u0041" }'
)


def raw_members(body: bytes) -> dict[str, bytes]:
    return {name: bytes(raw) for name, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items()}


def send(stage: GatewayStage, body: bytes, path: str = "/v1/chat/completions", **headers: str) -> httpx.Response:
    return httpx.post(
        stage.url + path,
        content=body,
        headers={"content-type": "application/json", **headers},
        trust_env=False,
        verify=False,
    )


# Requests


def test_a_request_that_needs_no_change_reaches_the_upstream_as_it_came(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        body = ODD % b"double/one"
        assert send(stage, body).status_code == 200
        assert stage["alpha"].posts[0].body == body


@pytest.mark.parametrize("model", [b"auto", b"freeride/quality", b"default", b"free", b""])
def test_nothing_but_the_model_is_replaced(tmp_path: Path, model: bytes) -> None:
    with GatewayStage(tmp_path) as stage:
        body = ODD % model
        assert send(stage, body).status_code == 200
        assert raw_members(stage["alpha"].posts[0].body) == {**raw_members(body), "model": b'"double/one"'}


def test_a_null_model_is_auto(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        assert send(stage, b'{"model":null,"messages":[]}').status_code == 200
        assert stage["alpha"].posts[0].json == {"model": "double/one", "messages": []}


def test_what_a_package_declares_is_dropped_renamed_clamped_and_added(tmp_path: Path) -> None:
    model = Model(id="double/one", canonical="double/one", tier=1, max_output=100)
    alpha = provider(
        "alpha",
        models=(model,),
        dropped=frozenset({"logit_bias"}),
        renamed={"max_completion_tokens": "max_tokens"},
        defaults={"top_p": 0.5},
        headers={"x-app": "someone"},
    )
    with GatewayStage(tmp_path, alpha) as stage:
        body = b'{"model":"double/one","messages":[],"logit_bias":{},"max_completion_tokens":5000,"n":1.0}'
        assert send(stage, body).status_code == 200
        seen = stage["alpha"].posts[0]
        assert raw_members(seen.body) == {
            "model": b'"double/one"',
            "messages": b"[]",
            "max_tokens": b"100",
            "n": b"1.0",
            "top_p": b"0.5",
        }
        assert seen.headers["x-app"] == "someone"


def test_a_request_carries_the_providers_key_and_nothing_of_the_clients(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        send(stage, b'{"model":"auto","messages":[]}', authorization="Bearer any", cookie="a=b", **{"x-api-key": "any"})
        headers = stage["alpha"].posts[0].headers
        assert headers["authorization"] == f"Bearer {key_of('alpha')}"
        assert headers["accept-encoding"] == "identity"
        assert headers["content-type"] == "application/json"
        assert {"cookie", "x-api-key"}.isdisjoint(headers)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"auto","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"auto","messages":[],"temperature":NaN,"top_p":-Infinity}',
        b'\xef\xbb\xbf{"model":"auto","messages":[]}',
        b' \n{"model":"auto","messages":[]}\n ',
        '{"model":"auto","messages":[{"role":"user","content":"é"}]}'.encode("utf-16"),
        b'{"mod\\u0065l":"auto","messages":[]}',
        b'{"model":"auto","messages":[],"a":1,"a":2}',
        b'{"model":"auto","messages":"anything at all"}',
        b'{"model":"auto","messages":null}',
    ],
)
def test_whatever_pythons_json_accepts_is_accepted(tmp_path: Path, body: bytes) -> None:
    with GatewayStage(tmp_path) as stage:
        assert send(stage, body).status_code == 200
        assert json.loads(stage["alpha"].posts[0].body)["messages"] == json.loads(body)["messages"]


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"  ", None),
        (b"hunter2hunter2", None),
        (b'{"model":"auto","messages":["hunter2hunter2"]', None),
        (b'{"model":"auto","messages":[]} hunter2hunter2', None),
        (b'{"model":"auto","messages":["hunter2hunter2",]}', None),
        (b"\xff\xfe\xfd", None),
        (b'["hunter2hunter2"]', None),
        (b'"hunter2hunter2"', None),
        (b"null", None),
        (b"12", None),
        (b'{"model":"auto","messages":' + DEEP + b"}", None),
        (DEEP, None),
        (b'{"messages":["hunter2hunter2"]}', "model"),
        (b'{"model":12,"messages":["hunter2hunter2"]}', "model"),
        (b'{"model":["hunter2hunter2"],"messages":[]}', "model"),
        (b'{"model":false,"messages":[]}', "model"),
        (b'{"model":"auto","model":"hunter2hunter2","messages":[]}', "model"),
        (b'{"model":"auto","messages":[],"m\\u006fdel":"auto"}', "model"),
        (b'{"model": "auto", "stream": true, "messages": [], "stream": false}', "stream"),
        (b'{"stream":true,"model":"auto","stream":true,"messages":[]}', "stream"),
        (b'{"model":"auto","messages":[],"stream_options":{},"stream_options":{}}', "stream_options"),
        (b'{"model":"auto","prompt":"hunter2hunter2"}', "messages"),
    ],
)
def test_a_malformed_request_is_a_400_that_does_not_quote_it(tmp_path: Path, body: bytes, param: str | None) -> None:
    with GatewayStage(tmp_path) as stage:
        answer = send(stage, body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        assert error["message"]
        assert "hunter2" not in answer.text
        assert answer.headers["x-should-retry"] == "false"
        assert answer.headers["x-freeride-request-id"] == error["request_id"]
        assert not stage["alpha"].seen


def test_embeddings_need_an_input(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        answer = send(stage, b'{"model":"double/embed","messages":[]}', "/v1/embeddings")
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "input"


# Answers

ANSWER = (
    b'\n{ "choices" : [{"message":{"content":"Hi \\u00e9 \\/","x":null},"finish_reason":"stop","logprobs":null}],'
    b'"id":"1", "id":"2","created":1.763e9,"usage":{"cost":0.000}, "z":{"}":"}"} }'
)


def test_an_answer_is_passed_on_byte_for_byte_but_for_the_stamp(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, ANSWER + b"\n\n"))
        answer = stage.ask()
        assert answer.content == ANSWER[:-1] + b',"_freeride_provider":"alpha"}\n\n'
        assert list(answer.json())[-1] == "_freeride_provider"


def test_the_stamp_can_be_switched_off(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, stamp_body=0) as stage:
        stage["alpha"].answer = always(reply(200, ANSWER))
        answer = stage.ask()
        assert answer.content == ANSWER
        assert answer.headers["x-freeride-provider"] == "alpha"


def test_an_answer_says_who_gave_it_and_passes_limits_and_ids_on(tmp_path: Path) -> None:
    headers = {
        "X-RateLimit-Remaining-Requests": "12",
        "ratelimit-policy": '"burst";q=100',
        "x-request-id": "up-1",
        "x-region": "north",
        "set-cookie": "a=b",
        "access-control-allow-origin": "*",
        "x-internal": "yes",
    }
    with GatewayStage(tmp_path, provider("alpha", response_headers=("x-region",))) as stage:
        stage["alpha"].answer = always(reply(200, completion(), headers))
        answer = stage.ask(model="double/one")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-freeride-provider"] == "alpha"
        assert answer.headers["x-freeride-model"] == "double/one"
        assert answer.headers["x-freeride-attempts"] == "1"
        assert answer.headers["x-freeride-request-id"] != "up-1"
        passed = {name: answer.headers.get(name) for name in headers}
        assert passed == {
            "X-RateLimit-Remaining-Requests": "12",
            "ratelimit-policy": '"burst";q=100',
            "x-request-id": "up-1",
            "x-region": "north",
            "set-cookie": None,
            "access-control-allow-origin": None,
            "x-internal": None,
        }


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_encoded_answer_is_decoded(tmp_path: Path, encoding: str) -> None:
    packed = gzip.compress(ANSWER) if encoding == "gzip" else zlib.compress(ANSWER)
    with GatewayStage(tmp_path, stamp_body=0) as stage:
        stage["alpha"].answer = always(reply(200, packed, {"content-encoding": encoding}))
        answer = stage.ask(headers={"accept-encoding": "identity"})
        assert answer.content == ANSWER
        assert "content-encoding" not in answer.headers


def test_an_encoded_stream_is_decoded(tmp_path: Path) -> None:
    said = [chunk({"content": "Hi"}), chunk({}, "stop"), DONE]
    packed = gzip.compress(b"".join(said))
    head = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([head, framed(packed[:20]), framed(packed[20:]), b"0\r\n\r\n"])
        assert stage.ask(stream=True).content == b"".join(said)


def test_an_encoded_error_is_decoded(tmp_path: Path) -> None:
    body = gzip.compress(json.dumps({"error": {"message": "temperature must be <= 2"}}).encode())
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(400, body, {"content-encoding": "gzip"}))
        assert stage.ask().json()["error"]["message"] == "temperature must be <= 2"


def test_an_encoding_that_is_broken_is_passed_over(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, b"not gzip at all", {"content-encoding": "gzip"}))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert not stage.cooled()


def test_a_model_that_answers_under_another_name_is_reported_as_it_was_asked(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(reply(200, completion(model="something-else")))
        answer = stage.ask()
        assert answer.headers["x-freeride-model"] == "double/one"
        assert answer.json()["model"] == "something-else"


def test_many_requests_can_follow_on_one_connection(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        connection = stage.raw(post_of(b'{"model":"auto","messages":[]}') * 3)
        received = b""
        while received.count(b'"_freeride_provider":"alpha"}') < 3:
            data = connection.recv(65536)
            assert data, received
            received += data
        connection.close()
