"""The last events of a log, without reading all of it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

from freeride_core.events.log import backup_of
from freeride_core.events.records import Event

_TAIL_BYTES = 512 * 1024
"""Of the log and, where that is shorter, of its backup: some thousand requests."""


def newest_events(path: Path) -> Iterator[Event]:
    """Give the events at the end of the log, the newest first. A log that is not there or cannot be read has none."""
    left = _TAIL_BYTES
    for each in (path, backup_of(path)):
        try:
            if not stat.S_ISREG(each.stat().st_mode):
                return
            with each.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - left))
                lines = file.read(left).split(b"\n")
        except OSError:
            return
        for line in reversed(lines if size <= left else lines[1:]):
            if (event := _parse(line)) is not None:
                yield event
        left -= size
        if left <= 0:
            return


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "type" in event and isinstance(event.get("ts"), int | float) else None
