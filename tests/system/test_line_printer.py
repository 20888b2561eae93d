"""Lines for a terminal that takes none keep nobody waiting."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from freeride_core.system.line_printer import LinePrinter


class BlockedTerminal(io.StringIO):
    """Takes nothing until a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.opens = threading.Event()

    def write(self, text: str) -> int:
        assert self.opens.wait(10)
        return super().write(text)


def test_lines_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    say = LinePrinter()
    for number in range(5):
        say(str(number))
    say.close()
    assert terminal.getvalue() == "0\n1\n2\n3\n4\n"


def test_a_terminal_that_takes_nothing_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = BlockedTerminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    say = LinePrinter()
    begun = time.monotonic()
    for number in range(3000):
        say(str(number))
    say.close()
    assert time.monotonic() - begun < 5
    assert terminal.getvalue() == ""
    terminal.opens.set()
