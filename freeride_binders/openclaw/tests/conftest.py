"""Fixtures of OpenClaw's commands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from freeride_core.simulator import Simulator, SimulatorThread
from openclaw import config_path, make_simulator


@pytest.fixture
def openrouter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulated OpenRouter, with the variables that lead there, and OpenClaw's own folder."""
    config_path().parent.mkdir()
    with SimulatorThread(make_simulator()) as simulators:
        for name, value in simulators[0].env.items():
            monkeypatch.setenv(name, value)
        yield simulators[0]
