"""When an upstream can be asked again, in all the ways in which upstreams say it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freeride_core.answer import Answer
from freeride_core.compatible.errors import UpstreamErrorBody
from freeride_core.compatible.retry_after import (
    LONGEST,
    duration,
    in_body,
    in_prose,
    in_windows,
    moment,
    of,
    retry_after,
)

NOW = 1_795_406_400.0
DAY = 86_400
WHOLE = st.integers(min_value=0, max_value=2 * DAY)


def http_date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)


def iso_date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def near(seconds: float | None) -> Any:
    """What floats make of it."""
    return None if seconds is None else pytest.approx(seconds, abs=1e-5)


SENSELESS = [
    "",
    " ",
    "-1",
    "-0.5",
    "+5",
    "abc",
    "1e3",
    "0x10",
    "1,5",
    "NaN",
    "inf",
    "Infinity",
    "5 5",
    "--",
    "٣",
    "1.2.3",
]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0.0", 0),
        ("1", 1),
        ("7", 7),
        ("7.66", 7.66),
        ("0.2", 0.2),
        (" 30 ", 30),
        ("17s", 17),
        ("0s", 0),
        ("825ms", 0.825),
        ("1200ms", 1.2),
        ("2m59.56s", 179.56),
        ("7m12.5s", 432.5),
        ("24h0m0s", DAY),
        ("1h26m24s", 5184),
        ("1d", DAY),
        ("2d", LONGEST),
        ("90000", LONGEST),
        ("1000000000", None),
        ("9" * 400, None),
        ("9" * 400 + "s", None),
        ("5x", None),
        ("s", None),
        ("5s!", None),
        ("ſ", None),
        ("5ſ", None),
        *((text, None) for text in SENSELESS),
    ],
)
def test_a_duration_is_kept_as_it_was_told(text: str, seconds: float | None) -> None:
    assert duration(text) == near(seconds)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("7.66", 7.66),
        ("11.382867", 11.382867),
        ("3600000", LONGEST),
        ("17s", 17),
        (http_date(NOW + 37), 37),
        (http_date(NOW), 0),
        (http_date(NOW - 1), None),
        (http_date(NOW + 40 * DAY), LONGEST),
        ("Mon, 23 Nov 2026 04:00:05 GMT", 5),
        ("Monday, 23-Nov-26 04:00:05 GMT", 5),
        ("Mon Nov 23 04:00:05 2026", 5),
        ("Mon, 23 Nov 2026 05:00:05 +0100", 5),
        ("1795406437", None),
        ("1795406437000", None),
        ("soon", None),
        ("Mon", None),
        ("Mon, 99 Nov 2026 04:00:05 GMT", None),
        ("Mon, 23 Nov 2026 04:00:05 +9999", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", None),
        *((text, None) for text in SENSELESS),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("48.697", 48.697),
        ("48.697s", 48.697),
        ("1h26m24s", 5184),
        ("1795406437", 37),
        ("1795406437.5", 37.5),
        ("1795406437000", 37),
        ("1795406436001", 36.001),
        ("1795406399", None),
        ("1795406399000", None),
        ("1800000000", LONGEST),
        (iso_date(NOW + 61), 61),
        ("2026-11-23T04:00:05Z", 5),
        ("2026-11-23T04:00:05.1Z", 5.1),
        ("2026-11-23 04:00:05", 5),
        ("2026-11-23T03:59:59Z", None),
        (http_date(NOW + 5), 5),
        *((text, None) for text in SENSELESS),
    ],
)
def test_a_reset_is_a_duration_or_a_point_in_time(text: str, seconds: float | None) -> None:
    assert moment(text, NOW) == near(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 3.697s. Need more tokens?", 3.697),
        ("Please try again in 7m12.5s.", 432.5),
        ("Please try again in 25m7.68s.", 1507.68),
        ("try again in 825ms", 0.825),
        ("Please retry in 41.123456789s.", 41.123456789),
        ("retry after 30 seconds", 30),
        ("Retry-After: 30 seconds", 30),
        ("Retry: 5 s", 5),
        ("Please wait 5 minutes before the next request", 300),
        ("wait for at least 1 hour", 3600),
        ("wait for 1 hour 30 minutes.", 5400),
        ("wait 1 hour, 2 minutes and 5 seconds", 3725),
        ("wait 2 minutes, 3 models are left", 120),
        ("available again in about 2 hrs", 7200),
        ("The limit resets in 12h", 43_200),
        ("The limit will reset after 3 days", LONGEST),
        ("RETRY AFTER 10 SECONDS", 10),
        ("retry after 1500 milliseconds", 1.5),
        ("try again in 0 seconds", 0),
        ("within 30 seconds of joining", None),
        ("retry within 30 seconds of joining", None),
        ("Limit 8000, Used 6493, Requested 2000", None),
        ("limited to 20 API calls / minute", None),
        ("Rate limit exceeded: 40 requests per minute", None),
        ("retry 3 times", None),
        ("retry 3 models", None),
        ("try again in 3 months", None),
        ("await 5 seconds", None),
        ("retrying 5 seconds", None),
        ("presets 5 minutes", None),
        ("Please try again later.", None),
        ("try again in -5 seconds", None),
        ("try again in 5", None),
        ("wait 5\u017f", None),
        ("", None),
    ],
)
def test_only_words_that_promise_something_make_a_number_a_hint(text: str, seconds: float | None) -> None:
    assert in_prose(text) == near(seconds)


@pytest.mark.parametrize(
    "text", ["wait" + " " * 20_000, "wait " * 5000, "wait " + "1" * 20_000, "retry " + "1s" * 10_000 + "!"]
)
def test_no_prose_takes_long(text: str) -> None:
    assert in_prose(text) in (None, 10_000)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"retry_after": 30}, 30),
        ({"retry_after": 28.181}, 28.181),
        ({"retry_after": "28.181"}, 28.181),
        ({"retry_after": 0}, 0),
        ({"retry_after_ms": 1500}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"error": {"reset_at": "2026-11-23T04:00:05Z"}}, 5),
        ({"resetsAt": 1_795_406_437}, 37),
        ({"Retry_After": 30}, 30),
        ({"retryAfter": 30}, 30),
        ({"error": {"metadata": {"retry_after_seconds": 29}}}, 29),
        ({"error": {"details": [{"@type": "x"}, {"@type": "RetryInfo", "retryDelay": "17s"}]}}, 17),
        ({"error": {"metadata": {"headers": {"X-RateLimit-Reset": "1795406437000"}}}}, 37),
        ({"error": {"metadata": {"headers": {"Retry-After": "29"}}}}, 29),
        ({"headers": {"Retry-After": http_date(NOW + 9)}}, 9),
        ([{"retry_after": 5}], 5),
        ({"a": {"retry_after": 5}, "retry_after": 6}, 6),
        ({"retry_after": None, "b": {"retry_after": 7}}, 7),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"retry_after": 1}}}}}}}, 1),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"retry_after": 1}}}}}}}}, None),
        ({"retry_after": -1}, None),
        ({"retry_after": True}, None),
        ({"retry_after": [5]}, None),
        ({"retry_after": 1_795_406_437}, None),
        ({"retry_after": math.nan}, None),
        ({"retry_after": math.inf}, None),
        ({"retry_after": 10**400}, None),
        ({"retry": 5, "after": 5, "seconds": 5}, None),
        ("retry_after", None),
        (None, None),
        (5, None),
        ([], None),
    ],
)
def test_a_body_says_it_in_a_field(body: Any, seconds: float | None) -> None:
    assert in_body(body, NOW) == seconds


def quoting(value: object, times: int = 1) -> str:
    text = json.dumps(value)
    for _ in range(times - 1):
        text = json.dumps({"message": text})
    return text


RETRY_INFO = {"error": {"code": 429, "details": [{"@type": "google.rpc.RetryInfo", "retryDelay": "17s"}]}}


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        ({"message": "Provider returned error", "code": 429, "metadata": {"raw": quoting(RETRY_INFO)}}, 17),
        ({"message": "Provider returned error", "metadata": {"raw": quoting([RETRY_INFO])}}, 17),
        ({"message": quoting(RETRY_INFO)}, 17),
        ({"message": "UpstreamException - " + quoting(RETRY_INFO)}, 17),
        ({"message": "x", "details": quoting(RETRY_INFO)}, 17),
        ({"message": "x", "details": [quoting(RETRY_INFO)]}, 17),
        ({"message": "x", "body": quoting(RETRY_INFO, times=2)}, 17),
        ({"metadata": {"raw": quoting({"retry_after": 30})}}, 30),
        ({"metadata": {"raw": quoting({"headers": {"Retry-After": "29"}})}}, 29),
        ({"metadata": {"raw": quoting({"headers": {"X-RateLimit-Reset": "1795406437000"}})}}, 37),
        ({"metadata": {"raw": quoting({"error": {"message": "Please try again in 3.5s."}})}}, 3.5),
        ({"metadata": {"body": quoting({"error": {"message": "Please try again in 3.5s."}})}}, 3.5),
        ({"metadata": {"raw": "x is rate-limited. Please try again in 12 seconds"}}, 12),
        ({"message": "Error code: 429 - {'error': {'details': [{'retryDelay': '17s'}]}}"}, 17),
        ({"message": '429 {"error": {"retry_after": 30, "message": "cut sho'}, 30),
        ({"message": quoting(RETRY_INFO), "retry_after": 5}, 5),
        # A quotation without a hint, and what only looks like one.
        ({"message": "x", "metadata": {"raw": quoting({"error": {"message": "slow down"}})}}, None),
        ({"message": "x", "metadata": {"raw": '{"error": '}}, None),
        ({"message": "x", "metadata": {"raw": quoting({"retryDelay": "soon"})}}, None),
        ({"message": "the field 'retry_after' is unknown"}, None),
    ],
)
def test_a_hint_within_a_quotation_counts(error: Any, seconds: float | None) -> None:
    answer = Answer(429, {}, json.dumps({"error": error}).encode(), NOW)
    assert of(answer, UpstreamErrorBody.of(answer).message) == near(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit": '"default";r=0;t=43'}, 43),
        ({"ratelimit": '"minute";r=3;t=9, "day";r=0;t=3600'}, 3600),
        ({"ratelimit": '"minute";r=0;t=9, "day";r=0;t=3600'}, 3600),
        ({"ratelimit": '"default"; r=0; t=43'}, 43),
        ({"ratelimit": "limit=100, remaining=0, reset=43"}, 43),
        ({"ratelimit": "limit=100, remaining=7, reset=43"}, None),
        ({"ratelimit": '"default";r=5;t=43'}, None),
        ({"ratelimit": '"default";r=0'}, None),
        ({"ratelimit": "soon"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "43"}, 43),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "43"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795406437000"}, 37),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2m59.56s"}, 179.56),
        (
            {
                "x-ratelimit-remaining-requests": "7",
                "x-ratelimit-reset-requests": "24h",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "11.5",
            },
            11.5,
        ),
        ({"some-ratelimit-tokens-remaining": "0", "some-ratelimit-tokens-reset": "2026-11-23T04:00:05Z"}, 5),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795406000"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2),
    ],
)
def test_a_window_that_is_used_up_says_when_it_opens(headers: dict[str, str], seconds: float | None) -> None:
    assert of(Answer(429, headers, b"", NOW), "") == near(seconds)
    if "retry-after" not in headers:
        assert of(Answer(503, headers, b"", NOW), "") is None


@given(
    st.dictionaries(st.sampled_from(["ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"]), st.text(max_size=60))
)
def test_no_window_is_too_odd(headers: dict[str, str]) -> None:
    assert is_fit(in_windows(headers, NOW))


@given(st.text('{"retryDelay": 1s}[]\\,', max_size=80))
def test_no_quotation_is_too_odd(text: str) -> None:
    assert is_fit(of(Answer(429, {}, json.dumps({"error": {"message": text}}).encode(), NOW), text))
    assert is_fit(of(Answer(429, {}, text.encode(), NOW), text))


# Properties

ANY_TEXT = st.one_of(
    st.text(max_size=40),
    st.text("0123456789.smhd wait retry in after:-+eE\u017f\u0663", max_size=40),
    st.integers().map(str),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["retry_after", "retryDelay", "Retry-After", "X-RateLimit-Reset", "error"]), inner
        )
    ),
    max_leaves=10,
)


def is_fit(hint: float | None) -> bool:
    return hint is None or 0 <= hint <= LONGEST


@given(ANY_TEXT, JSON, st.floats(min_value=0, max_value=4e9))
@example("0001-01-01", None, NOW)
@example("9999-12-31T23:59:59-23:59", None, NOW)
def test_whatever_is_said_gives_seconds_up_to_a_day_or_nothing(text: str, body: Any, now: float) -> None:
    assert is_fit(duration(text))
    assert is_fit(retry_after(text, now))
    assert is_fit(moment(text, now))
    assert is_fit(in_prose(text))
    assert is_fit(in_prose("try again in " + text))
    assert is_fit(in_body(body, now))


@given(WHOLE)
def test_every_way_says_the_same(seconds: int) -> None:
    expected = min(seconds, DAY)
    hours, minutes = divmod(seconds // 60, 60)
    spelled = f"{hours}h{minutes}m{seconds % 60}s"
    assert duration(str(seconds)) == duration(spelled) == duration(f"{seconds * 1000}ms") == expected
    assert retry_after(http_date(NOW + seconds), NOW) == retry_after(str(seconds), NOW) == expected
    for text in (str(int(NOW) + seconds), str(int(NOW * 1000) + seconds * 1000), iso_date(NOW + seconds), spelled):
        assert moment(text, NOW) == expected
    assert in_prose(f"try again in {spelled}") == in_prose(f"wait {seconds} seconds") == expected
    assert in_body(json.loads(json.dumps({"error": {"retry_after": seconds}})), NOW) == expected


@given(st.floats(min_value=0.001, max_value=DAY))
def test_nobody_is_asked_before_the_time(seconds: float) -> None:
    text = f"{seconds:.3f}"
    hint = duration(text)
    assert hint is not None
    assert hint == pytest.approx(float(text))


@given(st.floats(min_value=1e9, max_value=4e9), st.integers(min_value=1, max_value=DAY))
def test_what_floats_lose_does_not_count(now: float, seconds: int) -> None:
    assert moment(repr(now + seconds), now) == pytest.approx(seconds, abs=1e-3)


@given(st.integers(min_value=1, max_value=10 * 365 * DAY))
def test_what_is_past_is_no_hint(ago: int) -> None:
    assert retry_after(http_date(NOW - ago), NOW) is None
    assert moment(iso_date(NOW - ago), NOW) is None
    assert moment(str(int(NOW) - ago), NOW) is None


def test_a_date_in_no_zone_of_this_earth_is_no_hint() -> None:
    assert retry_after("Mon, 01 Jan 2035 00:00:00 +99999999999999", NOW) is None


# Which word counts


HEADERS = {"retry-after": "1", "x-reset-requests": "4s", "x-reset-tokens": "5s"}
RESETS = ("x-reset-requests", "x-reset-tokens")
BODY = {"retry_after": 2}
PROSE = "try again in 3s"


def _answer(headers: dict[str, str], body: Mapping[str, object]) -> Answer:
    return Answer(429, headers, json.dumps(body).encode(), NOW)


def test_the_header_comes_first_then_the_body_then_its_prose_then_the_resets() -> None:
    headers = dict(HEADERS)
    assert of(_answer(headers, BODY), PROSE, RESETS) == 1
    del headers["retry-after"]
    assert of(_answer(headers, BODY), PROSE, RESETS) == 2
    assert of(_answer(headers, {}), PROSE, RESETS) == 3
    assert of(_answer(headers, {}), "", RESETS) == 4
    del headers["x-reset-requests"]
    assert of(_answer(headers, {}), "", RESETS) == 5
    assert of(_answer(headers, {}), "") is None


def test_a_hint_that_says_nothing_gives_way_to_the_next() -> None:
    headers = {"retry-after": http_date(NOW - 5), "x-reset-requests": "soon", "x-reset-tokens": "5s"}
    assert of(_answer(headers, BODY), PROSE, RESETS) == 2
    assert of(_answer(headers, {"retry_after": "later"}), "try again later", RESETS) == 5


def test_zero_is_a_hint() -> None:
    assert of(_answer({"retry-after": "0"}, BODY), PROSE, RESETS) == 0
    assert of(_answer({}, {"retry_after": 0}), PROSE, RESETS) == 0
    assert of(_answer({"x-reset-requests": "0s", "x-reset-tokens": "5s"}, {}), "", RESETS) == 0
