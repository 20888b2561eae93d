"""Tallies in the background: mutants are tried while the other tests run, with what these leave of the processor.

Where several processes share the tests, the one that reports tries the mutants, and tallies reach the others as files.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from pathlib import Path

from meta.mutation.sample import MutantSample
from meta.mutation.tally import MutationTally, tally_of

_POLITENESS = 19
_LANES = 2
_POLL_S = 0.2


class Background:
    """A process for each provider: what guards and watches a check is about a whole process. All of them start at once, before
    there is a test that changes its folder or its path under them. `close` it."""

    def __init__(self, samples: Mapping[str, MutantSample], results: Path, *, everything: bool) -> None:
        """`results` is the folder in which `wait_for_tally` finds the tallies."""
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
        for name, tally in self._tallies.items():
            tally.add_done_callback(partial(_leave, results / name))

    def close(self) -> None:
        """Whatever is under way ends."""
        for process in self._processes.values():
            process.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        for process in self._processes.values():
            process.shutdown()
        self._home.cleanup()


def wait_for_tally(results: Path, name: str) -> MutationTally:
    """Gives what became of the mutants of one provider, once all are tried; raises what trying them raised."""
    while not (results / name).exists():
        time.sleep(_POLL_S)
    found = pickle.loads((results / name).read_bytes())
    if isinstance(found, BaseException):
        raise found
    assert isinstance(found, MutationTally)
    return found


def _leave(path: Path, tally: Future[MutationTally]) -> None:
    if tally.cancelled():
        return
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(pickle.dumps(tally.exception() or tally.result()))
    unfinished.replace(path)


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
