"""Who needs the gateway that a `freeride run` started: each holds a share of one file for as long as it lives, and the gateway
ends itself as soon as it can have the whole of it. The system takes back what a process held, however that has ended."""

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
    """One process's part in the file. `OSError` where it cannot be opened, or its disk knows no locks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def share(self, patience_s: float) -> None:
        """Holds a share, after the end of a gateway that is about to end. `TimeoutError`: it does not."""
        due = time.monotonic() + patience_s
        while not lock(self._descriptor, whole=False):
            if time.monotonic() > due:
                raise TimeoutError(errno.ETIMEDOUT, "a gateway that nobody needs does not end")
            time.sleep(_LOOK_EVERY_S)

    def is_last(self) -> bool:
        """Whether nobody else holds a share; then nobody can, until this process ends. Otherwise its own is given up."""
        return lock(self._descriptor, whole=True)

    def close(self) -> None:
        """Gives back what was held."""
        os.close(self._descriptor)


def end_when_unneeded(path: Path) -> None:
    """Lets this process end, as on a signal, once nobody holds a share."""
    lease = Lease(path)

    def watch() -> None:
        while not lease.is_last():
            time.sleep(_LOOK_EVERY_S)
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, name="lease", daemon=True).start()
