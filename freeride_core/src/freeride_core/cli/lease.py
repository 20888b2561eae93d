"""How long a gateway lives that `freeride run` started: each run holds a shared lock on one file, and the gateway ends when it
gets the exclusive lock. The operating system releases a lock when its process ends, however it ends."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from pathlib import Path

from freeride_core.system.file_lock import lock

_LOOK_EVERY_S = 0.2


class Lease:
    """One process's lock on the file. Raises `OSError` if the file cannot be opened, or its disk supports no locks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def share(self, patience_s: float) -> None:
        """Take a shared lock, and wait for a gateway that is about to end. Raise `TimeoutError` if it does not end."""
        due = time.monotonic() + patience_s
        while not lock(self._descriptor, whole=False):
            if time.monotonic() > due:
                raise TimeoutError(errno.ETIMEDOUT, "a gateway that no agent needs does not end")
            time.sleep(_LOOK_EVERY_S)

    def is_last(self) -> bool:
        """Return whether no other process holds a lock, and keep the exclusive one. Otherwise its own lock is released."""
        return lock(self._descriptor, whole=True)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def end_when_unneeded(path: Path) -> None:
    """End this process as SIGTERM does, when no other process holds a lock."""
    lease = Lease(path)

    def watch() -> None:
        while not lease.is_last():
            time.sleep(_LOOK_EVERY_S)
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, name="lease", daemon=True).start()
