"""What hostile bytes cost a gateway in a process of its own: the memory that all of it takes, and how long nobody has a turn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from programs import clean_environ, run
from repository import TESTS

COMMAND = (sys.executable, TESTS / "bench" / "hostile.py")
CASES = ("gzip-gzip", "error", "stream", "choices", "members", "member", "refused", "bodies", "pipelined", "marks")
MOST_CPU_MS = 400
"""Of a stall. On an idle machine of 2026 these take 1 to 75 ms, and took 880 to 10,800. What the process does in that time is
counted, and not the clock: others that want the processor change nothing."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what memory a process has taken at most")
@pytest.mark.parametrize("case", CASES)
def test_hostile_bytes_take_no_memory_to_speak_of_and_hold_up_nobody(case: str, tmp_path: Path) -> None:
    ended = run((*COMMAND, "--json", case), clean_environ(tmp_path), timeout_s=120)
    assert ended.returncode == 0, (ended.stdout, ended.stderr)
    told = json.loads(ended.stdout)
    assert told["case"] == case
    assert told["cpu_ms"] < MOST_CPU_MS


def test_a_case_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = run((*COMMAND, "gzip", "zip"), clean_environ(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no case zip" in ended.stderr
