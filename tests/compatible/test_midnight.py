"""Midnight where the upstream lives, on the days on which clocks change too."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_conformance.audit import watching
from freeride_core import Midnight

PACIFIC = "America/Los_Angeles"


def at(text: str, zone: str = "UTC") -> float:
    """An ISO date and time there."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("zone", "now", "midnight"),
    [
        ("UTC", "2026-11-23 00:00", "2026-11-24 00:00"),
        ("UTC", "2026-11-23 23:59", "2026-11-24 00:00"),
        (PACIFIC, "2026-11-23 07:59", "2026-11-23 08:00"),
        (PACIFIC, "2026-11-23 08:00", "2026-11-24 08:00"),
        (PACIFIC, "2026-07-01 06:59", "2026-07-01 07:00"),
        ("Asia/Kolkata", "2026-07-01 18:29", "2026-07-01 18:30"),
    ],
)
def test_it_is_the_next_one_there(zone: str, now: str, midnight: str) -> None:
    assert Midnight(zone).after(at(now)) == at(midnight)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (PACIFIC, "2026-03-08", 23),
        (PACIFIC, "2026-11-01", 25),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        (PACIFIC, "2026-06-01", 24),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(zone: str, day: str, hours: float) -> None:
    assert Midnight(zone).after(at(day, zone)) - at(day, zone) == hours * 3600


def test_a_midnight_that_clocks_skip_is_when_they_skip_it() -> None:
    # In Havana one o'clock followed on 2026-03-07 23:59.
    assert Midnight("America/Havana").after(at("2026-03-07 22:00", "America/Havana")) == at("2026-03-08 05:00")


def test_of_a_midnight_that_comes_twice_the_first_counts() -> None:
    # In Havana midnight follows on 2026-11-01 00:59, once more.
    havana = Midnight("America/Havana")
    assert havana.after(at("2026-10-31 23:00", "America/Havana")) == at("2026-11-01 04:00")
    assert havana.after(at("2026-11-01 05:30")) == at("2026-11-02 05:00")


@given(
    st.sampled_from(["UTC", PACIFIC, "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.integers(946_684_800, 2_051_222_400),  # 2000 to 2035
)
def test_it_is_always_ahead_and_the_date_there_is_a_new_one(zone: str, now: int) -> None:
    midnight = Midnight(zone).after(now)
    assert 0 < midnight - now <= 25 * 3600
    there = [datetime.fromtimestamp(seconds, ZoneInfo(zone)).date() for seconds in (now, midnight - 1, midnight)]
    assert there[0] == there[1]
    assert there[2] - there[0] >= timedelta(days=1)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus_Mons", "../UTC", "/UTC", "America", "midnight UTC"])
def test_a_zone_that_is_none_is_refused_where_it_is_written(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Midnight(zone)


def test_the_zone_is_read_once_and_not_when_it_is_asked() -> None:
    midnight, now = Midnight(PACIFIC), at("2026-11-23")
    ZoneInfo.clear_cache()
    with watching("freeride_core") as watch:
        midnight.after(now)
    assert watch.touched == []


def test_two_of_one_zone_are_equal_and_say_which() -> None:
    assert Midnight(PACIFIC) == Midnight(PACIFIC) != Midnight()
    assert len({Midnight(), Midnight("UTC")}) == 1
    assert repr(Midnight(PACIFIC)) == "Midnight(zone='America/Los_Angeles')"
