"""Tallies in the background: mutants are tried while the other tests run, with what these leave of the processor."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from meta.mutation.tally import Tally, tally_of

_AT_ONCE = 2
_PATIENCE_S = 900.0
_POLITENESS = 19


class Background:
    """A process for each provider: what guards and watches a check is about a whole process. `close` it."""

    def __init__(self, names: Iterable[str], *, everything: bool) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="freeride-mutants-")
        context = multiprocessing.get_context("spawn")
        self._pool = context.Pool(_AT_ONCE, _begin, (Path(self._home.name),), maxtasksperchild=1)
        self._tallies = {name: self._pool.apply_async(tally_of, (name, everything)) for name in names}

    def tally(self, name: str) -> Tally:
        """Waits for it."""
        return self._tallies[name].get(_PATIENCE_S)

    def close(self) -> None:
        """Whatever is under way ends."""
        self._pool.terminate()
        self._pool.join()
        self._home.cleanup()


def _begin(home: Path) -> None:
    """Each process has nothing of the machine's user, and waits for all that is not polite."""
    own = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP")}
    os.environ.clear()
    os.environ.update(own, HOME=str(home), USERPROFILE=str(home), FREERIDE_HOME=str(home / ".freeride"))
    os.environ.update(FREERIDE_TELEMETRY="off", DO_NOT_TRACK="1")
    if hasattr(os, "nice"):
        os.nice(_POLITENESS)
