"""Clocks that jump: a laptop that slept, and one whose wall clock was set anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from clock import ManualClock
from cooling import cool, key
from fake_upstream import (
    HANG,
    RESET,
    GatewayStage,
    ReceivedRequest,
    Script,
    always,
    ask_at_once,
    good,
    provider,
    refusal,
    until,
)
from freeride_core import Model
from freeride_core.answer import ErrorKind
from freeride_core.ledger.cooldowns import Cooldown, Cooldowns
from freeride_core.ledger.readiness import Ledger, Readiness
from freeride_core.ledger.slots import Slot
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry

HOUR_S = 3600.0
SLOT = Slot("alpha", "*", "m")


def jump(stage: GatewayStage, seconds: float) -> None:
    """Sets the wall clock, and leaves the one that counts on alone: it stands still while a laptop sleeps."""
    now = stage.thread.gateway.now
    stage.thread.gateway.now = stage.thread.gateway.ledger.now = lambda: now() + seconds


# Asleep


def hang_up(_: ReceivedRequest) -> Script:
    raise ConnectionResetError


def is_silent(_: ReceivedRequest) -> Script:
    """The other end is gone, and nobody says so: a router has forgotten the connection."""
    return [HANG]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("dead", [is_silent, always([RESET]), hang_up])
def test_after_a_laptop_has_slept_the_next_requests_are_served_at_once(
    tmp_path: Path, dead: Callable[[ReceivedRequest], Script], streams: bool
) -> None:
    with GatewayStage(tmp_path, first_byte_timeout=2.0, answer_timeout=2.0) as stage:
        stage["alpha"].answer = lambda seen: [0.2, *good(seen)]
        ask_at_once(stage, 4)
        old = stage["alpha"].connections
        assert old >= 2
        jump(stage, 8 * HOUR_S)
        stage["alpha"].answer = lambda seen: dead(seen) if seen.connection <= old else good(seen)
        answers = ask_at_once(stage, 3, stream=streams)
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["x-freeride-provider"] for answer in answers} == {"alpha"}
        assert {answer.headers["x-freeride-attempts"] for answer in answers} == {"1"}
        assert not stage.cooled()
        assert all(seen.connection > old for seen in stage["alpha"].posts[4:]), (
            "after such a time no connection is believed"
        )


def test_a_clock_that_is_set_back_costs_kept_connections_and_nothing_else(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage.ask()
        jump(stage, -8 * HOUR_S)
        assert stage.ask().headers["x-freeride-attempts"] == "1"
        assert stage.ask().headers["x-freeride-attempts"] == "1"
        assert [seen.connection for seen in stage["alpha"].posts] == [1, 2, 2]


def test_what_ended_while_a_laptop_slept_is_over_when_it_wakes(tmp_path: Path) -> None:
    gamma = provider("gamma", rank=200)
    with GatewayStage(tmp_path, provider("alpha"), provider("beta"), gamma) as stage:
        stage["alpha"].answer = always(refusal(429, headers={"Retry-After": str(7 * 3600)}))
        stage["beta"].answer = always(refusal(402, headers={"Retry-After": str(9 * 3600)}))
        assert stage.ask().headers["x-freeride-provider"] == "gamma"
        jump(stage, 8 * HOUR_S)
        stage["alpha"].answer = good
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
        assert [(slot.provider, kind) for slot, (kind, _) in stage.cooled().items()] == [("beta", "quota_exhausted")]


def test_a_provider_that_was_down_before_the_sleep_is_probed_and_back_after_it(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(500))
        assert stage.ask().headers["x-freeride-provider"] == "beta"
        jump(stage, 8 * HOUR_S)
        stage["alpha"].answer = good
        assert stage.ask().headers["x-freeride-provider"] == "alpha"
        assert not stage.thread.gateway.ledger.cooldowns, "the outage is forgotten"


# Set back


def test_a_cooldown_lasts_no_longer_than_it_was_to_after_the_clock_is_set_back() -> None:
    clock = ManualClock()
    ledger = Ledger(clock, lambda _: None)
    cool(ledger, ErrorKind.RATE_LIMIT, sent_at=clock.now - 1)
    clock.now -= 8 * HOUR_S
    ledger.cooldowns.follow_clock(clock.now)
    assert ledger.state(key(), "m").readiness is Readiness.COOLING, "the upstream has not changed its mind"
    clock.now += 59
    assert ledger.state(key(), "m").readiness is Readiness.COOLING
    clock.now += 2
    assert ledger.state(key(), "m").readiness is Readiness.READY


def test_a_clock_that_goes_back_a_little_moves_nothing() -> None:
    written: list[Entry] = []
    cooldowns = Cooldowns(written.append)
    cooldown = Cooldown("auth", 1300.0, 1, 1000.0)
    cooldowns.set(SLOT, cooldown)
    cooldowns.follow_clock(999.0)
    assert cooldowns.get(SLOT) == cooldown
    assert len(written) == 1


def test_the_whole_machine_hears_that_a_cooldown_was_moved(tmp_path: Path) -> None:
    with GatewayStage(tmp_path) as stage:
        stage["alpha"].answer = always(refusal(401))
        stage.ask()
        jump(stage, -8 * HOUR_S)
        until(lambda: 0 < min(left_s for _, left_s in stage.cooled().values()) <= 300)
        now = stage.thread.gateway.now()
        ends: list[float] = []

        def is_written() -> bool:
            store = SqliteStore(tmp_path / "state.db")
            ends[:] = [entry.value["until"] for entry in store.read_all() if entry.section == "cooldown"]
            store.close()
            return len(ends) == 1 and ends[0] <= now + 310

        until(is_written)


def test_outages_before_the_clock_was_set_back_do_not_count_as_of_this_minute() -> None:
    clock = ManualClock()
    ledger = Ledger(clock, lambda _: None)
    assert not ledger.note_outage(key(), "one")
    assert not ledger.note_outage(key(), "two")
    clock.now -= 8 * HOUR_S
    assert not ledger.note_outage(key(), "three")
    assert not ledger.note_outage(key(), "four")
    assert ledger.note_outage(key(), "five"), "three of this minute do"


def test_what_was_learned_at_a_time_that_has_not_come_is_asked_again() -> None:
    clock = ManualClock()
    learned = Ledger(clock, lambda _: None).learned
    learned.note_missing("alpha", "m", "tools", clock.now)
    learned.note_too_big("alpha", "m", 9000, clock.now)
    assert learned.missing("alpha", "m", ("tools",), clock.now) == {"tools"}
    assert learned.refuses("alpha", "m", 9000, clock.now)
    year_ago = clock.now - 365 * 24 * HOUR_S
    assert not learned.missing("alpha", "m", ("tools",), year_ago)
    assert not learned.refuses("alpha", "m", 9000, year_ago)
    learned.note_too_big("alpha", "m", 9500, year_ago)
    assert learned.refuses("alpha", "m", 9500, year_ago)


def is_served(stage: GatewayStage, model: str) -> bool:
    return stage.ask(model).status_code == 200


def test_a_gateway_whose_clock_is_set_back_goes_on_to_serve(tmp_path: Path) -> None:
    models = (Model(id="double/one", canonical="double/one"), Model(id="double/two", canonical="double/two"))
    with GatewayStage(tmp_path, provider("alpha", models=models)) as stage:
        stage["alpha"].answer = always(refusal(500))
        assert stage.ask().status_code == 503
        jump(stage, -8 * HOUR_S)
        stage["alpha"].answer = good
        # All are down, so the soonest is tried.
        for model in models:
            until(partial(is_served, stage, model.id))
        assert not stage.cooled()
