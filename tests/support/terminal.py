"""A terminal of one's own, the POSIX way: a program, what is typed, and what is on the screen."""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

_AT_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes stdin the terminal that Ctrl-C comes from, and then is the program."""


class Terminal:
    """A program at a terminal of its own: what is typed, and what is on the screen."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], columns: int = 80) -> None:
        import fcntl
        import pty
        import termios

        self.screen = ""
        self._read = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AT_TERMINAL, *command],
            stdin=slave, stdout=slave, stderr=slave, env=dict(environ), start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._master)
        self._process.kill()
        self._process.wait(10)

    def expect(self, pattern: str, timeout_s: float = 30.0) -> None:
        """Waits until it stands on the screen, below what was waited for before."""
        due = time.monotonic() + timeout_s
        while (found := re.compile(pattern).search(self.screen, self._read)) is None:
            assert time.monotonic() < due, self.screen
            if not self._take(due - time.monotonic()):
                raise AssertionError(f"it ended without {pattern!r}: {self.screen}")
        self._read = found.end()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait(self) -> int:
        """Its exit code."""
        due = time.monotonic() + 30
        while self._take(due - time.monotonic()):
            assert time.monotonic() < due, self.screen
        return self._process.wait(10)

    def _take(self, timeout_s: float) -> bool:
        """False: nobody writes there any more."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, timeout_s))
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.screen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
