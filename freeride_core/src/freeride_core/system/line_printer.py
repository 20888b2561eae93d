"""Lines for a terminal that may not take them: a thread writes, and who has something to say never waits."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading

_CAPACITY = 1000
_LAST_S = 0.5


class LinePrinter:
    """Writes to stderr. If that does not take the lines, the newest are dropped, and their number is told later."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(_CAPACITY)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def __call__(self, line: str) -> None:
        try:
            if self._dropped:
                self._lines.put_nowait(f"({self._dropped} lines were dropped)")
                self._dropped = 0
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Give the last lines half a second."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(_LAST_S)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            with contextlib.suppress(OSError, ValueError):  # the terminal has gone
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()
