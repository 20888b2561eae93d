"""What is remembered, and that several processes together stay below a ceiling."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freeride_binder_openclaw.memory import DAY_S, OK, Ceiling, Memory

NOW = 1_790_000_000.0
CEILING = Ceiling(day=5, minute=2)


def test_no_more_than_the_ceiling_is_reserved_in_a_minute_and_in_a_day(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    in_a_day = [*range(0, 300, 20), *range(300, int(DAY_S), 1800)]
    asked = [day * int(DAY_S) + at for day in range(3) for at in in_a_day]
    given = [at for at in asked if memory.reserve("m", NOW + at, CEILING) is not None]
    assert len(given) == 15
    for first in given:
        assert sum(first <= at < first + DAY_S for at in given) <= 5
        assert sum(first <= at < first + 60 for at in given) <= 2


def test_a_clock_that_was_set_back_gives_no_more(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    given = [memory.reserve("m", NOW - 1000 * at, Ceiling(3, 3)) for at in range(6)]
    assert [probe is not None for probe in given] == [True, True, True, False, False, False]


def test_many_at_once_stay_below_it_together(tmp_path: Path) -> None:
    def reserve(_: int) -> bool:
        return Memory(tmp_path).reserve("m", NOW, Ceiling(3, 3)) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, range(16))) == 3


def test_a_model_that_failed_is_known_for_a_while_unless_it_has_answered_since(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    for model, outcome in (("a", "timeout"), ("b", "timeout"), ("b", OK), ("c", ""), ("d", OK)):
        probe = memory.reserve(model, NOW, Ceiling(9, 9))
        assert probe is not None
        if outcome:
            memory.settle(probe, outcome)
    assert memory.failed_models(NOW + 3600) == {"a"}
    assert memory.failed_models(NOW + 7 * 3600) == frozenset()


def test_a_rotation_counts_on(tmp_path: Path) -> None:
    Memory(tmp_path).keep_rotation(NOW, "because", "openrouter/a")
    Memory(tmp_path).keep_rotation(NOW + 1, "again", "openrouter/b")
    rotation = Memory(tmp_path).rotation()
    assert rotation is not None
    assert (rotation.count, rotation.at, rotation.reason, rotation.model) == (2, NOW + 1, "again", "openrouter/b")


def test_clearing_forgets_no_probe(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep_rotation(NOW, "because", "openrouter/a")
    memory.reserve("m", NOW, CEILING)
    memory.clear()
    assert memory.rotation() is None
    assert memory.probes_since(NOW - 1) == 1


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep_daily_limit(50)
    assert stat.S_IMODE(memory.path.stat().st_mode) == 0o600


def spoil_a_page(path: Path) -> bytes:
    Memory(path.parent).keep_rotation(NOW, "because" * 5000, "openrouter/a")
    content = bytearray(path.read_bytes())
    content[4096:] = b"x" * (len(content) - 4096)
    return bytes(content)


def cut_off(path: Path) -> bytes:
    Memory(path.parent).keep_rotation(NOW, "because" * 5000, "openrouter/a")
    return path.read_bytes()[:6000]


@pytest.mark.parametrize("spoil", [lambda _: b"certainly not a database" * 100, spoil_a_page, cut_off])
def test_a_damaged_file_is_kept_aside_and_stops_nobody(tmp_path: Path, spoil: Callable[[Path], bytes]) -> None:
    told: list[str] = []
    memory = Memory(tmp_path, told.append)
    spoilt = spoil(memory.path)
    memory.path.write_bytes(spoilt)
    assert memory.rotation() is None
    [aside] = tmp_path.glob("openclaw.db.damaged-*")
    assert aside.read_bytes() == spoilt
    assert told == [f"{memory.path} is damaged; it is kept as {aside.name}, and a new one begins"]
    memory.keep_rotation(NOW, "because", "openrouter/a")
    assert memory.rotation() is not None
    assert len(told) == 1
    assert stat.S_IMODE(memory.path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.path.mkdir()
    with pytest.raises(sqlite3.Error, match=r"openclaw\.db cannot be used: unable to open"):
        memory.rotation()
