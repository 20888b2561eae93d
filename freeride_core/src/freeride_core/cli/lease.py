"""Who needs the gateway that a `freeride run` started: each holds a share of one file for as long as it lives, and the gateway
ends itself as soon as it can have the whole of it. The system takes back what a process held, however that has ended."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import sys
import threading
import time
from pathlib import Path

_LOOK_EVERY_S = 0.2

if sys.platform == "win32":
    import msvcrt

    _SHARES = 1 << 30
    """There are no shared locks there, but locks of single bytes, also beyond a file's end."""

    def _lock_share(descriptor: int) -> None:
        os.lseek(descriptor, secrets.randbelow(_SHARES), os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _lock_whole(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, _SHARES)

else:
    import fcntl

    def _lock_share(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def _lock_whole(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lease:
    """One process's part in the file. `OSError` where it cannot be opened, or its disk knows no locks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def share(self, patience_s: float) -> None:
        """Holds a share, after the end of a gateway that is about to end. `TimeoutError`: it does not."""
        due = time.monotonic() + patience_s
        while not self._locks(whole=False):
            if time.monotonic() > due:
                raise TimeoutError(errno.ETIMEDOUT, "a gateway that nobody needs does not end")
            time.sleep(_LOOK_EVERY_S)

    def is_last(self) -> bool:
        """Whether nobody else holds a share; then nobody can, until this process ends. Otherwise its own is given up."""
        return self._locks(whole=True)

    def close(self) -> None:
        """Gives back what was held."""
        os.close(self._descriptor)

    def _locks(self, *, whole: bool) -> bool:
        try:
            (_lock_whole if whole else _lock_share)(self._descriptor)
        except (BlockingIOError, PermissionError):
            return False
        return True


def end_when_unneeded(path: Path) -> None:
    """Lets this process end, as on a signal, once nobody holds a share."""
    lease = Lease(path)

    def watch() -> None:
        while not lease.is_last():
            time.sleep(_LOOK_EVERY_S)
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, name="lease", daemon=True).start()
