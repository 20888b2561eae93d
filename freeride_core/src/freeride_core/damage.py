"""What becomes of a database that is damaged: it is kept, under another name."""

from __future__ import annotations

import contextlib
from pathlib import Path

# The file itself last, so that nobody's new companions are taken for the old ones.
_COMPANIONS = ("-wal", "-shm", "-journal", "")


def keep_aside(path: Path, inode: int, now: float) -> Path | None:
    """Renames the file and its companions; where it is now, which tells the time. None where another process was quicker: what
    is at `path` is not the file with this `inode` any more. Raises OSError."""
    epoch_s = int(now)
    while (aside := path.with_name(f"{path.name}.damaged-{epoch_s}")).exists():
        epoch_s += 1
    try:
        if path.stat().st_ino != inode:
            return None
    except FileNotFoundError:
        return None
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{companion}").rename(f"{aside}{companion}")
    return aside
