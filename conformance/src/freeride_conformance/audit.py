"""Notices what a plugin does besides turning values into values: connections, files, processes, pauses, the environment."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_CONNECTIONS = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "urllib.Request",
)
_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
_CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".pth")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND

_active: list[Audit] = []


class Audit:
    """What was touched while it was on."""

    def __init__(self, package: str, *, may_read: bool) -> None:
        self.touched: list[str] = []
        self._package = package
        self._may_read = may_read
        self._thread = threading.get_ident()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if threading.get_ident() != self._thread:
            return  # a gateway of another check that is still closing
        if event in _CONNECTIONS:
            self.touched.append(f"the network ({event})")
            raise ConnectionRefusedError("nothing may be reached")
        if event in _PROCESSES:
            self.touched.append(f"a process ({event})")
        elif event == "time.sleep":
            self.touched.append("a pause (time.sleep)")
        elif event == "open" and not isinstance(arguments[0], int) and self._minds(*arguments[:3]):
            self.touched.append(f"the file {arguments[0]}")

    def _minds(self, path: object, mode: object, flags: object) -> bool:  # noqa: ARG002 - as the event has them
        """Whether opening this path counts. A file that was open already has a number instead of a path, and counted then."""
        is_write = isinstance(flags, int) and bool(flags & _WRITES)
        if is_write:
            return "__pycache__" not in str(path)  # where an import keeps what it has compiled
        return not self._may_read and not str(path).endswith(_CODE)

    def saw(self, variable: object) -> None:
        """Note a look-up of an environment variable if the plugin's own code made it."""
        frame: FrameType | None = sys._getframe(2)
        depth = 0
        while frame is not None and depth < 6:
            if str(frame.f_globals.get("__name__", "")).partition(".")[0] == self._package:
                self.touched.append(f"the environment variable {variable}")
                return
            frame, depth = frame.f_back, depth + 1


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    for watch in _active:
        watch.audit(event, arguments)


_is_hooked = False


@contextmanager
def watching(package: str, *, may_read: bool = False) -> Iterator[Audit]:
    """Watches what happens in this process. `may_read`: files may be read, as an import does."""
    global _is_hooked
    if not _is_hooked:
        sys.addaudithook(_audit)
        _is_hooked = True
    watch = Audit(package, may_read=may_read)
    # The class and not the mapping, so that code which has imported the mapping is seen too.
    environ: Any = type(os.environ)
    get, walk = environ.__getitem__, environ.__iter__

    def get_seen(own: Any, name: str) -> str:
        watch.saw(name)
        value: str = get(own, name)
        return value

    def walk_seen(own: Any) -> Iterator[str]:
        watch.saw("(all of them)")
        names: Iterator[str] = walk(own)
        return names

    _active.append(watch)
    environ.__getitem__, environ.__iter__ = get_seen, walk_seen
    try:
        yield watch
    finally:
        environ.__getitem__, environ.__iter__ = get, walk
        _active.remove(watch)
