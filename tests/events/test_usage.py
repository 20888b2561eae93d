"""What upstreams report of tokens is read in one place, whatever they send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_upstream import DONE, chunk, completion
from freeride_core.events.usage import ENDING_BYTES, Usage, usage_in_body, usage_in_ending, usage_of
from freeride_core.gateway.http.stream_scanner import StreamScanner

ANSWER = json.dumps(completion()).encode()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["usage", "total_tokens"]), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("report", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}, Usage(5, 6)),
        ({"prompt_tokens": 5, "total_tokens": 5}, Usage(5)),
        ({"total_tokens": 9}, Usage(0, 9)),
        (
            {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 31},
            Usage(5, 26),
        ),  # reasoning in the total alone
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            Usage(100, 50, 64, 40),
        ),
        ({"prompt_tokens": 100, "completion_tokens": 1, "prompt_cache_hit_tokens": 64}, Usage(100, 1, 64)),
        ({"prompt_tokens_details": None, "completion_tokens_details": 7}, Usage()),
        ({"total_tokens": -3, "prompt_tokens": True, "completion_tokens": "6"}, Usage()),
        ({"total_tokens": 10**30}, Usage()),
        ({"prompt_tokens": 1.5}, Usage()),
        (None, Usage()),
        ([], Usage()),
    ],
)
def test_a_report_is_read_by_its_members(report: Any, usage: Usage) -> None:
    assert usage_of(report) == usage


@pytest.mark.parametrize(
    ("ending", "usage"),
    [
        (ANSWER, Usage(3, 4)),
        (b'"x_groq":{"usage":{"total_tokens":3}}}\n\ndata: {"choices":[],"usage":{"total_tokens":4}}\n\n', Usage(0, 4)),
        (b'..."usage":{"total_tokens":9,"details":{"a":1}},"x":1}data: [DONE]', Usage(0, 9)),
        (b'{"usage":null}', Usage()),
        (b'{"usage":{"total_tokens":12', Usage()),
        (b'{"usage":' + b"{" * 4000, Usage()),
        (b'{"content":"usage"}', Usage()),
        (b"", Usage()),
    ],
)
def test_the_last_report_of_an_ending_counts(ending: bytes, usage: Usage) -> None:
    assert usage_in_ending(ending) == usage


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (None, 0),
        ([], 0),
        ({"usage": None}, 0),
        ({"usage": {"completion_tokens": 7}}, 7),
        ({"x": {"usage": {"completion_tokens": 8}}}, 8),
        ({"x": {"y": {"usage": {"completion_tokens": 8}}}}, 0),
    ],
)
def test_a_report_is_found_where_upstreams_put_it(body: object, output: int) -> None:
    assert usage_in_body(body).output == output


@given(JSON)
def test_no_answer_of_an_upstream_breaks_the_reading(body: Any) -> None:
    for usage in (usage_of(body), usage_in_body(body), usage_in_ending(json.dumps(body).encode())):
        assert min(usage.input, usage.output, usage.cached, usage.reasoning) >= 0


def test_a_model_that_writes_a_report_adds_nothing() -> None:
    said = json.dumps(completion('{"usage":{"total_tokens":1000000}}', usage=None)).encode()
    assert usage_in_ending(said) == Usage()


@pytest.mark.parametrize("cut", [1, 7, 100, 10_000])
def test_the_report_of_a_stream_is_found_however_it_is_cut(cut: int) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}\n\n'
    data = chunk({"content": "usage"}) * 50 + chunk({}, "stop") + usage + DONE
    scanner = StreamScanner(lambda _: None)
    passed = b"".join(scanner.feed(data[start : start + cut]) for start in range(0, len(data), cut))
    assert passed == data
    assert usage_in_ending(scanner.ending) == Usage(2, 3)


def test_what_follows_an_early_finish_is_not_hoarded() -> None:
    scanner = StreamScanner(lambda _: None)
    scanner.feed(chunk({}, "stop"))
    for _ in range(100):
        scanner.feed(chunk({"content": "x" * 200}))
    assert len(scanner.ending) <= ENDING_BYTES
