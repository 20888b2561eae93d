"""`kill -9` at any moment under load: what is on the disk can be read, no more than the last moment is lost, and the next start
serves.

`FREERIDE_KILLS` says how many gateways are killed, `FREERIDE_KILLS_SEED` which moments they are killed at.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import FakeUpstream, ReceivedRequest, Script, good, key_of, question, refusal, until
from freeride_core.ledger.slots import Slot
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.settings.keys import fingerprint
from programs import started
from repository import SUPPORT

if not hasattr(os, "fork"):
    pytest.skip("a gateway that starts in no time is a fork: nothing here was tested", allow_module_level=True)

KILLS = int(os.environ.get("FREERIDE_KILLS", "50"))
SEED = int(os.environ.get("FREERIDE_KILLS_SEED", "20261125"))
HOMES = 8
REFUSALS = 60
"""As many as one life sees at most, so that the keys last."""
KEYS = (REFUSALS + 10) * -(-KILLS // HOMES)
EVERY_LONG = 10
"""Each so many kills one comes after a load so long that it is seen how far back the loss can go."""
LONG_S = 1.5
GROWN_S = 0.2
"""Who has served as long as that has written something, usually."""
LOST_AT_MOST_S = 1.0
"""The windows are 50 and 100 ms; the rest is for a machine that has much else to do."""

_NURSERY = """
import json, os, signal, sys
from fake_upstream import plugins, provider
from freeride_core import Scope
from freeride_core.gateway import client
from freeride_core.gateway.server import listen, serve
from freeride_core.settings.resolver import load_settings

installed = plugins(provider("alpha", meter=Scope.KEY))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for home in sys.stdin:
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        client._random.seed()  # or every life would count its requests with the same names
        os.environ["FREERIDE_HOME"] = home.rstrip("\\n")

        def show(gateway, url):
            print(json.dumps({"pid": os.getpid(), "url": url, "notice": gateway.store.notice}), flush=True)

        serve(load_settings(), installed, listen("127.0.0.1", 0), show)
        os._exit(0)
"""


@dataclass
class Refusals:
    """An upstream that every so often has had enough of the key that a request comes with first, and serves it with the next."""

    every_s: dict[str, float] = field(default_factory=dict)
    """How often, by life."""
    keys: dict[str, str] = field(default_factory=dict)
    """Whose key was refused, by request."""
    asked: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """With which keys it was asked, by life."""
    _refused_at: dict[str, float] = field(default_factory=dict)

    def answer(self, seen: ReceivedRequest) -> Script:
        if seen.method == "GET":
            return good(seen)
        name, now = seen.json["user"], time.monotonic()
        life = name.rpartition(".")[0]
        self.asked[life].add(fingerprint(seen.key))
        if name in self.keys or now - self._refused_at.get(life, 0.0) < self.every_s[life]:
            return good(seen)
        self._refused_at[life] = now
        self.keys[name] = fingerprint(seen.key)
        return refusal(429, headers={"retry-after": "3600"})


class Nursery:
    """One process with everything imported, of which gateways are forks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lock = threading.Lock()

    def start(self, home: Path) -> dict[str, Any]:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(home, file=self._process.stdin, flush=True)
            born: dict[str, Any] = json.loads(self._process.stdout.readline())
            return born


@contextmanager
def nursery(upstream: FakeUpstream, errors: Path) -> Iterator[Nursery]:
    environ = {**os.environ, "PYTHONPATH": str(SUPPORT), "FREERIDE_ALPHA_BASE_URL": upstream.url}
    environ["ALPHA_KEY"] = json.dumps([key_of("alpha", number) for number in range(KEYS)])
    command = [sys.executable, "-c", _NURSERY]
    with errors.open("wb") as stderr, started(command, environ, stdin=subprocess.PIPE, stderr=stderr) as process:
        try:
            yield Nursery(process)
        finally:
            process.communicate(timeout=10)


@dataclass
class Loss:
    """How far back what one kill took goes, and how long there had been answers, seconds."""

    state_s: float
    events_s: float
    answered_s: float
    answers: int


class Home:
    """One home, and the gateways that live and die in it one after the other."""

    def __init__(self, path: Path, nursery: Nursery, refusals: Refusals, seed: int) -> None:
        self._path = path
        self._nursery = nursery
        self._refusals = refusals
        self._random = random.Random(seed)
        self._kept: frozenset[str] = frozenset()
        """The keys that the state knew to cool when the last gateway was dead."""
        self._torn: set[bytes] = set()

    def live(self, number: int) -> Loss:
        """One gateway from its start to its death under load, and what is left of it."""
        is_long = number % EVERY_LONG == EVERY_LONG - 1
        load_s = LONG_S if is_long else self._random.uniform(0.02, 0.3)
        life = f"{self._path.name}.{number}"
        self._refusals.every_s[life] = load_s / REFUSALS
        born = self._nursery.start(self._path)
        assert born["notice"] is None
        answered, killed_at = self._load(born, life, load_s)
        assert self._kept.isdisjoint(self._refusals.asked[life]), "a key was asked though it cools"
        self._kept = self._cooling()
        assert self._path.stat().st_mode & 0o777 == 0o700
        assert not list(self._path.glob("*damaged*"))
        keys = [(at, self._refusals.keys[name]) for at, name, _ in answered if name in self._refusals.keys]
        requests = [(at, request_id) for at, _, request_id in answered]
        loss = Loss(
            _oldest_lost(keys, self._kept, killed_at),
            _oldest_lost(requests, self._completed(), killed_at),
            killed_at - answered[0][0],
            len(answered),
        )
        self._tear()
        return loss

    def _load(self, born: dict[str, Any], life: str, load_s: float) -> tuple[list[tuple[float, str, str]], float]:
        """What was answered, when, and when there was an end to it."""
        answered: list[tuple[float, str, str]] = []
        killed_at = [0.0]

        def kill() -> None:
            killed_at[0] = time.monotonic()
            os.kill(born["pid"], signal.SIGKILL)

        end = threading.Timer(load_s, kill)
        with httpx.Client(trust_env=False, timeout=30) as client:
            while True:
                name = f"{life}.{len(answered)}"
                try:
                    answer = client.post(f"{born['url']}/v1/chat/completions", json=question(user=name))
                except httpx.TransportError:
                    break
                assert answer.status_code == 200, answer.text
                answered.append((time.monotonic(), name, answer.headers["x-freeride-request-id"]))
                if not end.is_alive() and not killed_at[0]:
                    end.start()  # it serves: from here on it can die at any moment
        end.join()
        until(lambda: not _is_alive(born["pid"]))
        return [entry for entry in answered if entry[0] <= killed_at[0]], killed_at[0]

    def _cooling(self) -> frozenset[str]:
        """What the state says, asked without touching it: the next gateway has to find it as the dead one left it."""
        copy = self._path.with_name(f"{self._path.name}-copy")
        copy.mkdir(exist_ok=True)
        for name in ("state.db", "state.db-wal"):
            (copy / name).unlink(missing_ok=True)
            if (self._path / name).exists():
                shutil.copyfile(self._path / name, copy / name)
        with closing(SqliteStore(copy / "state.db")) as store:
            assert store.notice is None
            slots = [Slot.parse(entry.name) for entry in store.read_all() if entry.section == "cooldown"]
        return frozenset(slot.subject.removeprefix("key:") for slot in slots)

    def _completed(self) -> frozenset[str]:
        """The requests whose end the log tells, whatever else it holds."""
        completed: set[str] = set()
        for name in ("events.jsonl.1", "events.jsonl"):
            path = self._path / name
            *lines, last = path.read_bytes().split(b"\n") if path.exists() else [b""]
            for line in lines:
                if line in self._torn:
                    continue
                event = json.loads(line)
                if event["type"] == "request_complete":
                    completed.add(event["request_id"])
            if last:
                self._torn.add(last)
        return frozenset(completed)

    def _tear(self) -> None:
        """Now and then the last line is not whole: so a disk may leave it."""
        path = self._path / "events.jsonl"
        if path.exists() and path.stat().st_size > 100 and self._random.random() < 0.5:
            os.truncate(path, path.stat().st_size - self._random.randint(2, 40))
            self._torn.add(path.read_bytes().rpartition(b"\n")[2])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _oldest_lost(answered: list[tuple[float, str]], kept: frozenset[str], killed_at: float) -> float:
    """Seconds from the oldest thing that is lost to the kill. Whatever came after that is lost too."""
    is_kept = [name in kept for _, name in answered]
    assert is_kept == sorted(is_kept, reverse=True), "something was lost, and something later was not"
    return max((killed_at - at for (at, name) in answered if name not in kept), default=0.0)


def test_a_kill_at_any_moment_costs_a_moment_and_the_next_start_serves(tmp_path: Path) -> None:
    refusals = Refusals()
    errors = tmp_path / "stderr"
    with FakeUpstream(refusals.answer) as upstream, nursery(upstream, errors) as nursed:
        homes = [Home(tmp_path / f"home{number}", nursed, refusals, SEED + number) for number in range(HOMES)]
        with ThreadPoolExecutor(HOMES) as pool:
            lives = [pool.submit(_live_all, home, range(number, KILLS, HOMES)) for number, home in enumerate(homes)]
            losses = [loss for life in lives for loss in life.result()]
    assert len(losses) == KILLS
    lines = errors.read_text().splitlines()
    assert [line for line in lines if " is paused until " not in line] == [], (
        "each start says what is paused, and no more"
    )
    state_ms, events_ms = (
        sorted(round(1000 * seconds) for seconds in spans)
        for spans in ([loss.state_s for loss in losses], [loss.events_s for loss in losses])
    )
    sys.stdout.write(
        f"{KILLS} kills, {sum(loss.answers for loss in losses)} answers; lost, half of the times and at most: "
        f"state {state_ms[KILLS // 2]} and {state_ms[-1]} ms, events {events_ms[KILLS // 2]} and {events_ms[-1]} ms\n"
    )
    assert max(state_ms[-1], events_ms[-1]) < 1000 * LOST_AT_MOST_S
    grown = [loss for loss in losses if loss.answered_s > GROWN_S]
    assert grown
    for lost_s in ([loss.state_s for loss in grown], [loss.events_s for loss in grown]):
        written = [loss for loss, seconds in zip(grown, lost_s, strict=True) if seconds < loss.answered_s]
        assert len(written) > len(grown) / 2, "most of them had written nothing yet"


def _live_all(home: Home, numbers: range) -> list[Loss]:
    return [home.live(number) for number in numbers]
