import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from freeride_core.ledger.store.sqlite import NewerStateError, SqliteStore, _use_wal
from freeride_core.ledger.store.store import Entry
from programs import started

WRITER = """
import sys
from pathlib import Path
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry

store = SqliteStore(Path(sys.argv[1]))
print(store.notice or "ready", flush=True)
number = 0
while True:
    number += 1
    store.write([Entry("pair", side, {"number": number, "filler": "x" * 5000}) for side in ("left", "right")])
"""


@contextmanager
def writing(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that writes without end, from the moment that it is handed out."""
    with started([sys.executable, "-c", WRITER, str(path)], stderr=None) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def until(is_true: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "state.db"


def test_tombstones_are_purged_after_a_day_and_no_change_is_missed_for_it(path: Path) -> None:
    now = [1_000_000.0]
    with closing(SqliteStore(path, lambda: now[0])) as ours, closing(SqliteStore(path, lambda: now[0])) as theirs:
        ours.write([Entry("s", "old", 1), Entry("s", "kept", 1)])
        ours.write([Entry("s", "old", None)])
        theirs.read_all()

        def names() -> set[str]:
            with closing(sqlite3.connect(path)) as connection:
                return {name for (name,) in connection.execute("SELECT name FROM entries")}

        now[0] += 23 * 3600
        ours.write([Entry("s", "young", None)])
        assert names() == {"old", "kept", "young"}
        now[0] += 2 * 3600
        ours.write([Entry("s", "new", 1)])
        assert names() == {"kept", "young", "new"}
        assert [entry.name for entry in theirs.read_changes()] == ["young", "new"]


def test_revisions_go_on_rising_when_the_newest_entry_is_an_old_tombstone(path: Path) -> None:
    now = [1_000_000.0]
    with closing(SqliteStore(path, lambda: now[0])) as ours, closing(SqliteStore(path, lambda: now[0])) as theirs:
        ours.write([Entry("s", "n", 1)])
        ours.write([Entry("s", "n", None)])
        theirs.read_all()
        now[0] += 48 * 3600
        ours.write([])
        ours.write([Entry("s", "first", 1)])
        ours.write([Entry("s", "second", 1)])
        assert [entry.name for entry in theirs.read_changes()] == ["first", "second"]


def test_a_write_is_whole_or_absent(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        with pytest.raises(TypeError):
            store.write([Entry("s", "good", 1), Entry("s", "bad", object())])
        assert store.read_all() == []
        store.write([Entry("s", "good", 2)])
        assert store.read_all() == [Entry("s", "good", 2)]


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_files_belong_to_the_user_alone_from_the_first_moment(path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(SqliteStore(path)) as store:
            store.write([Entry("s", "n", 1)])
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    SqliteStore(path).close()
    path.chmod(0o644)
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_database_is_moved_aside_with_a_notice(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"certainly not a database" * 100)
    with closing(SqliteStore(path, lambda: 1234.5)) as store:
        assert store.notice is not None
        assert str(path) in store.notice
        assert "state.db.damaged-1234" in store.notice
        assert "\n" not in store.notice
        store.write([Entry("s", "n", 1)])
    assert path.with_name("state.db.damaged-1234").read_bytes() == b"certainly not a database" * 100
    with closing(SqliteStore(path)) as store:
        assert store.notice is None
        assert store.read_all() == [Entry("s", "n", 1)]


def test_damaged_files_do_not_replace_one_another(path: Path) -> None:
    path.parent.mkdir()
    for content in (b"first" * 1000, b"second" * 1000):
        path.write_bytes(content)
        SqliteStore(path, lambda: 1234.0).close()
    assert path.with_name("state.db.damaged-1234").read_bytes() == b"first" * 1000
    assert path.with_name("state.db.damaged-1235").read_bytes() == b"second" * 1000


def test_a_database_with_a_spoilt_page_is_moved_aside(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.write([Entry("s", str(number), "x" * 500) for number in range(500)])
    content = bytearray(path.read_bytes())
    content[8192:40960] = os.urandom(40960 - 8192)
    path.write_bytes(content)
    with closing(SqliteStore(path)) as store:
        assert store.notice is not None
        assert "damaged" in store.notice
        assert store.read_all() == []


def test_a_database_of_another_shape_is_moved_aside(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE entries (something TEXT)")
        connection.commit()
    with closing(SqliteStore(path)) as store:
        assert store.notice is not None
        assert "is kept as state.db.damaged-" in store.notice
        store.write([Entry("s", "n", 1)])
        assert store.read_all() == [Entry("s", "n", 1)]


def make_newer(path: Path) -> None:
    """As a later version would leave it, with tables of its own."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE entries ADD COLUMN colour TEXT DEFAULT 'blue'")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM entries ORDER BY name").fetchall()


def test_the_state_of_a_newer_version_stays_as_it_is(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.write([Entry("s", "n", "kept")])
    make_newer(path)
    before = path.read_bytes()
    with closing(SqliteStore(path)) as store:
        assert store.notice is not None
        assert "newer version" in store.notice
        assert "\n" not in store.notice
        assert store.read_all() == []
        store.write([Entry("s", "n", "mine")])
        assert store.read_all() == [Entry("s", "n", "mine")]
        assert store.read_changes() == []
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


def test_a_state_that_a_newer_version_takes_over_is_not_written_to_any_more(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.write([Entry("s", "n", "old")])
        make_newer(path)
        before = rows_of(path)
        with pytest.raises(NewerStateError, match="newer version"):
            store.write([Entry("s", "n", "new")])
        with pytest.raises(NewerStateError, match="newer version"):
            store.read_changes()
        assert rows_of(path) == before


def test_without_any_file_the_state_lives_in_memory_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "a file, not a folder"
    home.write_text("")
    with closing(SqliteStore(home / "state.db")) as store:
        assert store.notice is not None
        assert "nothing is remembered" in store.notice
        store.write([Entry("s", "n", 1)])
        assert store.read_all() == [Entry("s", "n", 1)]


def test_an_empty_file_left_by_a_killed_start_is_a_new_state(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with closing(SqliteStore(path)) as store:
        assert store.notice is None
        assert store.read_all() == []


def test_a_value_that_is_not_json_is_as_good_as_absent(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.write([Entry("s", "spoilt", 1), Entry("s", "good", 2)])
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE entries SET value = '{\"half' WHERE name = 'spoilt'")
            connection.commit()
        assert store.read_all() == [Entry("s", "good", 2)]


def test_many_stores_may_begin_the_same_file_at_once(path: Path) -> None:
    notices: list[str | None] = []

    def begin(number: int) -> None:
        with closing(SqliteStore(path)) as store:
            store.write([Entry("s", str(number), number)])
            notices.append(store.notice)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notices == [None] * 12
    with closing(SqliteStore(path)) as store:
        assert {entry.value for entry in store.read_all()} == set(range(12))


def test_a_file_that_another_process_is_just_making_is_waited_for() -> None:
    """SQLite gives up on this lock at once."""
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    connection = Mock()
    connection.execute.side_effect = [busy, busy, Mock()]
    _use_wal(connection)
    assert connection.execute.call_count == 3


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
@pytest.mark.parametrize("rounds", [1, 2, 3, 5, 9, 20])
def test_kill_9_at_any_moment_leaves_whole_entries(path: Path, rounds: int) -> None:
    with closing(SqliteStore(path)) as store, writing(path) as writer:
        for _ in range(rounds):
            until(lambda: bool(store.read_changes()))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    with closing(SqliteStore(path)) as store:
        assert store.notice is None
        left, right = store.read_all()
        assert (left.name, right.name) == ("left", "right")
        assert left.value == right.value
        assert len(left.value["filler"]) == 5000
        store.write([Entry("after", "the kill", 1)])
        assert len(store.read_all()) == 3


def test_a_state_survives_many_kills_in_a_row(path: Path) -> None:
    for _ in range(5):
        with writing(path), closing(SqliteStore(path)) as store:
            store.read_all()
            until(lambda store=store: bool(store.read_changes()))  # type: ignore[misc]
    with closing(SqliteStore(path)) as store:
        assert store.notice is None
        left, right = store.read_all()
    assert left.value == right.value


def test_another_process_sees_a_change_within_a_second(path: Path) -> None:
    with closing(SqliteStore(path)) as store, writing(path):
        until(lambda: bool(store.read_changes()), timeout_s=1.0)


def test_the_state_is_plain_json_to_whoever_looks(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.write([Entry("s", "n", {"a": 1})])
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT section, name, value FROM entries").fetchall()
    assert [(section, name, json.loads(value)) for section, name, value in rows] == [("s", "n", {"a": 1})]
