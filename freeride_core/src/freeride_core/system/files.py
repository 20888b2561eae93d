"""Files: replaced as a whole, so that a reader never sees half of one, and set aside where they are damaged."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path


def write_atomically(target: Path, content: bytes, mode_if_new: int) -> None:
    """All or nothing: a file beside the target takes its place when it is complete and on the disk.

    A file that is there keeps its mode and its owner. `target` is no symbolic link. Raises OSError.
    """
    try:
        found = target.stat()
    except FileNotFoundError:
        found = None
    mode = mode_if_new if found is None else stat.S_IMODE(found.st_mode)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if found is not None and hasattr(os, "fchown"):
                with contextlib.suppress(OSError):  # only root may give a file away, and only root needs to
                    os.fchown(descriptor, found.st_uid, found.st_gid)
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, mode)  # the umask has cut the mode given above
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# The file itself last, so that no new companions are taken for the old ones.
_DATABASE_FILES = ("-wal", "-shm", "-journal", "")


def set_aside(path: Path, inode: int, now: float) -> Path | None:
    """Rename a damaged database with its companions, and return its new path, which tells the time.

    None if another process was quicker: the file at `path` no longer has this `inode`. Raises OSError."""
    epoch_s = int(now)
    while (aside := path.with_name(f"{path.name}.damaged-{epoch_s}")).exists():
        epoch_s += 1
    try:
        if path.stat().st_ino != inode:
            return None
    except FileNotFoundError:
        return None
    for companion in _DATABASE_FILES:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{companion}").rename(f"{aside}{companion}")
    return aside
