"""Simulators in a thread of their own, for code that has no event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

from freeride_core.simulator.server import Simulator

_POLL_S = 0.005
_START_TIMEOUT_S = 10.0
T = TypeVar("T")


class SimulatorThread:
    """A context in which simulators listen:

    with SimulatorThread(Simulator(profile)) as simulators:
        simulators[0].base_url
    """

    def __init__(self, *simulators: Simulator) -> None:
        self.simulators = simulators
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulators", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            for simulator in self.simulators:
                asyncio.run_coroutine_threadsafe(simulator.start(), self._loop).result(_START_TIMEOUT_S)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __getitem__(self, index: int) -> Simulator:
        return self.simulators[index]

    @property
    def env(self) -> dict[str, str]:
        """The variables that make a gateway use these simulators, and no others."""
        result = {"FREERIDE_PROVIDERS": ",".join(simulator.profile.provider for simulator in self.simulators)}
        for simulator in self.simulators:
            result |= simulator.env
        return result

    def wait_for(self, predicate: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Return the first true value of `predicate`. Raise `TimeoutError` if it has none in time."""
        deadline = time.monotonic() + timeout_s
        while not (value := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing like it within {timeout_s} s")
            time.sleep(_POLL_S)
        return value

    def stop(self, simulator: Simulator) -> None:
        """One of them dies: its port refuses from now on."""
        asyncio.run_coroutine_threadsafe(simulator.stop(), self._loop).result(_START_TIMEOUT_S)

    def _close(self) -> None:
        for simulator in self.simulators:
            self.stop(simulator)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
