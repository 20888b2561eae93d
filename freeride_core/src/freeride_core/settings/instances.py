"""The gateways of a home that run now: which process each of them is, and where it listens.

Each leaves a record in the home and holds a lock beside it. The operating system takes the lock back when the process ends,
so a record without its lock is an old one, whatever process has that number now.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from freeride_core.system.file_lock import lock
from freeride_core.system.files import write_atomically
from freeride_core.system.loopback import is_loopback

_PREFIX = "gateway-"
_PRIVATE = 0o600
_PATIENCE_S = 1.0
_RETRY_S = 0.01


@dataclass(frozen=True, slots=True)
class GatewayInstance:
    """One running gateway."""

    pid: int
    url: str
    """Where it listens: `http://127.0.0.1:11343`."""
    started_at: float
    """Seconds since the epoch."""
    version: str
    machine: str
    """The name of the computer or the container that the process number belongs to."""

    @property
    def is_on_this_machine(self) -> bool:
        return self.machine == platform.node()

    def is_at(self, root: str) -> bool:
        """Whether a client on this machine reaches it at `root`."""
        own, asked = urlsplit(self.url), urlsplit(root)
        host, wanted = own.hostname or "", asked.hostname or ""
        if own.port != (asked.port or 80):
            return False
        return host in (wanted, "0.0.0.0", "::") or (is_loopback(host) and is_loopback(wanted))  # noqa: S104 - compared


@contextlib.contextmanager
def announced(home: Path, url: str, started_at: float, version: str) -> Iterator[None]:
    """Leave the record of this process in the home while the context lasts. A home that cannot be written has none."""
    instance = GatewayInstance(os.getpid(), url, started_at, version, platform.node())
    record, own_lock = _files(home, instance.pid)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            descriptor = os.open(own_lock, os.O_RDWR | os.O_CREAT, _PRIVATE)
            held.callback(_remove, record, own_lock)
            held.callback(os.close, descriptor)
            if _lock_patiently(descriptor):
                write_atomically(record, json.dumps(asdict(instance)).encode(), _PRIVATE)
        yield


def running_gateways(home: Path) -> list[GatewayInstance]:
    """Return the gateways of this home that run now, the oldest first. Records of others are removed."""
    found: list[GatewayInstance] = []
    for record in sorted(home.glob(f"{_PREFIX}*.json")):
        own_lock = record.with_suffix(".lock")
        with contextlib.suppress(OSError):
            if not _is_held(own_lock):
                _remove(record, own_lock)
            elif (instance := _parse(record.read_bytes())) is not None:
                found.append(instance)
    return sorted(found, key=lambda instance: instance.started_at)


def find_instance(home: Path, root: str) -> GatewayInstance | None:
    """Return the running gateway of this home that a client on this machine reaches at `root`, or None."""
    return next((instance for instance in running_gateways(home) if instance.is_at(root)), None)


def has_ended(home: Path, instance: GatewayInstance) -> bool:
    """Whether the process is gone."""
    return not _is_held(_files(home, instance.pid)[1])


def _is_held(own_lock: Path) -> bool:
    """Whether a process holds this lock. Raise `OSError` if the disk has no locks."""
    try:
        descriptor = os.open(own_lock, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not lock(descriptor, whole=False)
    finally:
        os.close(descriptor)


def _lock_patiently(descriptor: int) -> bool:
    """A command that looks at the lock has it for a moment."""
    due = time.monotonic() + _PATIENCE_S
    while not (is_locked := lock(descriptor, whole=True)) and time.monotonic() < due:
        time.sleep(_RETRY_S)
    return is_locked


def _files(home: Path, pid: int) -> tuple[Path, Path]:
    return home / f"{_PREFIX}{pid}.json", home / f"{_PREFIX}{pid}.lock"


def _remove(*paths: Path) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _parse(content: bytes) -> GatewayInstance | None:
    """None if it is not such a record: another version may have written it."""
    try:
        members: dict[str, Any] = json.loads(content)
        return GatewayInstance(
            pid=int(members["pid"]),
            url=str(members["url"]),
            started_at=float(members["started_at"]),
            version=str(members["version"]),
            machine=str(members["machine"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
