"""`sqlite:`: one SQLite file that every gateway and command of this home shares.

Each write gets a revision higher than all before it, so another process finds what is new by looking past the highest
one that it has read. A commit is whole or absent whenever the process is killed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from freeride_core.ledger.store.store import Entry, Store, StoreError, StoreUrlError
from freeride_core.system.files import set_aside
from freeride_core.system.ownership import risk_of

DEFAULT_URL = "sqlite:"
_SCHEMA_VERSION = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS entries (
    section TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    revision INTEGER NOT NULL,
    writer TEXT NOT NULL,
    written REAL NOT NULL,
    PRIMARY KEY (section, name)
) WITHOUT ROWID
"""
_INDEX = "CREATE INDEX IF NOT EXISTS entries_by_revision ON entries (revision)"
_UPSERT = """
INSERT INTO entries (section, name, value, revision, writer, written) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (section, name) DO UPDATE
SET value = excluded.value, revision = excluded.revision, writer = excluded.writer, written = excluded.written
"""
_PURGE = "DELETE FROM entries WHERE value IS NULL AND written < ?"
_BUSY_TIMEOUT_S = 2.0
_TOMBSTONE_S = 24 * 3600.0
_PURGE_EVERY_S = 3600.0
# `SQLITE_ERROR` at opening means that the statements do not fit the tables.
_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


class _DamagedError(Exception):
    """The file is there, and it is no state."""


class NewerStateError(StoreError):
    """The state belongs to a newer version, which alone may write to it."""

    def __init__(self) -> None:
        super().__init__("it was written by a newer version")


class SqliteStore(Store):
    """The entries of one file. Safe to use from several threads; each call blocks for the disk, and at most for 2 s for
    another process that is writing.

    A damaged file is moved aside and a new one begun. Where no file can be had, and beside a newer version's, which stays
    as it is, the entries are kept in memory only. Either way `notice` says so. From the moment that a newer version takes
    the file over, every call raises `NewerStateError`.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.notice = None
        self.path = path
        self.location = str(path)
        self._now = now
        self._writer = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._seen = 0
        self._purged_at = -math.inf
        self._connection = self._open()

    @classmethod
    def open(cls, url: str, home: Path) -> Self:
        path = _path_of(url, home)
        if url != DEFAULT_URL:
            if path.is_symlink():
                raise StoreUrlError("its file is a symbolic link; name the file itself")
            if (risk := risk_of(path.parent)) is not None:
                raise StoreUrlError(f"its folder is not safe ({risk}); choose a folder that only you can change")
        return cls(path)

    @classmethod
    def is_there(cls, url: str, home: Path) -> bool:
        return _path_of(url, home).exists()

    def read_all(self) -> list[Entry]:
        with self._lock, _as_store_errors():
            self._seen = 0
            return [entry for entry, _ in self._read_new() if entry.value is not None]

    def read_changes(self) -> list[Entry]:
        with self._lock, _as_store_errors():
            _refuse_newer(self._connection)
            return [entry for entry, writer in self._read_new() if writer != self._writer]

    def write(self, entries: Sequence[Entry]) -> None:
        values = [None if entry.value is None else json.dumps(entry.value) for entry in entries]
        now = self._now()
        with self._lock, _as_store_errors(), _transaction(self._connection) as connection:
            _refuse_newer(connection)
            (newest,) = connection.execute("SELECT coalesce(max(revision), 0) FROM entries").fetchone()
            connection.executemany(
                _UPSERT,
                [
                    (entry.section, entry.name, value, newest + 1, self._writer, now)
                    for entry, value in zip(entries, values, strict=True)
                ],
            )
            # Only after something new is in: the highest revision must not be lost with an old tombstone.
            if entries and not 0 <= now - self._purged_at < _PURGE_EVERY_S:
                connection.execute(_PURGE, (now - _TOMBSTONE_S,))
                self._purged_at = now

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _read_new(self) -> Iterator[tuple[Entry, str]]:
        rows = self._connection.execute(
            "SELECT section, name, value, revision, writer FROM entries WHERE revision > ? ORDER BY revision",
            (self._seen,),
        ).fetchall()
        for section, name, text, revision, writer in rows:
            self._seen = revision
            with contextlib.suppress(ValueError):  # written by something else: as good as absent
                yield Entry(section, name, None if text is None else json.loads(text)), writer

    def _open(self) -> sqlite3.Connection:
        try:
            try:
                return self._open_file()
            except _DamagedError:
                if (aside := set_aside(self.path, self._inode, self._now())) is not None:
                    self.notice = f"{self.path} is damaged; it is kept as {aside.name}, and a new state begins"
                return self._open_file()
        except (OSError, sqlite3.Error, NewerStateError, _DamagedError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            self.notice = f"{self.path} cannot be used ({reason}): nothing is remembered when this process ends"
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            _prepare(connection)
            return connection

    def _open_file(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its companion files the mode that it finds here. The file is never opened by hand when it exists:
        # closing that descriptor would drop the locks that another connection of this process holds on it.
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            self.path.chmod(0o600)
        self._inode = self.path.stat().st_ino
        connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            # The low byte is the primary code: the others only say more precisely where.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
                raise _DamagedError("it is damaged") from error
            raise
        except (_DamagedError, NewerStateError):
            connection.close()
            raise
        return connection


def _path_of(url: str, home: Path) -> Path:
    if url == DEFAULT_URL:
        return home / "state.db"
    path = Path(url.removeprefix("sqlite://").removeprefix("/" if os.name == "nt" else ""))
    if not (url.startswith("sqlite:///") and path.is_absolute() and path.name) or "\0" in url:
        raise StoreUrlError("write sqlite:///, followed by the path of a file from the root on")
    return path


@contextlib.contextmanager
def _as_store_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(str(error)) from error


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables if they are missing, and prove that they can be read."""
    version = _refuse_newer(connection)
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    if version < _SCHEMA_VERSION:
        with _transaction(connection):
            connection.execute(_TABLE)
            connection.execute(_INDEX)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    connection.execute("SELECT section, name, value, revision, writer, written FROM entries LIMIT 0")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _DamagedError("it is damaged")


def _refuse_newer(connection: sqlite3.Connection) -> int:
    """The version of the tables, which is one that this code knows. It can rise at any time: versions share a home."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise NewerStateError
    return version


def _use_wal(connection: sqlite3.Connection) -> None:
    # Two processes that make the same new file collide here, and SQLite does not wait for this lock by itself.
    deadline_s = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A full disk makes SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
