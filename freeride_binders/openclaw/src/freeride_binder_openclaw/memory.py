"""What the commands and the watcher remember between runs: probes, the list of models, the last rotation.

One SQLite file in FreeRide's home, so that several processes together stay within one share of the quota.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freeride_binder_openclaw.ranking import FreeModel
from freeride_core import is_model_name
from freeride_core.cli import complain, set_aside

DAY_S = 86_400.0
MINUTE_S = 60.0
_FAILED_FOR_S = 6 * 3600.0
"""How long a model that failed a probe is not chosen."""
_PATIENCE_S = 10.0
OK = "ok"
_UNDER_WAY = ""
_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)

_TABLES = """
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, at REAL NOT NULL, model TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How many probes there may be."""

    day: int
    """In any 24 hours."""
    minute: int


@dataclass(frozen=True, slots=True)
class ModelList:
    """OpenRouter's free models, as they were listed."""

    fetched_at: float
    models: tuple[FreeModel, ...]


@dataclass(frozen=True, slots=True)
class Rotation:
    """The last change of the primary for a reason."""

    count: int
    """Of all rotations so far."""
    at: float
    reason: str
    model: str
    """OpenClaw's name of what was chosen."""


class Memory:
    """Times are seconds since the epoch. A damaged file is kept aside and a new one begun, which `tell` is told.

    Every method raises `OSError` or `sqlite3.Error`, with the path, where the file cannot be used.
    """

    def __init__(self, home: Path, tell: Callable[[str], None] = complain) -> None:
        self.path = home / "openclaw.db"
        self._tell = tell

    def reserve(self, model: str, now: float, ceiling: Ceiling) -> int | None:
        """Return a probe to send, noted before it is so that it counts whatever happens, or None if none may be sent now."""
        with self._writing() as database:
            if _count(database, now - DAY_S) >= ceiling.day or _count(database, now - MINUTE_S) >= ceiling.minute:
                return None
            row = database.execute("INSERT INTO probe (at, model, outcome) VALUES (?, ?, ?)", (now, model, _UNDER_WAY))
            return row.lastrowid

    def settle(self, probe: int, outcome: str) -> None:
        """What became of it: `OK`, or the kind of failure."""
        with self._writing() as database:
            database.execute("UPDATE probe SET outcome = ? WHERE id = ?", (outcome, probe))

    def probes_since(self, moment: float) -> int:
        """How many there were."""
        with self._reading() as database:
            return _count(database, moment)

    def last_probe(self, model: str) -> float | None:
        """Return when this model was asked last, or None if never or too long ago to be remembered."""
        with self._reading() as database:
            at: float | None = database.execute("SELECT max(at) FROM probe WHERE model = ?", (model,)).fetchone()[0]
            return at

    def failed_models(self, now: float) -> frozenset[str]:
        """The models whose last probe failed, not long ago."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT model, outcome, max(id) FROM probe WHERE at > ? AND outcome != ? GROUP BY model",
                (now - _FAILED_FOR_S, _UNDER_WAY),
            )
            return frozenset(model for model, outcome, _ in rows if outcome != OK)

    def model_list(self) -> ModelList | None:
        """The last list that was kept."""
        value = self._kept("models")
        try:
            models = tuple(FreeModel(**row) for row in value["models"] if is_model_name(row["id"]))
            return ModelList(float(value["fetched_at"]), models)
        except (KeyError, TypeError, ValueError):  # nothing, or another version's
            return None

    def keep_models(self, fetched_at: float, models: Sequence[FreeModel]) -> None:
        self._keep("models", {"fetched_at": fetched_at, "models": [asdict(model) for model in models]})

    def rotation(self) -> Rotation | None:
        value = self._kept("rotation")
        try:
            return Rotation(**value)
        except TypeError:
            return None

    def keep_rotation(self, now: float, reason: str, model: str) -> None:
        last = self.rotation()
        self._keep("rotation", asdict(Rotation(last.count + 1 if last else 1, now, reason, model)))

    def daily_limit(self) -> int | None:
        """How many free requests OpenRouter gives in a day, as it said last."""
        value = self._kept("daily_limit")
        return value if isinstance(value, int) else None

    def keep_daily_limit(self, limit: int) -> None:
        self._keep("daily_limit", limit)

    def clear(self) -> None:
        """Forgets the rotations and the list; the probes of the day still count."""
        with self._writing() as database:
            database.execute("DELETE FROM kept")

    def _kept(self, name: str) -> Any:
        with self._reading() as database:
            row = database.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None

    def _keep(self, name: str, value: Any) -> None:
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, json.dumps(value)))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._open()) as database:
                yield database
        except sqlite3.Error as fault:
            raise sqlite3.OperationalError(f"{self.path} cannot be used: {fault}") from fault

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("DELETE FROM probe WHERE at < (SELECT max(at) FROM probe) - ?", (7 * DAY_S,))
            database.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        inode = self.path.stat().st_ino
        database = sqlite3.connect(self.path, timeout=_PATIENCE_S, isolation_level=None)
        if _is_sound(database):
            return database
        database.close()
        if (aside := set_aside(self.path, inode, time.time())) is not None:
            self._tell(f"{self.path} is damaged; it is kept as {aside.name}, and a new one begins")
        return self._open()


def _is_sound(database: sqlite3.Connection) -> bool:
    """Return whether it can be read, and make the tables if they are missing."""
    try:
        database.executescript(_TABLES)
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as fault:
        # The low byte is the primary code: the others only say more precisely where.
        if getattr(fault, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
            database.close()
            raise
        return False
    return bool(verdict == "ok")


def _count(database: sqlite3.Connection, moment: float) -> int:
    count: int = database.execute("SELECT count(*) FROM probe WHERE at > ?", (moment,)).fetchone()[0]
    return count
