"""Locks on an open file. The operating system gives them back when the process that holds them ends, however it ends."""

from __future__ import annotations

import os
import secrets
import sys

if sys.platform == "win32":
    import msvcrt

    _SHARES = 1 << 30
    """Windows has no shared locks, but locks of single bytes, also beyond the end of a file."""

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


def lock(descriptor: int, *, whole: bool) -> bool:
    """Lock a file for this process, as `whole` or as one of several that share it. Return False if others are in the way, and
    give up a share that this process had. Raise `OSError` if the disk has no locks."""
    try:
        (_lock_whole if whole else _lock_share)(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    return True
