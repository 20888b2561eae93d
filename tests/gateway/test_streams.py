"""Streams: when they commit, what is held back and sent first, how they end, and what a client hears while it waits."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fake_upstream import (
    DONE,
    HANG,
    RESET,
    SSE_HEAD,
    TEXT,
    GatewayStage,
    Script,
    always,
    chunk,
    completion,
    events_of,
    framed,
    good,
    in_turn,
    provider,
    refusal,
    reply,
    stream,
    text_of,
    until,
)
from freeride_core.gateway.http import sse

ROLE = chunk({"role": "assistant", "content": ""})
WORD = chunk({"content": "Hel"})
STOP = chunk({}, "stop")
HELLO = [ROLE, WORD, chunk({"content": "lo"}), STOP]


COMMENTS: list[Any] = [b": still here\n\n", 0.1] * 300
"""Half a minute of them."""


def said_by(*choices: tuple[int, dict[str, Any], str | None]) -> bytes:
    """One event of a stream with several choices."""
    return chunk(
        {}, choices=[{"index": index, "delta": delta, "finish_reason": finish} for index, delta, finish in choices]
    )


A, B = said_by((0, {"content": "A"}, None)), said_by((1, {"content": "B"}, None))
A_STOPS, B_STOPS = said_by((0, {}, "stop")), said_by((1, {}, "length"))


def kinds(stage: GatewayStage) -> set[str]:
    return {kind for kind, _ in stage.cooled().values()}


# What the client sees


def test_a_stream_says_who_answers_and_passes_the_upstreams_limits_on(tmp_path: Path) -> None:
    head = SSE_HEAD.replace(
        b"\r\n\r\n", b"\r\nx-request-id: up-1\r\nx-ratelimit-remaining: 7\r\nset-cookie: a=b\r\n\r\n"
    )
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([head, *stream(*HELLO, DONE)[1:]])
        answer = stage.ask(stream=True)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-freeride-model"] == "double/one"
        assert answer.headers["x-freeride-attempts"] == "1"
        assert answer.headers["x-freeride-request-id"].startswith("req_")
        assert answer.headers["x-request-id"] == "up-1"
        assert answer.headers["x-ratelimit-remaining"] == "7"
        assert "set-cookie" not in answer.headers


def test_each_chunk_is_passed_on_as_soon_as_it_comes(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(ROLE, WORD, HANG))
        with stage.opened() as answer:
            assert next(answer.iter_raw()).startswith(ROLE)


# Commit


@pytest.mark.parametrize(
    ("delta", "finish"),
    [
        ({"content": "Hi"}, None),
        ({"content": [{"type": "text", "text": "Hi"}]}, None),
        ({"reasoning": "Hm"}, None),
        ({"reasoning_content": "Hm"}, None),
        ({"refusal": "No"}, None),
        ({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "look"}}]}, None),
        ({"function_call": {"name": "look"}}, None),
        ({}, "length"),
        ({}, "content_filter"),
        ({}, "tool_calls"),
    ],
)
def test_a_stream_commits_at_the_first_thing_it_says_or_does(
    tmp_path: Path, delta: dict[str, Any], finish: str | None
) -> None:
    first = chunk(delta, finish)
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(ROLE, first, HANG))
        with stage.opened() as answer:
            assert answer.headers["x-freeride-provider"] == "alpha"
            received = b""
            for data in answer.iter_raw():
                received += data
                if len(received) >= len(ROLE + first):
                    break
            assert received == ROLE + first


def test_what_comes_before_the_first_content_is_held_up_to_64_kib(tmp_path: Path) -> None:
    padding = [b": " + b"x" * 1000 + b"\n\n"] * 70
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(ROLE, *padding, HANG))
        with stage.opened() as answer:
            assert answer.headers["x-freeride-provider"] == "alpha"
            assert next(answer.iter_raw()).startswith(ROLE)


def test_a_failed_walk_answers_a_stream_with_a_plain_503(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for name in ("alpha", "beta"):
            stage[name].answer = always(stream(b'data: {"error": {"code": 429}}\n\n'))
        answer = stage.ask(stream=True)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["error"]["code"] == "rate_limit"


# Patience


@pytest.mark.parametrize("script", [[HANG], [SSE_HEAD, HANG], stream(b": still here\n\n", HANG)])
def test_a_stream_that_does_not_begin_in_time_is_given_up(tmp_path: Path, script: Script) -> None:
    with GatewayStage(tmp_path, first_byte_timeout=0.2) as stage:
        stage["alpha"].answer = always(script)
        answer = stage.ask(stream=True)
        assert answer.headers["x-freeride-provider"] == "beta"
        assert kinds(stage) == {"timeout"}
        assert until(lambda: stage["alpha"].posts[0].gone_after_s), "it is not left running"


def test_comments_give_a_stream_four_times_as_long_to_begin(tmp_path: Path) -> None:
    comment = b": still here\n\n"
    with GatewayStage(tmp_path, first_byte_timeout=0.5) as stage:
        stage["alpha"].answer = always(stream(comment, 0.4, comment, 0.4, *HELLO, DONE))
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "alpha"


def test_a_packages_own_patience_counts_unless_the_user_sets_one(tmp_path: Path) -> None:
    alpha = provider("alpha")
    alpha.first_byte_timeout = 0.2
    with GatewayStage(tmp_path, alpha, provider("beta")) as stage:
        stage["alpha"].answer = always([0.5, *stream(*HELLO, DONE)])
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"
    with GatewayStage(tmp_path / "second", alpha, provider("beta"), first_byte_timeout=30) as stage:
        stage["alpha"].answer = always([0.5, *stream(*HELLO, DONE)])
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "alpha"


def test_a_stream_that_falls_silent_before_it_says_anything_is_given_up(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, first_byte_timeout=5, idle_timeout=0.2) as stage:
        stage["alpha"].answer = always(stream(ROLE, HANG))
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"


@pytest.mark.parametrize(
    "said",
    [
        [ROLE, *COMMENTS],
        [*[ROLE, 0.1] * 300],
        [ROLE, *[chunk({"content": ""}), 0.1] * 300],
        [*[b": still here\n\n", 0.1, chunk({}), 0.1] * 150],
        [*[b"data: \n\n", 0.1] * 300],
        [ROLE, *[b"event: ping\ndata: {}\n\n", 0.1] * 300],
    ],
    ids=["comments after a role", "roles", "empty deltas", "comments between", "empty events", "pings"],
)
def test_nothing_but_content_extends_the_wait_for_it_without_bound(tmp_path: Path, said: list[Any]) -> None:
    with GatewayStage(tmp_path, first_byte_timeout=0.2, idle_timeout=30) as stage:
        stage["alpha"].answer = always(stream(*said))
        began = time.monotonic()
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"
        assert 0.5 < time.monotonic() - began < 15
        assert kinds(stage) == {"timeout"}


def test_an_answer_that_is_not_whole_in_time_is_given_up(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, answer_timeout=0.3) as stage:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        stage["alpha"].answer = always([head, HANG])
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        assert kinds(stage) == {"timeout"}


# The end


def test_a_stream_that_breaks_off_is_told_as_such_and_never_as_complete(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([*stream(ROLE, WORD, ends=False), RESET])
        assert b'"error"' in stage.ask(stream=True).content
        events = until(lambda: stage.events("request_mid_stream_error"))
        assert [(event["provider"], event["kind"]) for event in events] == [("alpha", "network")]
        assert not stage.events("request_complete", "request_failed")


def test_an_answer_that_speaks_of_errors_is_none(tmp_path: Path) -> None:
    text = 'The body was {"error": {"code": 429}}, said "event: error", and ended in [DONE].'
    said = [chunk({"content": text}), chunk({"content": "data: [DONE]"}), STOP, DONE]
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(*said))
        assert stage.ask(stream=True).content == b"".join(said)


def test_a_later_request_uses_the_same_connection(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        for _ in range(3):
            assert stage.ask(stream=True).status_code == 200
        assert stage["alpha"].connections == 1


@pytest.mark.parametrize(
    ("said", "is_whole"),
    [
        ([A, B, A_STOPS, B], False),
        ([A, B, A_STOPS, B, B_STOPS], True),
        ([A, B, B_STOPS], False),
        ([A, A_STOPS], True),
        ([A, A_STOPS, B], False),
        ([A, A_STOPS, B, B_STOPS], True),
        ([A, said_by((1, {"role": "assistant"}, None)), A_STOPS], False),
        ([said_by((0, {"content": "A"}, None), (1, {"content": "B"}, None)), A_STOPS], False),
        ([said_by((0, {"content": "A"}, "stop"), (1, {"content": "B"}, None))], False),
        ([said_by((0, {"content": "A"}, "stop"), (1, {"content": "B"}, "stop"))], True),
        ([A, B, said_by((0, {}, "stop"), (1, {}, "stop"))], True),
        ([A, B, A_STOPS + B_STOPS], True),
        ([A, B, said_by((0, {}, ""), (1, {}, "stop")), A_STOPS[:30]], False),
    ],
)
@pytest.mark.parametrize("end", [[RESET], [HANG]], ids=["cut", "silent"])
def test_several_choices_are_whole_when_each_that_began_has_finished(
    tmp_path: Path, said: list[bytes], is_whole: bool, end: Script
) -> None:
    with GatewayStage(tmp_path, idle_timeout=0.3) as stage:
        stage["alpha"].answer = always([*stream(*said, ends=False), *end])
        body = stage.ask(stream=True, n=2).content
    whole_events = [each for each in said if each.endswith(b"\n\n")]
    assert body.startswith(b"".join(whole_events))
    assert (body.endswith(DONE), b'"error"' in body) == (is_whole, not is_whole)


def test_several_choices_end_as_their_stream_does(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(A, B, A_STOPS, B_STOPS, DONE))
        assert stage.ask(stream=True, n=2).content == A + B + A_STOPS + B_STOPS + DONE


EMPTY = chunk({"content": ""})


@pytest.mark.parametrize(
    ("said", "n"),
    [
        ([*HELLO, *COMMENTS], 1),
        ([*HELLO, *[EMPTY, 0.1] * 300], 1),
        ([*HELLO, *COMMENTS], 2),
        ([A, B, A_STOPS, B_STOPS, *COMMENTS], 2),
        ([b"".join(HELLO), *COMMENTS], 1),
        ([A, A_STOPS + B_STOPS, *COMMENTS], 2),
    ],
)
def test_comments_after_the_last_finish_do_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Any], n: int
) -> None:
    monkeypatch.setattr(sse, "ENDING_S", 0.3)
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(*said))
        began = time.monotonic()
        body = stage.ask(stream=True, n=n).content
        assert time.monotonic() - began < 15
        assert body.endswith(DONE)
        assert b'"error"' not in body
        assert not stage.cooled()


@pytest.mark.parametrize("end", [[RESET], [HANG], COMMENTS], ids=["cut", "silent", "comments"])
def test_a_finish_without_a_word_is_an_empty_answer_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Script
) -> None:
    monkeypatch.setattr(sse, "ENDING_S", 0.3)
    steps = [framed(step) if isinstance(step, bytes) else step for step in end]
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([*stream(ROLE, STOP, ends=False), *steps])
        began = time.monotonic()
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"
        assert time.monotonic() - began < 15
        assert not stage.cooled()
    with GatewayStage(tmp_path / "alone", provider("alpha")) as stage:
        stage["alpha"].answer = always([*stream(ROLE, STOP, ends=False), *steps])
        body = stage.ask(stream=True).content
        assert body.startswith(ROLE + STOP)
        assert body.endswith(DONE)


def test_words_after_a_finish_reason_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "ENDING_S", 2.0)
    said: list[Any] = [*HELLO, 0.9, WORD, 0.9, WORD, 0.9, WORD, DONE]
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(stream(*said))
        assert stage.ask(stream=True).content == b"".join(each for each in said if isinstance(each, bytes))


# While the client waits


def test_a_client_that_waits_long_hears_comments_and_then_who_answers(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keep_alive_s=0.2) as stage:
        stage["alpha"].answer = always([0.5, *refusal(500)])
        answer = stage.ask(stream=True)
        assert answer.status_code == 200
        assert answer.headers["x-freeride-request-id"].startswith("req_")
        assert "x-freeride-provider" not in answer.headers
        events = events_of(answer.content)
        comments = [event for event in events if isinstance(event, str) and event.startswith(":")]
        assert len(comments) >= 3
        assert comments[-1] == ": provider=beta model=double/one"
        assert text_of(answer.content).strip() == TEXT
        assert events[-1] == "[DONE]"
        assert events[: len(comments)] == comments, "they all come first"


def test_the_first_comment_comes_while_the_walk_goes_on(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keep_alive_s=0.2) as stage:
        stage["alpha"].answer = always([HANG])
        with stage.opened() as answer:
            assert next(answer.iter_raw()).startswith(b":")
        assert until(lambda: stage["alpha"].posts[0].gone_after_s)


def test_a_walk_that_fails_after_a_comment_ends_in_one_error_event(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, provider("alpha"), keep_alive_s=0.2) as stage:
        stage["alpha"].answer = always([0.3, *refusal(429, headers={"Retry-After": "30"})])
        answer = stage.ask(stream=True)
        assert answer.status_code == 200
        *comments, last = events_of(answer.content)
        assert comments
        assert all(comment.startswith(":") for comment in comments)
        error = last["error"]
        assert (error["type"], error["code"]) == ("all_upstreams_failed", "rate_limit")
        assert error["tried"][0]["provider"] == "alpha"
        assert error["suggestion"]
        assert error["request_id"] == answer.headers["x-freeride-request-id"]
        assert b"[DONE]" not in answer.content


def test_a_client_without_a_stream_hears_nothing_before_its_answer(tmp_path: Path) -> None:
    with GatewayStage(tmp_path, keep_alive_s=0.1) as stage:
        stage["alpha"].answer = always([0.4, *reply(200, completion())])
        answer = stage.ask()
        assert answer.headers["x-freeride-provider"] == "alpha"
        assert answer.json()["choices"]


# What the client asked for


@pytest.mark.parametrize("options", [None, {"include_usage": True}, {"include_usage": False}])
def test_stream_options_are_the_clients_own(tmp_path: Path, options: Any) -> None:
    with GatewayStage(tmp_path) as stage:
        usage = chunk({}, choices=[], usage={"completion_tokens": 2})
        stage["alpha"].answer = always(stream(*HELLO, usage, DONE))
        body = stage.ask(stream=True, stream_options=options).content
        assert stage["alpha"].posts[0].json["stream_options"] == options
        assert (usage in body) is bool(options and options.get("include_usage"))


def test_a_broken_stream_leaves_the_next_request_to_the_next_provider(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = in_turn([*stream(ROLE, WORD, ends=False), RESET])
        assert b'"error"' in stage.ask(stream=True).content
        assert stage.ask(stream=True).headers["x-freeride-provider"] == "beta"


def test_events_of_a_stream_are_told_in_order(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = in_turn(refusal(429, headers={"Retry-After": "9"}))
        request_id = stage.ask(stream=True).headers["x-freeride-request-id"]
        events = until(lambda: stage.events("request_complete") and stage.events())
        assert [event["type"] for event in events] == [
            "request_start",
            "provider_attempt",
            "provider_response",
            "provider_attempt",
            "provider_response",
            "request_complete",
        ]
        assert {event["request_id"] for event in events} == {request_id}
        assert (events[2]["status"], events[2]["retry_after_s"]) == ("RATE_LIMIT", 9)
        assert (events[4]["status"], events[4]["first_chunk"]) == ("OK", True)
        assert json.dumps(events[5]["attempts"]) == "2"


def test_a_chunked_body_in_odd_pieces_is_read_like_any_other(tmp_path: Path) -> None:
    data = b"".join([*HELLO, DONE])
    pieces = [framed(data[at : at + 7]) for at in range(0, len(data), 7)]
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always([SSE_HEAD, *pieces, b"0\r\n\r\n"])
        assert stage.ask(stream=True).content == data
        stage["alpha"].answer = good
        assert stage.ask(stream=True).status_code == 200
