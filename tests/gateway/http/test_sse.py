"""Server-sent events on the byte path: however they are cut, they come out as they went in."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.answer import Failure
from freeride_core.gateway.http.sse import (
    DONE,
    MAX_HELD,
    StreamEvent,
    finish_of,
    parse,
    shows_content,
    split,
)
from freeride_core.gateway.http.stream_scanner import StreamScanner

FAILURE = Failure(kind="rate_limit")
LINE_ENDS = (b"\n", b"\r\n", b"\r")


def find_error(event: StreamEvent) -> Failure | None:
    """A package that knows one shape of error."""
    try:
        content = json.loads(event.data or b"")
    except ValueError:
        return FAILURE if event.name == "error" else None
    return FAILURE if isinstance(content, dict) and content.get("error") else None


def unasked(event: StreamEvent) -> Failure | None:
    raise AssertionError(f"asked about {event!r}")


def fed(relay: StreamScanner, *chunks: bytes) -> bytes:
    return b"".join(relay.feed(chunk) for chunk in chunks)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(borders)]


def text_event(text: str, finish: str | None = None, *, compact: bool = True, **more: object) -> bytes:
    content = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **more}
    separators = (",", ":") if compact else None
    return b"data: " + json.dumps(content, ensure_ascii=False, separators=separators).encode() + b"\n\n"


ODD_TEXT = (
    'U+2028 \u2028, U+0085 \x85, half of an emoji 😀, "error", "finish_reason":"stop", data: [DONE]\n\nevent: error'
)
DATA = text_event("so far")
PLACES = st.lists(st.integers(min_value=0), max_size=12)


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """One block, its lines ended in any of the three ways."""
    lines = draw(
        st.lists(
            st.one_of(
                st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20).map(
                    lambda text: b"data: " + json.dumps({"text": text}, ensure_ascii=False).encode()
                ),
                st.sampled_from([b": a comment", b":", b"data:", b"data", b"id: 7", b"event: ping", b"retry: 3"]),
            ),
            min_size=1,
            max_size=4,
        )
    )
    ends = [draw(st.sampled_from(LINE_ENDS)) for _ in lines]
    blank = draw(st.sampled_from(LINE_ENDS))
    body = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    return body + (b"\r" if body.endswith(b"\r") else blank)


STREAMS = st.lists(blocks(), max_size=8).map(b"".join)


# Events


@pytest.mark.parametrize("end", LINE_ENDS)
def test_all_three_line_ends_end_a_line(end: bytes) -> None:
    assert parse(end.join([b"event: error", b"id: 1", b"data: one", b"data:two", b": no", b"", b""])) == StreamEvent(
        "error", b"one\ntwo"
    )


def test_only_one_space_after_the_colon_is_not_data() -> None:
    assert parse(b"data:  x\n\n").data == b" x"


def test_a_data_line_without_a_colon_is_an_empty_one() -> None:
    assert parse(b"data\ndata: x\n\n").data == b"\nx"


def test_a_block_of_comments_has_no_data() -> None:
    assert parse(b": data: x\n: y\n\n") == StreamEvent("", None)


def test_line_ends_of_unicode_end_no_line() -> None:
    data = json.dumps("\u2028\u2029\x85\x0b\x0c", ensure_ascii=False).encode()
    assert parse(b"data: " + data + b"\n\n").data == data


@pytest.mark.parametrize("block", [b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data: [DONE] \r\r", b"data: [DONE]"])
def test_done_is_recognised_in_every_spelling(block: bytes) -> None:
    assert parse(block).is_done


@pytest.mark.parametrize("block", [b'data: "[DONE]"\n\n', b": [DONE]\n\n", b"event: [DONE]\n\n"])
def test_what_only_looks_like_done_is_not(block: bytes) -> None:
    assert not parse(block).is_done


@given(STREAMS)
def test_blocks_and_rest_are_the_whole(data: bytes) -> None:
    whole, rest = split(data)
    assert b"".join(whole) + rest == data


@given(STREAMS)
def test_every_block_holds_what_one_event_holds(data: bytes) -> None:
    whole, rest = split(data)
    assert rest.strip(b"\r\n") == b""
    normal = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    expected = [parse(block) for block in normal.split(b"\n\n")]
    assert [event for event in map(parse, whole) if event.data is not None] == [
        event for event in expected if event.data is not None
    ]


def test_a_line_end_cut_in_two_does_not_end_an_event() -> None:
    assert split(b"data: a\r") == ([], b"data: a\r")
    assert split(b"data: a\r\n") == ([], b"data: a\r\n")


def test_a_carriage_return_ends_an_event_and_its_line_feed_is_no_other_event() -> None:
    first, rest = split(b"data: a\r\n\r")
    second, _ = split(rest + b"\ndata: b\r\n\r\n")
    assert [parse(block).data for block in first + second] == [b"a", b"b"]


# What events say


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"content": " "},
        {"content": [{"type": "text", "text": "x"}]},
        {"reasoning": "x"},
        {"reasoning_content": "x"},
        {"reasoning_details": [{"text": "x"}]},
        {"refusal": "x"},
        {"tool_calls": [{"index": 0}]},
        {"function_call": {"name": "f"}},
        {"audio": {"data": "x"}},
    ],
)
def test_anything_said_or_done_is_content(delta: dict[str, object]) -> None:
    assert shows_content([{"delta": {}}, {"delta": delta}])
    assert shows_content([{"message": delta}])


def test_text_of_an_older_protocol_is_content() -> None:
    assert shows_content([{"text": "x"}])


@pytest.mark.parametrize(
    "choices",
    [
        None,
        "x",
        {},
        [],
        [None],
        ["content"],
        [{}],
        [{"delta": None}],
        [{"delta": "x"}],
        [{"delta": {"role": "assistant", "content": ""}}],
        [{"delta": {"content": None, "tool_calls": []}}],
        [{"message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
    ],
)
def test_a_role_alone_is_no_content(choices: object) -> None:
    assert not shows_content(choices)


@pytest.mark.parametrize(
    ("choices", "finish"),
    [
        (None, ""),
        ([], ""),
        (["stop"], ""),
        ([{}], ""),
        ([{"finish_reason": None}], ""),
        ([{"finish_reason": 1}], ""),
        ([{"finish_reason": "stop"}], "stop"),
        ([{"finish_reason": None}, {"finish_reason": "length"}], "length"),
    ],
)
def test_a_finish_reason_is_text(choices: object, finish: str) -> None:
    assert finish_of(choices) == finish


# The relay


@given(STREAMS, PLACES)
def test_a_stream_comes_out_as_it_went_in(data: bytes, places: list[int]) -> None:
    relay = StreamScanner(find_error)
    assert fed(relay, *cut(data, places)) + relay.end() == data
    assert relay.failure is None
    assert not relay.is_done
    assert not relay.is_finished


@given(STREAMS)
def test_a_stream_comes_out_as_it_went_in_byte_by_byte(data: bytes) -> None:
    relay = StreamScanner(find_error)
    assert fed(relay, *cut(data, list(range(len(data))))) + relay.end() == data


@pytest.mark.parametrize("blank", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n"])
def test_an_event_is_passed_on_as_soon_as_it_is_whole(blank: bytes) -> None:
    relay = StreamScanner(unasked)
    for number in range(3):
        event = b"data: %d" % number + blank
        assert fed(relay, event[:3], event[3 : -len(blank)]) == b""
        assert relay.feed(blank) == event


def test_an_event_is_passed_on_as_soon_as_it_is_whole_whatever_ended_the_one_before() -> None:
    relay = StreamScanner(unasked)
    data = b"data: a\n\ndata: b\r\rdata: c\n\r\n"
    assert relay.feed(data + b"data: d") == data


def test_a_whole_event_is_passed_on_though_the_next_has_begun() -> None:
    relay = StreamScanner(unasked)
    assert relay.feed(b"data: a\n\ndata: b") == b"data: a\n\n"
    assert relay.feed(b"\n\n") == b"data: b\n\n"


def test_a_line_end_cut_in_two_loses_nothing() -> None:
    relay = StreamScanner(unasked)
    assert relay.feed(b"data: a\r\n\r") == b"data: a\r\n\r"
    assert relay.feed(b"\ndata: b\r\n\r\n") == b"\ndata: b\r\n\r\n"
    assert relay.feed(b"data: c\r") == b""
    assert relay.feed(b"\ndata: d\r\n\r\n") == b"data: c\r\ndata: d\r\n\r\n"


@pytest.mark.parametrize("compact", [True, False])
@given(places=PLACES)
def test_finish_and_done_are_noticed_wherever_the_borders_fall(compact: bool, places: list[int]) -> None:
    data = text_event(ODD_TEXT, compact=compact) + text_event("", "stop", compact=compact)
    relay = StreamScanner(find_error)
    assert fed(relay, *cut(data, places)) == data
    assert relay.is_finished
    assert not relay.is_done
    assert fed(relay, *cut(DONE, places)) == DONE
    assert relay.is_done


@given(PLACES)
def test_text_about_errors_and_ends_is_just_text(places: list[int]) -> None:
    data = text_event(ODD_TEXT) + text_event(json.dumps({"error": {"code": 429}})) + text_event("x", error=None)
    relay = StreamScanner(find_error)
    assert fed(relay, *cut(data, places)) == data
    assert relay.failure is None
    assert not relay.is_finished
    assert not relay.is_done


@pytest.mark.parametrize("value", [b"null", b'""', b" null"])
def test_no_finish_reason_is_no_finish(value: bytes) -> None:
    relay = StreamScanner(unasked)
    relay.feed(b'data: {"choices":[{"finish_reason":' + value + b"}]}\n\n")
    assert not relay.is_finished


def test_a_finish_is_noticed_beside_choices_that_go_on() -> None:
    relay = StreamScanner(unasked)
    relay.feed(b'data: {"choices":[{"finish_reason":null},{"finish_reason" : "stop"}]}\n\n')
    assert relay.is_finished


def test_nothing_follows_done() -> None:
    relay = StreamScanner(unasked)
    assert relay.feed(b"data: a\n\ndata: [DONE]\n\ndata: b\n\ndata: c") == b"data: a\n\ndata: [DONE]\n\n"
    assert relay.feed(b"\n\n") == b""
    assert relay.end() == b""


@pytest.mark.parametrize(
    "error",
    [
        b'data: {"error":{"code":429,"message":"secret"}}\n\n',
        b'data: {"id":"x","error" : {"message":"secret"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}\n\n',
        b"event: error\ndata: secret\n\n",
        b'event: error\r\ndata: {"error":"secret"}\r\n\r\n',
        b'data: {"error":\rdata: "secret"}\r\r',
    ],
)
@given(places=PLACES)
def test_an_error_event_is_never_passed_on_nor_what_follows(error: bytes, places: list[int]) -> None:
    before = text_event("so far")
    relay = StreamScanner(find_error)
    out = fed(relay, *cut(before + error + text_event("", "stop") + DONE, places)) + relay.end()
    assert out == before
    assert relay.failure is FAILURE
    assert not relay.is_finished
    assert not relay.is_done


@given(st.integers(min_value=1))
def test_half_an_error_event_is_not_passed_on(place: int) -> None:
    error = b'event: error\ndata: {"error":{"code":429,"message":"secret"}}\n'
    relay = StreamScanner(find_error)
    assert fed(relay, DATA, error[: 1 + place % len(error)]) + relay.end() == DATA


def test_half_an_event_is_not_passed_on() -> None:
    relay = StreamScanner(unasked)
    finish = text_event("", "stop")
    assert fed(relay, DATA, finish[:-8]) + relay.end() == DATA
    assert not relay.is_finished


def test_a_last_event_that_lacks_only_its_blank_line_is_passed_on() -> None:
    relay = StreamScanner(unasked)
    finish = text_event("", "stop")[:-1]
    assert fed(relay, DATA, finish) == DATA
    assert relay.end() == finish
    assert relay.is_finished


def test_a_last_event_with_half_a_surrogate_pair_is_whole() -> None:
    relay = StreamScanner(unasked)
    event = b'data: {"text":"\\ud83d"}'
    assert relay.feed(event) + relay.end() == event


@pytest.mark.parametrize("done", [b"data: [DONE]", b"data: [DONE]\n", b"data: [DONE]\r\n"])
def test_a_done_without_its_blank_line_gets_it(done: bytes) -> None:
    relay = StreamScanner(unasked)
    assert relay.feed(done) == b""
    assert relay.end() == DONE
    assert relay.is_done


def test_a_last_error_without_its_blank_line_is_noticed() -> None:
    relay = StreamScanner(find_error)
    assert relay.feed(b'data: {"error":"x"}') + relay.end() == b""
    assert relay.failure is FAILURE


@pytest.mark.parametrize("filler", [b"x", b"x,"], ids=["without commas", "with commas"])
@pytest.mark.parametrize("size", [1000, 16_384, 65_536])
def test_a_huge_event_is_passed_on(filler: bytes, size: int) -> None:
    text = (filler * 3 * MAX_HELD).decode()
    data = text_event(text, "length") + DONE
    relay = StreamScanner(find_error)
    passed = b""
    for start in range(0, len(data), size):
        passed += relay.feed(data[start : start + size])
        assert start + size - len(passed) <= MAX_HELD + size
    assert passed == data
    assert relay.is_finished
    assert relay.is_done


@given(st.integers(min_value=0, max_value=60))
def test_a_finish_at_the_end_of_a_huge_event_is_noticed_wherever_the_borders_fall(place: int) -> None:
    data = text_event("x, y" * MAX_HELD, "stop")
    relay = StreamScanner(unasked)
    assert fed(relay, data[: len(data) - place], data[len(data) - place :]) == data
    assert relay.is_finished


def test_a_huge_event_that_breaks_off_is_ended_so_that_something_can_follow() -> None:
    data = text_event("x, y" * MAX_HELD)[:-20]
    relay = StreamScanner(unasked)
    assert fed(relay, data) + relay.end() == data + b"\n\n"
    assert not relay.is_finished
