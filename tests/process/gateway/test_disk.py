"""Whatever is wrong with the disk under its home, the gateway serves, and says what is wrong: in one line, once.

The superuser is held to permissions too, and a limit on the size of files stands for a disk that is full.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from fake_upstream import question, until
from freeride_core.ledger.store.sqlite import SqliteStore
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from programs import Program, clean_environ, post

if sys.platform != "linux":
    pytest.skip(
        "only Linux limits a running process and takes single rights from the superuser: nothing here was tested",
        allow_module_level=True,
    )

import resource

_START = """
import ctypes, os, resource, sys
_DROP = 24
_ABOVE_PERMISSIONS = (1, 2)
if os.geteuid() == 0:
    for right in _ABOVE_PERMISSIONS:
        if ctypes.CDLL(None).prctl(_DROP, right, 0, 0, 0):
            sys.exit("this superuser cannot give up the right to write everywhere")
if sys.argv[1] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
os.execv(sys.executable, [sys.executable, "-m", "freeride_core", "serve", "--port", "0"])
"""
FULL = "events are not being recorded in {home}/events.jsonl: "


class GatewayOnDisk:
    """`freeride serve` before two simulated providers, of which the first has had enough."""

    def __init__(self, home: Path, program: Program) -> None:
        self.home = home
        self._program = program
        self._url = program.wait_for(r"listening on (http://127\.0\.0\.1:\d+)$")

    @property
    def output(self) -> str:
        return self._program.output

    def serves(self) -> None:
        answer = post(f"{self._url}/v1/chat/completions", question())
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-freeride-provider"] == "groq"

    def limit_files(self, size: int) -> None:
        hardest = resource.prlimit(self._program.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self._program.pid, resource.RLIMIT_FSIZE, (size, hardest))

    def says_once(self, *lines: str) -> None:
        """Each of these is told, in one line, and nothing else went wrong."""
        for line in lines:
            until(lambda line=line: line in self.output)  # type: ignore[misc]
        self.serves()
        assert [self.output.count(line) for line in lines] == [1] * len(lines), self.output
        assert "Traceback" not in self.output


@contextmanager
def gateway(home: Path, user: Path, disk: str = "fine") -> Iterator[GatewayOnDisk]:
    plugins = load_plugins(("provider",))
    simulators = [Simulator(installed_profile(plugins, name), quotas=False, pace=0) for name in ("openrouter", "groq")]
    with ExitStack() as stack:
        thread = stack.enter_context(SimulatorThread(*simulators))
        simulators[0].always("rate-limited")
        environ = clean_environ(user, {**thread.env, "FREERIDE_HOME": str(home), "FREERIDE_QUOTA": "off"})
        yield GatewayOnDisk(home, stack.enter_context(Program([sys.executable, "-c", _START, disk], environ)))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)


def cooldowns(home: Path) -> Sequence[str]:
    with closing(sqlite3.connect(home / "state.db")) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM entries WHERE section = 'cooldown'")]


def test_a_disk_that_fills_up_stops_nobody_and_is_used_again_when_there_is_room(home: Path, tmp_path: Path) -> None:
    with gateway(home, tmp_path) as front:
        until(lambda: (home / "state.db").exists())
        front.limit_files(0)
        front.serves()
        said = (f"{home}/state.db cannot be used: ", FULL.format(home=home))
        front.says_once(*said)
        front.limit_files(resource.RLIM_INFINITY)
        until(lambda: cooldowns(home))
        front.serves()
        until(lambda: "request_complete" in (home / "events.jsonl").read_text())
        front.says_once(*said)
    for line in (home / "events.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_disk_that_is_full_from_the_start_stops_nobody_and_spoils_nothing(home: Path, tmp_path: Path) -> None:
    with gateway(home, tmp_path, "full") as front:
        front.serves()
        front.says_once(f"freeride: {home}/state.db cannot be used (", FULL.format(home=home))
    with gateway(home, tmp_path) as front:
        front.serves()
        until(lambda: cooldowns(home))
        assert "cannot be used" not in front.output


def test_a_home_that_is_read_only_stops_nobody(home: Path, tmp_path: Path) -> None:
    with read_only(home), gateway(home, tmp_path) as front:
        front.serves()
        front.says_once(f"freeride: {home}/state.db cannot be used (Permission denied): ", FULL.format(home=home))
    assert not list(home.iterdir())


def test_a_state_in_a_home_that_has_become_read_only_stops_nobody(home: Path, tmp_path: Path) -> None:
    SqliteStore(home / "state.db").close()
    (home / "events.jsonl").write_text("")
    before = (home / "state.db").read_bytes()
    with read_only(home), gateway(home, tmp_path) as front:
        front.serves()
        front.says_once(f"freeride: {home}/state.db cannot be used (", FULL.format(home=home))
    assert (home / "state.db").read_bytes() == before


def test_a_home_that_cannot_be_made_stops_nobody(home: Path, tmp_path: Path) -> None:
    with read_only(home), gateway(home / "below", tmp_path) as front:
        front.serves()
        front.says_once(f"freeride: {home}/below/state.db cannot be used (Permission denied): ")


def test_a_state_that_is_damaged_is_kept_aside_and_stops_nobody(home: Path, tmp_path: Path) -> None:
    rubbish = os.urandom(20_000)
    (home / "state.db").write_bytes(rubbish)
    with gateway(home, tmp_path) as front:
        front.serves()
        front.says_once(f"freeride: {home}/state.db is damaged; it is kept as state.db.damaged-")
        until(lambda: cooldowns(home))
    (aside,) = home.glob("state.db.damaged-*")
    assert aside.read_bytes() == rubbish


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO entries VALUES ('other', 'kept', '7', 1, 'newer', 0)")
        connection.execute("PRAGMA user_version = 2")
        connection.commit()


def test_the_state_of_a_newer_version_is_left_alone_and_stops_nobody(home: Path, tmp_path: Path) -> None:
    SqliteStore(home / "state.db").close()
    make_newer(home / "state.db")
    before = (home / "state.db").read_bytes()
    with gateway(home, tmp_path) as front:
        front.serves()
        front.says_once(f"freeride: {home}/state.db cannot be used (it was written by a newer version): ")
    assert (home / "state.db").read_bytes() == before


def test_a_newer_version_that_takes_the_state_over_meanwhile_has_it_for_itself(home: Path, tmp_path: Path) -> None:
    with gateway(home, tmp_path) as front:
        make_newer(home / "state.db")
        front.serves()
        front.says_once(f"{home}/state.db cannot be used: it was written by a newer version; ")
        assert not cooldowns(home)
