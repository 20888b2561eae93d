"""Errors for the client, in the shape that its SDK understands."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freeride_core.gateway.http.sse import parse, split
from freeride_core.gateway.protocols.errors import ClientError, bad_request, error_body, error_event

ERROR = ClientError(
    status=503,
    message="Nobody answers — wait.",
    type="all_upstreams_failed",
    code="mixed",
    more={"tried": [{"provider": "p"}], "suggestion": "s"},
    retry_after_s=7,
)


def test_an_error_is_on_top_and_whole() -> None:
    assert json.loads(error_body(ERROR, "req_1")) == {
        "error": {
            "message": "Nobody answers — wait.",
            "type": "all_upstreams_failed",
            "code": "mixed",
            "param": None,
            "request_id": "req_1",
            "tried": [{"provider": "p"}],
            "suggestion": "s",
        }
    }


def test_in_a_stream_it_is_one_event_of_its_own() -> None:
    blocks, rest = split(error_event(ERROR, "req_1"))
    assert rest == b""
    assert [parse(block).data for block in blocks] == [error_body(ERROR, "req_1")]


def test_a_client_is_told_when_to_come_back() -> None:
    assert dict(ERROR.headers()) == {b"content-type": b"application/json", b"retry-after": b"7"}


@pytest.mark.parametrize(
    ("wait_s", "is_told_to_stop"), [(None, False), (0, False), (1, False), (60, False), (61, True), (86_400, True)]
)
def test_an_sdk_is_told_not_to_sleep_for_more_than_a_minute(wait_s: int | None, *, is_told_to_stop: bool) -> None:
    headers = dict(dataclasses.replace(ERROR, retry_after_s=wait_s).headers())
    assert headers.get(b"retry-after") == (None if wait_s is None else str(wait_s).encode()), "it stays true"
    assert (headers.get(b"x-should-retry") == b"false") is is_told_to_stop


def test_a_client_is_told_that_no_wait_helps() -> None:
    error = bad_request("No.", param="model", code="c", status=413, more={"names": ["a"]})
    assert dict(error.headers()) == {b"content-type": b"application/json", b"x-should-retry": b"false"}
    assert (error.status, error.type, error.code, error.param) == (413, "invalid_request_error", "c", "model")
    assert json.loads(error_body(error, "r"))["error"]["names"] == ["a"]
    assert bad_request("No.").status == 400


@given(st.text(st.one_of(st.characters(codec=None), st.sampled_from("\ud800\udfff\u2028\r\n"))))
@example("\ud800")
def test_any_text_can_be_told_even_half_a_character(text: str) -> None:
    error = bad_request(text, param=text, more={"x": text})
    told = json.loads(error_body(error, "r").decode())["error"]
    assert told["message"] == told["param"] == told["x"] == text.encode("utf-8", "replace").decode()
    assert len(split(error_event(error, "r"))[0]) == 1
