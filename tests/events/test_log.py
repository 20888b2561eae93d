from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pluggy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from examples import examples
from freeride_core import hookspecs
from freeride_core.events import follower as follower_module
from freeride_core.events import log as event_log
from freeride_core.events.bus import EventBus, drain, plugin_observers
from freeride_core.events.follower import Follower
from freeride_core.events.log import JsonlSink, WantedSink, backup_of
from freeride_core.events.records import Event
from programs import started

DEADLINE_S = 20.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "home" / "events.jsonl"


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def numbered(first: int, last: int, writer: str = "w") -> list[Event]:
    return [{"ts": 1.0, "type": "t", "request_id": writer, "n": n} for n in range(first, last)]


def numbers(lines: list[bytes]) -> list[int]:
    return [json.loads(line)["n"] for line in lines]


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_log_is_where_it_is_wanted_at_the_moment(tmp_path: Path) -> None:
    wanted: list[Path | None] = [tmp_path / "one.jsonl", None, tmp_path / "two.jsonl"]
    sink = WantedSink(lambda: wanted[0])
    for number in range(3):
        assert sink.write([{"number": number}]) == 0
        wanted.append(wanted.pop(0))
    assert {path.name: path.read_text() for path in tmp_path.glob("*.jsonl")} == {
        "one.jsonl": '{"number":0}\n',
        "two.jsonl": '{"number":2}\n',
    }


# ---- the bus


def test_an_event_carries_its_time_its_type_and_its_request() -> None:
    bus = EventBus(now=lambda: 1795406437.12345)
    bus.emit("request_start", "req_a3f8e2c1", model="m", stream=True)
    assert bus.take() == [
        {"ts": 1795406437.12345, "type": "request_start", "request_id": "req_a3f8e2c1", "model": "m", "stream": True}
    ]
    assert bus.take() == []


def test_a_full_bus_drops_the_oldest_and_says_how_many() -> None:
    bus = EventBus(capacity=3, now=lambda: 5.0)
    for number in range(8):
        bus.emit("t", "r", n=number)
    events = bus.take()
    assert events[0] == {"ts": 5.0, "type": "events_dropped", "request_id": "", "dropped": 5}
    assert [event["n"] for event in events[1:]] == [5, 6, 7]
    bus.emit("t", "r", n=8)
    assert [event["n"] for event in bus.take()] == [8], "what was reported is not reported again"


def test_emitting_takes_microseconds() -> None:
    bus = EventBus(capacity=100)
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        for number in range(1000):
            bus.emit("provider_response", "req_a3f8e2c1", provider="one", key_index=0, duration_ms=number, status="OK")
        best = min(best, (time.perf_counter() - started) / 1000)
    assert best < 50e-6


# ---- the sink


def test_an_event_is_one_compact_object_on_a_line(log: Path) -> None:
    assert JsonlSink(log).write([{"ts": 1.5, "type": "a", "request_id": "r", "tried": ["x", "y"]}, {"n": None}]) == 0
    assert log.read_bytes() == b'{"ts":1.5,"type":"a","request_id":"r","tried":["x","y"]}\n{"n":null}\n'


def test_a_name_that_is_no_unicode_is_written_all_the_same(log: Path) -> None:
    assert JsonlSink(log).write([{"model": "a\ud800b"}, {"model": "line\u2028separator\n"}]) == 0
    lines = log.read_bytes().split(b"\n")
    assert [json.loads(line)["model"] for line in lines[:-1]] == ["a\ud800b", "line\u2028separator\n"]


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_files_are_the_owners_alone_from_creation(log: Path) -> None:
    before = os.umask(0)
    try:
        sink = JsonlSink(log, limit_bytes=100)
        for number in range(4):
            sink.write(numbered(number, number + 1))
    finally:
        os.umask(before)
    assert backup_of(log).exists()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in log.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_a_full_log_becomes_the_one_backup(log: Path) -> None:
    sink = JsonlSink(log)
    batch = [{"n": number, "text": "x" * 1000} for number in range(100)]
    for _ in range(25):
        assert sink.write(batch) == 0
        assert log.stat().st_size <= 1024 * 1024
    assert backup_of(log).stat().st_size > 900_000
    assert {path.name for path in log.parent.iterdir()} == {"events.jsonl", "events.jsonl.1", "events.jsonl.lock"}
    assert len(records(log)) + len(records(backup_of(log))) == 1500, "two generations of ten batches, five in the third"


def test_a_batch_larger_than_the_log_is_kept_whole(log: Path) -> None:
    sink = JsonlSink(log, limit_bytes=100)
    assert sink.write(numbered(0, 50)) == 0
    assert len(records(log)) == 50


def test_a_log_that_is_taken_away_comes_back(log: Path) -> None:
    sink = JsonlSink(log)
    sink.write(numbered(0, 1))
    for path in log.parent.iterdir():
        path.unlink()
    log.parent.rmdir()
    assert sink.write(numbered(1, 2)) == 0
    assert [record["n"] for record in records(log)] == [1]


def test_a_full_disk_loses_events_and_says_so_once(
    log: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sink = JsonlSink(log)
    monkeypatch.setattr(os, "write", write)
    assert sink.write(numbered(0, 3)) == 3
    assert sink.write(numbered(3, 5)) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"events are not being recorded in {log}: {os.strerror(errno.ENOSPC)}"
    ]
    monkeypatch.undo()
    assert sink.write(numbered(5, 6)) == 0
    monkeypatch.setattr(os, "write", write)
    assert sink.write(numbered(6, 7)) == 1
    assert len(caplog.records) == 2, "trouble after it had worked again is news"


def test_half_a_line_does_not_spoil_the_next(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonlSink(log)
    sink.write(numbered(0, 1))
    follower = Follower(log, from_start=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data, write=os.write: write(fd, data[: len(data) // 2 + 5]))
        assert sink.write(numbered(1, 3)) == 1, "the first fits, the second is torn"
    assert sink.write(numbered(3, 4)) == 0
    lines = follower.poll()
    follower.close()
    assert [json.loads(lines[index])["n"] for index in (0, 1, 3)] == [0, 1, 3]
    assert len(lines) == 4


def test_a_backup_that_cannot_be_made_costs_no_event(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "another program has it open")

    sink = JsonlSink(log, limit_bytes=100)
    monkeypatch.setattr(Path, "replace", refuse)
    assert [sink.write(numbered(n, n + 1)) for n in range(5)] == [0] * 5
    assert [record["n"] for record in records(log)] == list(range(5))


def test_whoever_sits_on_the_lock_stops_nobody_for_long(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "_LOCK_WAIT_S", 0.02)
    sink = JsonlSink(log)
    sink.write(numbered(0, 1))
    with event_log._locked(log.with_name("events.jsonl.lock")):
        assert sink.write(numbered(1, 2)) == 1
    assert sink.write(numbered(2, 3)) == 0
    assert [record["n"] for record in records(log)] == [0, 2]


def test_nobody_rotates_a_log_while_another_writes(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonlSink(log, limit_bytes=100)
    sink.write(numbered(0, 1))
    rotation = threading.Thread(target=lambda: sink.write(numbered(2, 5)))
    was_waiting: list[bool] = []

    def write(descriptor: int, data: bytes, real: Callable[[int, bytes], int] = os.write) -> int:
        if not was_waiting:
            was_waiting.append(False)
            rotation.start()
            rotation.join(0.1)
            was_waiting[0] = rotation.is_alive() and not backup_of(log).exists()
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    sink.write(numbered(1, 2))
    rotation.join(DEADLINE_S)
    assert was_waiting == [True]
    assert [record["n"] for record in records(backup_of(log))] == [0, 1]
    assert [record["n"] for record in records(log)] == [2, 3, 4]


WRITER = """
import sys
from pathlib import Path
from freeride_core.events.log import JsonlSink
path, name, events, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sink = JsonlSink(path, limit_bytes=limit)
lost = 0
for n in range(0, events, 5):
    lost += sink.write([{"request_id": name, "n": n + k, "pad": "x" * 60} for k in range(5)])
sys.exit(lost)
"""


def test_processes_that_share_a_log_lose_nothing_while_it_rotates_under_a_reader(log: Path) -> None:
    log.parent.mkdir()
    log.touch()
    # Lines of about 98 bytes, 280 KB in all: two rotations at 100 KB, which a reader of the file survives however slow it is.
    names, events = ("one", "two", "three"), 950
    follower = Follower(log)
    seen: dict[str, list[int]] = {name: [] for name in names}
    with contextlib.ExitStack() as running:
        command = [sys.executable, "-c", WRITER, str(log)]
        writers = [
            running.enter_context(started([*command, name, str(events), "100000"], stdout=None, stderr=None))
            for name in names
        ]
        deadline = time.monotonic() + 60
        while True:
            done = all(writer.poll() is not None for writer in writers)
            for line in follower.poll():
                record = json.loads(line)
                seen[record["request_id"]].append(record["n"])
            if done:
                break
            assert time.monotonic() < deadline
    follower.close()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert backup_of(log).exists()
    assert seen == {name: list(range(events)) for name in names}


# ---- the drain


def test_an_event_is_in_the_log_within_a_quarter_of_a_second(log: Path) -> None:
    async def measure() -> float:
        bus = EventBus()
        task = asyncio.create_task(drain(bus, JsonlSink(log)))
        best = float("inf")
        for number in range(5):
            started = time.monotonic()
            bus.emit("t", "r", n=number)
            await until(lambda number=number: len(records(log)) == number + 1)  # type: ignore[misc]
            best = min(best, time.monotonic() - started)
        await stop(task)
        return best

    assert asyncio.run(measure()) < 0.25


def test_what_was_emitted_before_the_end_is_written(log: Path) -> None:
    async def run() -> None:
        bus = EventBus()
        task = asyncio.create_task(drain(bus, JsonlSink(log), every_s=3600))
        await asyncio.sleep(0)
        bus.emit("t", "r", n=1)
        await stop(task)

    asyncio.run(run())
    assert [record["n"] for record in records(log)] == [1]


def test_the_end_waits_for_the_batch_that_is_being_written() -> None:
    written: list[int] = []
    started, go_on = threading.Event(), threading.Event()

    class SlowSink:
        def write(self, events: Any) -> int:
            started.set()
            assert go_on.wait(DEADLINE_S)
            written.extend(event["n"] for event in events)
            return 0

    async def run() -> None:
        bus = EventBus()
        bus.emit("t", "r", n=1)
        task = asyncio.create_task(drain(bus, SlowSink(), every_s=0))
        await until(started.is_set)
        bus.emit("t", "r", n=2)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        await stop(task)

    asyncio.run(run())
    assert written == [1, 2]


def test_events_that_the_log_lost_are_counted_in_it() -> None:
    class FullThenFine:
        def __init__(self) -> None:
            self.batches: list[list[Event]] = []

        def write(self, events: Any) -> int:
            self.batches.append(list(events))
            return len(events) if len(self.batches) == 1 else 0

    async def run() -> list[list[Event]]:
        bus, sink = EventBus(), FullThenFine()
        task = asyncio.create_task(drain(bus, sink, every_s=0.001))
        for number in range(2):
            bus.emit("t", "r", n=number)
        await until(lambda: len(sink.batches) == 1)
        bus.emit("t", "r", n=2)
        await until(lambda: len(sink.batches) == 2)
        await stop(task)
        return sink.batches

    first, second = asyncio.run(run())
    assert len(first) == 2
    assert [(event["type"], event.get("dropped")) for event in second] == [("events_dropped", 2), ("t", None)]


def test_observers_get_every_event_though_no_log_is_kept() -> None:
    seen: list[Event] = []

    async def run() -> None:
        bus = EventBus()
        task = asyncio.create_task(drain(bus, None, [seen.append], every_s=0.001))
        bus.emit("t", "r", n=1)
        await until(lambda: len(seen) == 1)
        await stop(task)

    asyncio.run(run())
    assert [event["n"] for event in seen] == [1]


@pytest.mark.parametrize("error", [ValueError("sk-secret"), SystemExit(3), asyncio.CancelledError(), AssertionError()])
def test_an_observer_that_raises_is_reported_once_and_breaks_nothing(
    log: Path, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    seen: list[Event] = []

    def broken(event: Event) -> None:
        raise error

    async def run() -> None:
        bus = EventBus()
        task = asyncio.create_task(drain(bus, JsonlSink(log), [broken, seen.append], every_s=0.001))
        for number in range(3):
            bus.emit("t", "r", n=number)
            await until(lambda number=number: len(seen) == number + 1)  # type: ignore[misc]
        await stop(task)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert len(records(log)) == 3
    mine = [record.getMessage() for record in caplog.records if record.name == "freeride_core.events.bus"]
    assert len(mine) == 1
    assert type(error).__name__ in mine[0]
    assert "broken" in mine[0]
    assert "secret" not in mine[0]


def test_a_plugin_that_breaks_keeps_no_event_from_another(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        @hookspecs.hookimpl
        def freeride_event(self, event: Mapping[str, Any]) -> None:
            raise SystemExit(event["n"])

    seen: list[int] = []

    class Fine:
        @hookspecs.hookimpl
        def freeride_event(self, event: Mapping[str, Any]) -> None:
            seen.append(event["n"])

    class Silent:
        @hookspecs.hookimpl
        def freeride_event(self) -> None:
            """A hook may take fewer arguments than it is offered."""

    class Other:
        @hookspecs.hookimpl
        def freeride_startup(self) -> None:
            raise AssertionError("not an observer")

    hooks = pluggy.PluginManager(hookspecs.PROJECT)
    hooks.add_hookspecs(hookspecs)
    for name, plugin in {"broken": Broken(), "fine": Fine(), "silent": Silent(), "other": Other()}.items():
        hooks.register(plugin, name)
    observers = plugin_observers(hooks)
    assert len(observers) == 3

    async def run() -> None:
        bus = EventBus()
        task = asyncio.create_task(drain(bus, None, observers, every_s=3600))
        await asyncio.sleep(0)
        bus.emit("t", "r", n=1)
        bus.emit("t", "r", n=2)
        await stop(task)

    asyncio.run(run())
    assert seen == [1, 2]
    assert [record.getMessage() for record in caplog.records if "plugin broken" in record.getMessage()] != []


# ---- the follower


def test_a_follower_begins_with_what_comes_from_now_on(log: Path) -> None:
    sink = JsonlSink(log, limit_bytes=100)
    for number in range(5):
        sink.write(numbered(number, number + 1))
    follower = Follower(log)
    assert follower.poll() == []
    sink.write(numbered(5, 6))
    assert numbers(follower.poll()) == [5]
    assert follower.poll() == []
    follower.close()


def test_a_follower_from_the_start_begins_with_the_backup(log: Path) -> None:
    sink = JsonlSink(log, limit_bytes=400)
    for number in range(50):
        sink.write(numbered(number, number + 1))
    kept = [record["n"] for path in (backup_of(log), log) for record in records(path)]
    assert kept[0] > 0
    follower = Follower(log, from_start=True)
    assert numbers(follower.poll()) == kept
    follower.close()


@pytest.mark.parametrize("from_start", [False, True])
def test_a_follower_waits_for_a_log_that_is_not_there_yet(log: Path, from_start: bool) -> None:
    follower = Follower(log, from_start=from_start)
    assert follower.poll() == []
    JsonlSink(log).write(numbered(0, 2))
    assert numbers(follower.poll()) == [0, 1]
    follower.close()


def test_a_line_is_kept_until_it_is_complete(log: Path) -> None:
    log.parent.mkdir()
    log.write_bytes(b'{"n":0}\n{"n"')
    follower = Follower(log)
    with log.open("ab") as file:
        file.write(b":1")
        file.flush()
        assert follower.poll() == []
        file.write(b"}\n")
    assert numbers(follower.poll()) == [1], "its end came after the start"
    follower.close()


def test_a_log_that_cannot_be_read_is_an_error_and_not_an_empty_log(log: Path) -> None:
    log.mkdir(parents=True)
    with pytest.raises(OSError, match=r"events\.jsonl"):
        Follower(log)


class Log:
    """A log written by hand: it rotates, is truncated and stops in mid-line when a test wants it to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next = 0
        self._missing = b""
        """The end of the line of which only the beginning is there."""

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, data)
        os.close(descriptor)

    def write(self) -> int:
        """Completes a line; returns its number."""
        if not self._missing:
            self.write_half()
        self._append(self._missing)
        self._missing = b""
        return self._next - 1

    def write_half(self) -> None:
        if not self._missing:
            line = b'{"n":%d}\n' % self._next
            self._next += 1
            self._append(line[:4])
            self._missing = line[4:]

    def rotate(self, *, recreate: bool) -> None:
        if self.path.exists():
            self._missing = b""
            self.path.replace(backup_of(self.path))
            if recreate:
                self._append(b"")

    def truncate(self) -> None:
        if self.path.exists():
            self._missing = b""
            os.truncate(self.path, 0)

    def delete(self) -> None:
        self._missing = b""
        self.path.unlink(missing_ok=True)


class FollowedLog(RuleBasedStateMachine):
    """Every line is read once and in order, whatever happens between polls."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.log = Log(Path(self.folder.name) / "events.jsonl")
        self.follower: Follower | None = None
        self.unread: list[tuple[str, int]] = []
        """The lines to be read, and where each is: an `old` file stays as it is, the `new` one can be truncated."""
        self.rotations_left = 1

    @rule(times=st.integers(1, 3))
    def write(self, times: int) -> None:
        self.unread += [("new", self.log.write()) for _ in range(times)]

    @rule()
    def write_half(self) -> None:
        self.log.write_half()

    @precondition(lambda self: self.rotations_left > 0)
    @rule(recreate=st.booleans())
    def rotate(self, recreate: bool) -> None:
        if self.log.path.exists():
            self.rotations_left -= 1
        self.log.rotate(recreate=recreate)
        self.unread = [("old", number) for _, number in self.unread]

    @rule()
    def truncate(self) -> None:
        self.log.truncate()
        self.unread = [(where, number) for where, number in self.unread if where == "old"]

    @precondition(lambda self: not self.unread)
    @rule()
    def delete(self) -> None:
        self.log.delete()
        self._note_read()

    @precondition(lambda self: self.follower is None)
    @rule(from_start=st.booleans())
    def begin(self, from_start: bool) -> None:
        self.follower = Follower(self.log.path, from_start=from_start)
        if from_start:
            on_disk = [path for path in (backup_of(self.log.path), self.log.path) if path.exists()]
            there = [line for path in on_disk for line in path.read_bytes().split(b"\n")[:-1]]
            assert self.follower.poll() == there
        self._note_read()

    @precondition(lambda self: self.follower is not None)
    @rule()
    def poll(self) -> None:
        assert self.follower is not None
        assert numbers(self.follower.poll()) == [number for _, number in self.unread]
        self._note_read()

    def _note_read(self) -> None:
        self.unread = []
        # One more would take a file away that nobody has seen. A file that is being read is safe, wherever it goes.
        self.rotations_left = 2 if self.log.path.exists() else 1

    @precondition(lambda self: self.follower is None)
    @rule()
    def let_time_pass(self) -> None:
        self._note_read()

    def teardown(self) -> None:
        if self.follower is not None:
            self.poll()
            self.follower.close()
        self.folder.cleanup()


FollowedLog.TestCase.settings = settings(deadline=None, max_examples=examples(200), stateful_step_count=40)
TestFollowedLog = FollowedLog.TestCase


@settings(deadline=None, max_examples=examples(300))
@given(
    moments=st.lists(
        st.sampled_from(["", "write", "write rotate write", "write rotate-only"]), min_size=30, max_size=60
    ),
    polls=st.integers(1, 4),
    from_start=st.booleans(),
)
def test_every_line_is_read_once_and_in_order_while_the_log_rotates_during_a_poll(
    moments: list[str], polls: int, from_start: bool
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        log = Log(Path(name) / "events.jsonl")
        written: list[int] = []
        may_rotate = [False]

        def interfere() -> None:
            for step in moments.pop().split() if moments else ():
                if step == "write":
                    written.append(log.write())
                elif may_rotate[0]:
                    may_rotate[0] = False
                    log.rotate(recreate=step == "rotate")

        def between(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*arguments: Any) -> Any:
                interfere()
                result = call(*arguments)
                interfere()
                return result

            return wrapped

        follower = Follower(log.path, from_start=from_start)
        for function in ("_open", "_is_at", "_is_same"):
            patch.setattr(follower_module, function, between(getattr(follower_module, function)))
        patch.setattr(Follower, "_read", between(Follower._read))
        seen: list[int] = []
        for _ in range(polls):
            # Once between the ends of two polls; and not while there is no file, which a slow reader might never see.
            may_rotate[0] = log.path.exists()
            interfere()
            seen += numbers(follower.poll())
        patch.undo()
        seen += numbers(follower.poll())
        follower.close()
        assert seen == written


def test_a_log_that_rotates_all_the_time_is_followed_through_every_rotation(log: Path) -> None:
    sink = JsonlSink(log, limit_bytes=120)
    follower = Follower(log)
    seen: list[int] = []
    for number in range(200):
        sink.write(numbered(number, number + 1))
        if number % 3 == 0:
            seen += numbers(follower.poll())
    seen += numbers(follower.poll())
    follower.close()
    assert seen == list(range(200))


def test_a_log_that_was_truncated_and_has_grown_beyond_is_read_anew(log: Path) -> None:
    log.parent.mkdir()
    log.write_bytes(b'{"n":1}\n')
    follower = Follower(log, from_start=True)
    assert numbers(follower.poll()) == [1]
    with log.open("r+b") as file:
        file.truncate(0)
        file.write(b'{"n":2}\n{"n":3}\n')
    assert numbers(follower.poll()) == [2, 3]
    follower.close()
