"""The last events are found without reading the whole log."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path

import pytest

from freeride_core.events import tail
from freeride_core.events.tail import newest_events


def write(path: Path, *numbers: int) -> None:
    path.write_text("".join(json.dumps({"type": "t", "ts": number}) + "\n" for number in numbers), "utf-8")


def test_the_newest_come_first_and_the_backups_after_them(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert list(newest_events(path)) == []
    write(path, 3, 4)
    write(tmp_path / "events.jsonl.1", 1, 2)
    assert [event["ts"] for event in newest_events(path)] == [4, 3, 2, 1]


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_TAIL_BYTES", 100)
    write(tmp_path / "events.jsonl.1", 1, 2)
    write(tmp_path / "events.jsonl", *range(1000, 2000))
    found = [event["ts"] for event in newest_events(tmp_path / "events.jsonl")]
    assert found == [1999, 1998, 1997]


def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"type": "t", "ts": 1}\n\xff\n[]\n{"type": "t"}\n{"ts": 2}\n{"type": "t", "ts": 2')
    assert [event["ts"] for event in newest_events(path)] == [1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are of POSIX")
def test_a_pipe_in_its_place_has_no_events(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "events.jsonl")
    assert list(islice(newest_events(tmp_path / "events.jsonl"), 1)) == []
