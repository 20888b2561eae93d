"""Following the log of events as other processes write it, through its rotations."""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from pathlib import Path

from freeride_core.events.log import NOT_REGULAR, backup_of

_READ_BYTES = 1024 * 1024


_TAIL_BYTES = 256


class Follower:
    """Reads a log's lines as they come, each once and in order, through rotations and truncations.

    A file's identity is reliable only while the file is open. So the file being read and the last backup are kept
    open. Two rotations between two polls lose nothing.
    """

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        """Begins with what is written from now on, or `from_start` with the backup and what the file holds already.

        There need not be a file yet."""
        self._path = path
        self._backup_path = backup_of(path)
        self._file: FileIO | None = None
        self._known_backup: FileIO | None = None
        self._start_over()
        if not from_start:
            self._known_backup, self._file = self._open_both()
            self._read()

    def poll(self) -> list[bytes]:
        """The lines that are complete and new, without their ends. OSError if the log is there and cannot be read."""
        lines: list[bytes] = []
        while True:
            # First whether there is a next file, then the rest of this one: after its rotation a file does not grow.
            following = self._open_following()
            lines += self._read()
            if following is None:
                return lines
            self._move_on(following)

    def close(self) -> None:
        """Lets go of the files."""
        _close(self._file, self._known_backup)

    def _open_following(self) -> FileIO | None:
        """The file after the one being read; None while that one is the last."""
        if self._file is not None and _is_at(self._file, self._path):
            return None
        backup, current = self._open_both()
        if backup is None or self._is_known(backup):
            _close(backup)
            return current
        _close(current)
        return backup

    def _open_both(self) -> tuple[FileIO | None, FileIO | None]:
        """The backup and the file, of one moment: no rotation lies between them."""
        while True:
            backup = _open(self._backup_path)
            current = _open(self._path)
            if _is_at(backup, self._backup_path):
                return backup, current
            _close(backup, current)

    def _is_known(self, file: FileIO) -> bool:
        return any(known is not None and _is_same(known, file) for known in (self._file, self._known_backup))

    def _move_on(self, following: FileIO) -> None:
        if self._file is not None and _is_at(self._file, self._backup_path):
            _close(self._known_backup)
            self._known_backup = self._file
        else:
            _close(self._file)
        self._file = following
        self._start_over()

    def _start_over(self) -> None:
        self._offset = 0
        self._tail = b""
        self._partial = b""

    def _read(self) -> list[bytes]:
        if self._file is None:
            return []
        if not self._is_continued(self._file):
            self._start_over()
        lines: list[bytes] = []
        self._file.seek(self._offset)
        while chunk := self._file.read(_READ_BYTES):
            self._offset += len(chunk)
            self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
            *complete, self._partial = (self._partial + chunk).split(b"\n")
            lines += complete
        return lines

    def _is_continued(self, file: FileIO) -> bool:
        """Whether what was read last is still where it was: a truncated file may have grown beyond that again."""
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) == self._tail


def _open(path: Path) -> FileIO | None:
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # to open one waits for a writer
            raise OSError(errno.EINVAL, NOT_REGULAR)
        return FileIO(path)
    except FileNotFoundError:
        return None


def _close(*files: FileIO | None) -> None:
    for file in files:
        if file is not None:
            file.close()


def _is_same(one: FileIO, other: FileIO) -> bool:
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))


def _is_at(file: FileIO | None, path: Path) -> bool:
    """Whether `file` is what `path` names; None is what a path names where there is nothing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return file is None
    return file is not None and os.path.samestat(os.fstat(file.fileno()), found)
