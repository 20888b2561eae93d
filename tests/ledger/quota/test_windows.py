"""Windows against the upstreams' own, whatever is asked of them and whenever."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.ledger.quota.fixed import FixedWindow
from freeride_core.ledger.quota.rolling import RollingWindow
from freeride_core.ledger.quota.window import ConcurrencyWindow, LeakyWindow, Window

START = 1_790_000_000.0
KINDS: dict[str, Callable[[float], Window]] = {
    "fixed": lambda amount: FixedWindow(amount, 60.0),
    "rolling": lambda amount: RollingWindow(amount, 60.0),
    "leaky": lambda amount: LeakyWindow(amount, 60.0),
}
STEPS = st.lists(st.tuples(st.floats(0, 45), st.floats(0.01, 12)), min_size=1, max_size=60)


def admitted(window: Window, steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """When each need is sent, by a client that waits for its turn, and the need."""
    now, sent = START, []
    for pause, need in steps:
        now += pause
        wait = window.wait(need, now)
        if wait is not math.inf and wait < 3600:
            window.take(need, now + wait, now)
            sent.append((now + wait, need))
    return sorted(sent)


def most_in_any_window(kind: str, sent: list[tuple[float, float]], amount: float) -> float:
    """What the upstream counts at most."""
    if kind == "fixed":
        minutes = {at // 60 for at, _ in sent}
        return max((sum(need for at, need in sent if at // 60 == minute) for minute in minutes), default=0.0)
    if kind == "rolling":
        return max((sum(need for at, need in sent if end - 60 < at <= end) for end, _ in sent), default=0.0)
    level, before, most = 0.0, START, 0.0
    for at, need in sent:
        level = max(0.0, level - (at - before) * amount / 60) + need
        before, most = at, max(most, level)
    return most


@pytest.mark.parametrize("kind", KINDS)
@given(STEPS)
def test_no_true_window_takes_more_than_its_amount(kind: str, steps: list[tuple[float, float]]) -> None:
    sent = admitted(KINDS[kind](10.0), steps)
    assert most_in_any_window(kind, sent, 10.0) <= 10.0 + 1e-3


@given(STEPS)
def test_a_rolling_window_suits_a_fixed_one_of_any_phase(steps: list[tuple[float, float]]) -> None:
    sent = admitted(RollingWindow(10.0, 60.0), steps)
    for phase in range(0, 60, 7):
        shifted = [(at + phase, need) for at, need in sent]
        assert most_in_any_window("fixed", shifted, 10.0) <= 10.0 + 1e-3


@pytest.mark.parametrize("kind", KINDS)
@given(STEPS, st.floats(0.01, 10), st.floats(0, 30))
def test_what_is_given_back_was_never_taken(
    kind: str, steps: list[tuple[float, float]], need: float, pause: float
) -> None:
    window = KINDS[kind](10.0)
    sent = admitted(window, steps)
    now = sent[-1][0] + pause if sent else START
    before = window.used(now)
    at = now + window.wait(need, now)
    window.take(need, at, now)
    window.give(need, at)
    assert window.used(now) == pytest.approx(before, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@given(STEPS, st.floats(0.01, 10))
def test_at_the_end_of_a_wait_there_is_room(kind: str, steps: list[tuple[float, float]], need: float) -> None:
    window = KINDS[kind](10.0)
    sent = admitted(window, steps)
    now = sent[-1][0] if sent else START
    wait = window.wait(need, now)
    assert 0 <= wait <= 400
    assert window.wait(need, now + wait) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("kind", ["rolling", "leaky"])
@given(STEPS, st.floats(0.01, 10), st.floats(0.01, 10))
def test_who_comes_first_is_served_first(
    kind: str, steps: list[tuple[float, float]], first: float, second: float
) -> None:
    window = KINDS[kind](10.0)
    sent = admitted(window, steps)
    now = sent[-1][0] if sent else START
    first_wait = window.wait(first, now)
    window.take(first, now + first_wait, now)
    second_wait = window.wait(second, now)
    assert second_wait >= first_wait or second < first  # a leaky window lets a smaller one pass where both have room
    window.take(second, now + second_wait, now)
    window.give(first, now + first_wait)  # the first one is cancelled
    window.give(second, now + second_wait)
    assert window.wait(second, now) <= second_wait + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_what_never_fits_waits_for_ever(kind: str) -> None:
    assert KINDS[kind](10.0).wait(10.5, START) == math.inf


@pytest.mark.parametrize("kind", KINDS)
def test_a_shut_window_opens_just_after_the_moment_it_was_told(kind: str) -> None:
    window = KINDS[kind](10.0)
    window.shut(START + 7.5)
    assert window.wait(1, START) == pytest.approx(7.52)
    window.shut(START + 3)
    assert window.wait(1, START + 7) == pytest.approx(0.52)


@pytest.mark.parametrize("kind", KINDS)
def test_an_upstreams_count_replaces_ours(kind: str) -> None:
    window = KINDS[kind](100.0)
    window.take(30, START, START)
    window.believe(90, START, START + 15)
    assert window.used(START) == pytest.approx(90)
    assert window.wait(20, START) > 0
    window.believe(10, START + 1, None)
    assert window.used(START + 1) == pytest.approx(10)
    assert window.wait(20, START + 1) == 0


def test_what_others_used_leaves_a_rolling_window_when_it_is_told() -> None:
    window = RollingWindow(100.0, 60.0)
    window.take(30, START, START)
    window.believe(90, START + 1, START + 16)
    assert window.wait(20, START + 1) == pytest.approx(15, abs=0.3)


@pytest.mark.parametrize("kind", KINDS)
@given(STEPS)
def test_what_is_saved_is_loaded(kind: str, steps: list[tuple[float, float]]) -> None:
    window, other = KINDS[kind](10.0), KINDS[kind](10.0)
    sent = admitted(window, steps)
    other.load(window.saved())
    for after in (0.0, 10.0, 70.0):
        now = (sent[-1][0] if sent else START) + after
        assert other.used(now) == pytest.approx(window.used(now), abs=0.01)


def test_few_moments_of_a_rolling_day_are_kept() -> None:
    window = RollingWindow(1e9, 86400.0)
    for second in range(0, 2 * 86400, 20):
        window.take(1, START + second, START + second)
        window.used(START + second)
    assert len(window.saved()) <= 242
    assert window.used(START + 2 * 86400) == pytest.approx(86400 / 20, rel=0.01)


def test_requests_under_way_are_all_that_a_concurrency_window_counts() -> None:
    window = ConcurrencyWindow(1, 60.0)
    window.take(1, START, START)
    assert window.wait(1, START + 3000) == ConcurrencyWindow.USUAL_S
    window.give(1, START)
    assert window.wait(1, START) == 0


@pytest.mark.parametrize(
    ("zone", "at", "ends"),
    [
        ("UTC", "2026-12-02T15:00:00+00:00", "2026-12-03T00:00:00+00:00"),
        ("America/Los_Angeles", "2026-12-02T15:00:00+00:00", "2026-12-03T08:00:00+00:00"),
        ("America/Los_Angeles", "2026-11-01T08:30:00+00:00", "2026-11-02T08:00:00+00:00"),  # 25 hours
        ("America/Los_Angeles", "2027-03-14T20:00:00+00:00", "2027-03-15T07:00:00+00:00"),  # 23 hours
    ],
)
def test_a_day_ends_at_midnight_of_its_zone(zone: str, at: str, ends: str) -> None:
    window = FixedWindow(1.0, 86400.0, ZoneInfo(zone))
    now = datetime.fromisoformat(at).timestamp()
    window.take(1, now, now)
    assert now + window.wait(1, now) == datetime.fromisoformat(ends).timestamp()


@pytest.mark.parametrize(
    ("at", "ends"),
    [("2026-12-31T23:59:00", "2027-01-01"), ("2027-01-30T00:00:00", "2027-02-01"), ("2028-02-29", "2028-03-01")],
)
def test_a_month_ends_with_the_calendars(at: str, ends: str) -> None:
    window = FixedWindow(1.0, 30 * 86400.0)
    now = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    window.take(1, now, now)
    assert window.frees_at(now) == datetime.fromisoformat(ends).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("kind", KINDS)
@given(STEPS, st.floats(0.01, 10), st.floats(0, 200))
def test_looking_ahead_changes_nothing(kind: str, steps: list[tuple[float, float]], need: float, ahead: float) -> None:
    window = KINDS[kind](10.0)
    sent = admitted(window, steps)
    now = sent[0][0] if sent else START
    before = window.wait(need, now)
    window.wait(need, now + ahead)
    assert window.wait(need, now) == before
