"""What the yield bench stands on: true windows keep their limits, and a scheduler that sees them is never refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.yields.cases import CASES, YieldCase
from bench.yields.report import figures, table
from bench.yields.traffic import MIDNIGHT, constant_load
from bench.yields.windows import (
    DAY_S,
    MINUTE_S,
    AlignedWindow,
    Charge,
    Counting,
    DrainingWindow,
    ParallelWindow,
    SlidingWindow,
    TrueWindow,
)

FEW = settings(max_examples=20)
LIMIT = 10.0
NEEDS = st.lists(st.tuples(st.floats(0, 40), st.floats(0.1, 12)), max_size=60)
"""Seconds since the last call, and what the call takes."""


def admitted(window: TrueWindow, needs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return when what was admitted."""
    now, found = MIDNIGHT, []
    for pause_s, need in needs:
        now += pause_s
        if window.wait(need, now) == 0:
            window.take(need, now, now + 1)
            found.append((now, need))
    return found


def within(calls: list[tuple[float, float]], begin: float, lasts_s: float) -> float:
    return sum(need for at, need in calls if begin <= at < begin + lasts_s - 1e-3)


@FEW
@given(NEEDS)
def test_an_aligned_window_admits_its_limit_in_each_minute_of_the_clock(needs: list[tuple[float, float]]) -> None:
    window = AlignedWindow(name="rpm", limit=LIMIT, period_s=MINUTE_S, counting=Counting.CALL)
    calls = admitted(window, needs)
    minutes = {math.floor(at / MINUTE_S) * MINUTE_S for at, _ in calls}
    assert all(within(calls, minute, MINUTE_S) <= LIMIT + 1e-3 for minute in minutes)


@FEW
@given(NEEDS)
def test_a_sliding_window_admits_its_limit_in_any_minute(needs: list[tuple[float, float]]) -> None:
    calls = admitted(SlidingWindow(name="rpm", limit=LIMIT, period_s=MINUTE_S, counting=Counting.CALL), needs)
    assert all(within(calls, at, MINUTE_S) <= LIMIT + 1e-3 for at, _ in calls)


@FEW
@given(NEEDS)
def test_a_draining_window_admits_its_limit_and_what_has_drained(needs: list[tuple[float, float]]) -> None:
    calls = admitted(DrainingWindow(name="tpm", limit=LIMIT, period_s=MINUTE_S, counting=Counting.CALL), needs)
    for begin, _ in calls:
        for end, _ in calls:
            taken = sum(need for at, need in calls if begin <= at <= end)
            assert end < begin or taken <= LIMIT * (1 + (end - begin) / MINUTE_S) + 1e-3


def make_aligned() -> TrueWindow:
    return AlignedWindow(name="w", limit=LIMIT, period_s=MINUTE_S, counting=Counting.RESERVED)


def make_sliding() -> TrueWindow:
    return SlidingWindow(name="w", limit=LIMIT, period_s=MINUTE_S, counting=Counting.RESERVED)


def make_draining() -> TrueWindow:
    return DrainingWindow(name="w", limit=LIMIT, period_s=MINUTE_S, counting=Counting.RESERVED)


@pytest.mark.parametrize("make", [make_aligned, make_sliding, make_draining])
@FEW
@given(needs=NEEDS)
def test_a_wait_is_over_when_it_says_so_and_no_sooner(
    make: Callable[[], TrueWindow], needs: list[tuple[float, float]]
) -> None:
    window, now = make(), MIDNIGHT
    for pause_s, need in needs:
        now += pause_s
        wait_s = window.wait(need, now)
        if math.isinf(wait_s):
            assert need > LIMIT
            continue
        if wait_s > 0.1:
            assert window.wait(need, now + wait_s - 0.05) > 0
        now += wait_s
        assert window.wait(need, now) <= 2e-6
        window.take(need, now, now + 1)


def test_a_correction_counts_only_while_the_window_holds_the_call() -> None:
    for window in (make_aligned(), make_sliding()):
        charge = window.take(8, MIDNIGHT, MIDNIGHT + 5)
        window.correct(charge, 3, MIDNIGHT + 5)
        assert window.level == 3
        window.take(4, MIDNIGHT + 61, MIDNIGHT + 62)
        window.correct(charge, 9, MIDNIGHT + 62)
        assert window.level == 4


def test_a_day_of_a_zone_has_as_many_hours_as_its_clocks_say() -> None:
    day = AlignedWindow(name="rpd", limit=1, period_s=DAY_S, counting=Counting.CALL, zone="America/Los_Angeles")
    last_day_of_summer = 1_793_516_400.0  # 2026-11-01 00:00 in Los Angeles, whose clocks go back at 2
    day.take(1, last_day_of_summer, last_day_of_summer)
    assert day.wait(1, last_day_of_summer) == pytest.approx(25 * 3600)


def test_a_parallel_window_admits_as_many_calls_as_run_at_a_time() -> None:
    window = ParallelWindow(name="calls", limit=2, period_s=0, counting=Counting.CALL)
    charges: list[Charge] = [window.take(1, 0, ends_at) for ends_at in (5, 3)]
    assert window.wait(1, 1) == 2
    window.end(charges[1], 3)
    assert window.wait(1, 3) == 0


SHORT = replace(CASES["crowded"], traffic=lambda seed, _: constant_load(seed, 8, 20))


@pytest.mark.parametrize("case", [SHORT, CASES["silent"]], ids=["many", "one"])
def test_an_omniscient_scheduler_is_never_refused_and_fails_at_no_open_model(case: YieldCase) -> None:
    tally = case.play("omniscient", 1)
    assert tally.calls >= len(tally.served) > 100
    assert (tally.refused, tally.open_failures) == (0, 0)


def test_a_seed_decides_every_figure() -> None:
    found = [figures({name: [SHORT.play(name, 7)] for name in ("react only", "omniscient")}) for _ in range(2)]
    assert json.dumps(found[0]) == json.dumps(found[1])
    assert "100.0 %" in table("short", found[0])


def test_the_gateway_asks_in_vain_seldom_and_breaks_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    few = replace(SHORT, crowding=0.0, traffic=lambda seed, _: constant_load(seed, 8, 15))
    tallies = {name: [few.play(name, 1)] for name in ("react only", "ledger", "omniscient")}
    assert not caplog.records, "a fault in the quotas changes no response, but there must be none"
    [ledger], [ideal] = tallies["ledger"], tallies["omniscient"]
    assert len(ledger.served) >= 0.95 * len(ideal.served)
    assert ledger.refused <= 0.02 * ledger.calls


def test_waiting_serves_a_whole_window_that_says_nothing() -> None:
    silent = replace(CASES["silent"], traffic=lambda seed, _: constant_load(seed, 50 / 60, 120))
    ledger, ideal = (silent.play(name, 1) for name in ("ledger", "omniscient"))
    assert len(ledger.served) >= 0.95 * len(ideal.served)
