"""Tallies in the background: mutants are tried while the other tests run, with what these leave of the processor."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from meta.mutation.sample import MutantSample
from meta.mutation.tally import MutationTally, tally_of

_POLITENESS = 19
_LANES = 2


class Background:
    """A process for each provider: what guards and watches a check is about a whole process. All of them start at once, before
    there is a test that changes its folder or its path under them. `close` it."""

    def __init__(self, samples: Mapping[str, MutantSample], *, everything: bool) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="freeride-mutants-")
        context = multiprocessing.get_context("spawn")
        home = Path(self._home.name)
        self._processes = {
            name: ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(home,)) for name in samples
        }
        self._tallies = {
            name: process.submit(_tally_in_turn, home / f"lane-{number % _LANES}", name, samples[name], everything)
            for number, (name, process) in enumerate(self._processes.items())
        }

    def tally(self, name: str) -> MutationTally:
        """Waits for it."""
        return self._tallies[name].result()

    def close(self) -> None:
        """Whatever is under way ends."""
        for process in self._processes.values():
            process.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        for process in self._processes.values():
            process.shutdown()
        self._home.cleanup()


def _tally_in_turn(lane: Path, name: str, sample: MutantSample, everything: bool) -> MutationTally:
    """More than a few at once would be felt by the tests. A lock ends with whoever holds it."""
    with lane.open("w", encoding="utf-8") as file:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        return tally_of(name, sample, everything)


def _begin(home: Path) -> None:
    """Each process has nothing of the machine's user, and waits for all that is not polite."""
    own = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP")}
    os.environ.clear()
    os.environ.update(own, HOME=str(home), USERPROFILE=str(home), FREERIDE_HOME=str(home / ".freeride"))
    os.environ.update(FREERIDE_TELEMETRY="off", DO_NOT_TRACK="1")
    # What the gateway says of mutants would stand between the dots of the tests.
    logging.getLogger().addHandler(logging.NullHandler())
    if hasattr(os, "nice"):
        os.nice(_POLITENESS)
