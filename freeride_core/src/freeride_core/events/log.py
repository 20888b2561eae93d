"""The event log: a file of JSON lines with one backup.

A writer holds the lock beside the file, opens it, appends whole lines in one write and closes it. So a file that has been
renamed to the backup's name never grows again, and a reader that has read it to the end has all of it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from freeride_core.events.records import Event, EventRecord, as_mapping

_LIMIT_BYTES = 1024 * 1024
_LOCK_WAIT_S = 1.0
_LOCK_RETRY_S = 0.005
_encoder = msgspec.json.Encoder(enc_hook=str)
_log = logging.getLogger(__name__)
NOT_REGULAR = "it is not a regular file"
"""A pipe without a reader, for one, would hold up its writer for ever."""

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def backup_of(path: Path) -> Path:
    """Where the log goes when it is full."""
    return path.with_name(path.name + ".1")


def _encode(events: Sequence[Event | EventRecord]) -> bytes:
    try:
        return _encoder.encode_lines(events)
    except UnicodeEncodeError:  # a client may name a model with a lone surrogate
        return b"".join(
            json.dumps(as_mapping(event), separators=(",", ":"), default=str).encode() + b"\n" for event in events
        )


class JsonlSink:
    """Appends events to a log that other processes may append to as well.

    The file is readable by its owner only. Before it grows beyond `limit_bytes` it becomes the backup, in place of the
    one before.
    """

    def __init__(self, path: Path, *, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._is_failing = False

    def write(self, events: Sequence[Event | EventRecord]) -> int:
        """Appends the events in one write; returns how many were lost, which is logged once until it works again.

        Never raises."""
        try:
            lost = self._append(_encode(events))
        except Exception as error:
            lost = len(events)
            reason = getattr(error, "strerror", None) or type(error).__name__
        else:
            reason = "it could not be written as a whole"
        if lost and not self._is_failing:
            _log.warning("events are not being recorded in %s: %s", self._path, reason)
        self._is_failing = lost > 0
        return lost

    def _append(self, lines: bytes) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._path.with_name(self._path.name + ".lock")):
            descriptor, size = self._open()
            if size > 0 and size + len(lines) > self._limit_bytes:
                os.close(descriptor)
                # Where another program holds the file open and the system minds, it grows on until a later batch.
                with contextlib.suppress(PermissionError):
                    self._path.replace(backup_of(self._path))
                descriptor, size = self._open()
            try:
                if size and not _ends_a_line(descriptor, size):
                    lines = b"\n" + lines  # a full disk or a killed process left half a line
                written = os.write(descriptor, lines)
            finally:
                os.close(descriptor)
        return lines[written:].count(b"\n")

    def _open(self) -> tuple[int, int]:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self._path, flags, 0o600)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, NOT_REGULAR)
        return descriptor, found.st_size


class WantedSink:
    """A log at the place that is wanted at the moment; `path` gives None where none is."""

    def __init__(self, path: Callable[[], Path | None]) -> None:
        self._path = path
        self._sinks: dict[Path, JsonlSink] = {}

    def write(self, events: Sequence[Event | EventRecord]) -> int:
        """As `JsonlSink`."""
        path = self._path()
        if path is None:
            return 0
        if path not in self._sinks:
            self._sinks = {path: JsonlSink(path)}
        return self._sinks[path].write(events)


def _ends_a_line(descriptor: int, size: int) -> bool:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock, for which it waits a second at most: a stopped process that has it must not stop this one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                _lock(descriptor)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOCK_RETRY_S)
        yield
    finally:
        os.close(descriptor)
