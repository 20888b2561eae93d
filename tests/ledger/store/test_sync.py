import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry, StoreError
from freeride_core.ledger.store.sync import StateSync
from programs import started

OTHER_GATEWAY = """
import asyncio, sys
from pathlib import Path
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.ledger.store.store import Entry, StoreError
from freeride_core.ledger.store.sync import StateSync

def answer(entries):
    for entry in entries:
        if entry.name == "question":
            sync.put(Entry("s", "answer", entry.value + 1))

sync = StateSync(SqliteStore(Path(sys.argv[1])), answer)
print("ready", flush=True)
asyncio.run(sync.run())
"""


class FailingStore(SqliteStore):
    """A store whose disk can be full, or slow."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_full = False
        self.batches: list[list[Entry]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.is_writing = threading.Event()
        self.polled_at: list[float] = []

    def read_changes(self) -> list[Entry]:
        self.polled_at.append(time.monotonic())
        return super().read_changes()

    def write(self, entries: Sequence[Entry]) -> None:
        self.is_writing.set()
        assert self.gate.wait(10)
        if self.is_full:
            raise StoreError("database or disk is full")
        self.batches.append(list(entries))
        super().write(entries)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FailingStore]:
    store = FailingStore(tmp_path / "state.db")
    yield store
    store.close()


@pytest.fixture
def others(store: FailingStore, tmp_path: Path) -> Iterator[SqliteStore]:
    """The same state as another process sees it."""
    others = SqliteStore(tmp_path / "state.db")
    yield others
    others.close()


@asynccontextmanager
async def running(sync: StateSync) -> AsyncIterator[None]:
    task = asyncio.create_task(sync.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(is_true: Callable[[], object], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_true():  # noqa: ASYNC110 - threads and other processes make it true
            await asyncio.sleep(0.005)


def ignore(entries: Sequence[Entry]) -> None:
    raise AssertionError(f"nobody else wrote {entries}")


def test_what_is_put_is_on_disk_soon(store: FailingStore, others: SqliteStore) -> None:
    async def scenario() -> float:
        sync = StateSync(store, ignore)
        async with running(sync):
            put_at = time.monotonic()
            sync.put(Entry("s", "n", 1))
            await until(lambda: others.read_changes() == [Entry("s", "n", 1)])
            return time.monotonic() - put_at

    assert asyncio.run(scenario()) < 1


def test_many_changes_of_one_entry_become_one_write(store: FailingStore, others: SqliteStore) -> None:
    async def scenario() -> None:
        sync = StateSync(store, ignore)
        async with running(sync):
            for number in range(1000):
                sync.put(Entry("s", "n", number))
            sync.put(Entry("t", "n", "another section"))
            await until(lambda: store.batches)

    asyncio.run(scenario())
    assert store.batches == [[Entry("s", "n", 999), Entry("t", "n", "another section")]]


def test_what_was_put_before_the_start_is_written_too(store: FailingStore) -> None:
    async def scenario() -> None:
        sync = StateSync(store, ignore)
        sync.put(Entry("s", "n", 1))
        async with running(sync):
            await until(lambda: store.batches)

    asyncio.run(scenario())
    assert store.batches == [[Entry("s", "n", 1)]]


def test_what_others_write_arrives_in_the_event_loop(store: FailingStore, others: SqliteStore) -> None:
    async def scenario() -> None:
        seen: list[Entry] = []

        def apply(entries: Sequence[Entry]) -> None:
            assert threading.current_thread() is threading.main_thread()
            seen.extend(entries)

        async with running(StateSync(store, apply)):
            others.write([Entry("s", "a", 1)])
            await until(lambda: seen == [Entry("s", "a", 1)], timeout_s=1)
            others.write([Entry("s", "a", None), Entry("s", "b", 2)])
            await until(lambda: len(seen) == 3, timeout_s=1)
            assert sorted(entry.name for entry in seen[1:]) == ["a", "b"]

    asyncio.run(scenario())


def test_an_own_change_on_its_way_out_outlives_an_older_one_from_outside(
    store: FailingStore, others: SqliteStore
) -> None:
    async def scenario() -> None:
        store.is_full = True
        seen: list[Entry] = []
        sync = StateSync(store, seen.extend)
        async with running(sync):
            sync.put(Entry("s", "contested", "ours"))
            await until(store.is_writing.is_set)
            others.write([Entry("s", "contested", "theirs"), Entry("s", "other", 1)])
            await until(lambda: seen)
            store.is_full = False
            await until(lambda: store.batches)
        assert seen == [Entry("s", "other", 1)]

    asyncio.run(scenario())
    assert Entry("s", "contested", "ours") in others.read_all()


def test_a_full_disk_is_tried_again_and_nobody_hears_of_it(store: FailingStore) -> None:
    async def scenario() -> None:
        store.is_full = True
        sync = StateSync(store, ignore)
        async with running(sync):
            sync.put(Entry("s", "n", "old"))
            sync.put(Entry("s", "m", "same"))
            store.gate.clear()
            await until(store.is_writing.is_set)
            sync.put(Entry("s", "n", "new"))
            store.is_writing.clear()
            store.gate.set()
            await until(store.is_writing.is_set)
            assert store.batches == []
            store.is_full = False
            await until(lambda: store.batches)

    asyncio.run(scenario())
    (batch,) = store.batches
    assert sorted(batch, key=lambda entry: entry.name) == [Entry("s", "m", "same"), Entry("s", "n", "new")]


def test_trouble_with_the_state_is_told_once_until_it_works_again(
    store: FailingStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        sync = StateSync(store, ignore)
        async with running(sync):
            for number in (1, 2):
                store.is_full = True
                sync.put(Entry("s", "n", number))
                polls = len(store.polled_at)
                await until(lambda polls=polls: len(store.polled_at) >= polls + 3)  # type: ignore[misc]
                store.is_full = False
                await until(lambda number=number: len(store.batches) == number)  # type: ignore[misc]

    asyncio.run(scenario())
    told = [record.getMessage() for record in caplog.records if record.name == "freeride_core.ledger.store.sync"]
    assert len(told) == 2
    assert told[0].startswith(f"{tmp_path / 'state.db'} cannot be used: database or disk is full; ")


def test_a_state_that_another_process_has_locked_is_written_later(store: FailingStore, tmp_path: Path) -> None:
    async def scenario() -> None:
        sync = StateSync(store, ignore)
        lock = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        async with running(sync):
            lock.execute("BEGIN IMMEDIATE")
            sync.put(Entry("s", "n", 1))
            await until(store.is_writing.is_set)
            lock.execute("ROLLBACK")
            await until(lambda: store.read_all() == [Entry("s", "n", 1)])
        lock.close()

    asyncio.run(scenario())


def test_a_slow_disk_does_not_hold_up_the_event_loop(store: FailingStore) -> None:
    async def scenario() -> None:
        store.gate.clear()
        sync = StateSync(store, ignore)
        async with running(sync):
            sync.put(Entry("s", "n", 1))
            await until(store.is_writing.is_set)
            for number in range(100):
                sync.put(Entry("s", str(number), number))
                await asyncio.sleep(0)
            assert store.batches == []
            store.gate.set()
            await until(lambda: sum(map(len, store.batches)) == 101)

    asyncio.run(scenario())


def test_an_idle_state_is_looked_at_four_times_a_second_and_no_more(store: FailingStore) -> None:
    async def scenario() -> None:
        sync = StateSync(store, ignore)
        async with running(sync):
            sync.put(Entry("s", "n", 1))
            await until(lambda: store.batches)
            await until(lambda: len(store.polled_at) >= 4)

    asyncio.run(scenario())
    assert store.polled_at[3] - store.polled_at[0] >= 3 * 0.25
    assert len(store.batches) == 1


def test_flush_writes_what_was_left_and_what_the_end_interrupted(store: FailingStore) -> None:
    async def scenario(sync: StateSync) -> None:
        store.gate.clear()
        async with running(sync):
            sync.put(Entry("s", "n", "old"))
            sync.put(Entry("s", "interrupted", 1))
            await until(store.is_writing.is_set)
            sync.put(Entry("s", "n", "new"))

    sync = StateSync(store, ignore)
    asyncio.run(scenario(sync))
    store.is_full = True  # what is interrupted fails into the bargain
    store.gate.set()
    sync.flush()
    store.is_full = False
    sync.flush()
    assert {entry.name: entry.value for entry in store.read_all()} == {"n": "new", "interrupted": 1}
    count = len(store.batches)
    sync.flush()
    assert len(store.batches) == count


def test_flush_gives_up_quietly_on_a_full_disk_and_can_be_asked_again(store: FailingStore) -> None:
    sync = StateSync(store, ignore)
    store.is_full = True
    sync.put(Entry("s", "n", 1))
    sync.flush()
    assert store.batches == []
    store.is_full = False
    sync.flush()
    assert store.batches == [[Entry("s", "n", 1)]]


def test_two_processes_share_changes_within_a_second(store: FailingStore, tmp_path: Path) -> None:
    async def scenario() -> float:
        seen: list[Entry] = []
        sync = StateSync(store, seen.extend)
        async with running(sync):
            put_at = time.monotonic()
            sync.put(Entry("s", "question", 41))
            await until(lambda: seen)
        assert seen == [Entry("s", "answer", 42)]
        return time.monotonic() - put_at

    command = [sys.executable, "-c", OTHER_GATEWAY, str(tmp_path / "state.db")]
    with started(command, stderr=None) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        there_and_back_s = asyncio.run(scenario())
    assert there_and_back_s < 2
