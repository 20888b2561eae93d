"""Programs that tests wait for: one that ends too soon fails the test at once, with what it said."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_upstream import GatewayBench, GatewayProcess
from programs import Program

DIES = [sys.executable, "-c", "import sys; sys.exit('the disk is on fire')"]
AT_ONCE_S = 20.0
"""For a machine that is busy; the wait for one that does not end takes 30 s."""


def start_gateway(folder: Path) -> None:
    with GatewayProcess(GatewayBench(folder / "home"), command=DIES):
        pass


def start_program(folder: Path) -> None:
    with Program(DIES, {}) as program:
        program.wait_for("listening on (.*)")


def wait_again(folder: Path) -> None:
    with Program(DIES, {}) as program:
        with pytest.raises(AssertionError):
            program.wait_for("listening on (.*)")
        program.wait_for("listening on (.*)")


@pytest.mark.parametrize("start", [start_gateway, start_program, wait_again])
def test_a_program_that_ends_too_soon_is_told_at_once_with_its_words(
    start: Callable[[Path], None], tmp_path: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"ended (with 1|without)[\s\S]*the disk is on fire"):
        start(tmp_path)
    assert time.monotonic() - began < AT_ONCE_S
