"""The comparison with nginx: that both proxies answer, as often as is said, and what is said where a program is missing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from programs import clean_environ, run
from repository import TESTS

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
COMMAND = (sys.executable, TESTS / "bench" / "beside_nginx.py")


def test_without_the_programs_it_says_so(tmp_path: Path) -> None:
    ended = run(COMMAND, {**clean_environ(tmp_path), "PATH": ""})
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("beside_nginx: this needs ")
    assert ("wrk on PATH" if sys.platform == "linux" else "Linux") in line


@pytest.mark.skipif(
    sys.platform != "linux" or not all(shutil.which(name, path=PATH) for name in ("nginx", "wrk")),
    reason="no Linux with nginx and wrk: the command that compares with nginx was not run",
)
def test_each_proxy_answers_all_and_asks_as_many_upstreams_as_it_should(tmp_path: Path) -> None:
    ended = run((*COMMAND, "--rounds", "1", "--seconds", "1", "--json"), clean_environ(tmp_path), timeout_s=120)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["wrong"] == []
    assert told["rss_mib"] > 0
    asked = []
    assert [list(row["turns"]) for row in told["workloads"]] == [["nginx", "freeride"]] * 2 + [
        ["freeride", "messages"]
    ] * 2
    for row in told["workloads"]:
        assert row["ratio"] > 0
        for (turn,) in row["turns"].values():
            assert turn["requests"] > 0
            assert turn["cpu_us"] > 0
            assert turn["bad"] == 0
            asked.append(round(turn["asked"]))
    assert asked == [1] * 8
    assert len(ended.stderr.splitlines()) == len(asked), "a line for each turn"
