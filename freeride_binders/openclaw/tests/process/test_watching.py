"""What the watcher spends, and when it rotates: simulated days, with time that the test tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from freeride_binder_openclaw.openrouter import DAY_SHARE, MINUTE_SHARE
from freeride_binder_openclaw.selection import DIRECT, Chooser
from freeride_binder_openclaw.watching import Watcher
from freeride_binder_openclaw.workspace import Unusable, read_workspace
from freeride_core import Endpoint
from freeride_core.gateway.server import listen
from freeride_core.simulator import SimulatorThread
from openclaw import OWN, ULTRA, asking, asking_gateway, chats, make_simulator, primary, said, write_config
from programs import Program, clean_environ, run, script_of

MIDNIGHT = 1_790_035_200.0
"""2026-09-22 00:00 UTC."""
HOUR_S = 3600
SUPER = "nvidia/nemotron-3-super-120b-a12b:free"
WATCHER = script_of("freeride-binder-openclaw", "freeride-watcher")


class Day:
    """A simulated OpenRouter and a watcher with one clock."""

    def __init__(self, daily: int) -> None:
        self.now = MIDNIGHT + HOUR_S
        self.simulator = make_simulator(daily=daily, now=lambda: self.now)
        self.lines: list[str] = []
        self.watcher = Watcher(read_workspace, lambda: self.now, self.lines.append)
        self.asked_at: list[float] = []

    def pass_time(self, hours: float, every_s: float = 600) -> None:
        """Looks and lets time pass, in turn."""
        end = self.now + hours * HOUR_S
        while self.now < end:
            before = len(chats(self.simulator))
            try:
                self.watcher.look()
            except Unusable as obstacle:  # the program tells it, and goes on
                self.watcher.tell(str(obstacle))
            self.asked_at += [self.now] * (len(chats(self.simulator)) - before)
            self.now += every_s


@pytest.fixture
def daily() -> int:
    """How many free requests the account has in a day."""
    return 50


@pytest.fixture
def day(daily: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    day = Day(daily)
    with SimulatorThread(day.simulator) as simulators:
        for name, value in simulators.env.items():
            monkeypatch.setenv(name, value)
        yield day
        day.watcher.close()


def assert_within_the_share(day: Day, daily: int = 50) -> None:
    for first in day.asked_at:
        assert sum(first <= at < first + 24 * HOUR_S for at in day.asked_at) <= daily * DAY_SHARE
        assert sum(first <= at < first + 60 for at in day.asked_at) <= 20 * MINUTE_SHARE


def test_a_model_that_answers_costs_half_of_the_share(day: Day) -> None:
    write_config(asking(SUPER))
    day.pass_time(47)
    assert chats(day.simulator) == [SUPER] * 4
    assert_within_the_share(day)
    assert day.lines == [f"{SUPER} answers"]
    assert primary() == f"openrouter/{SUPER}"


def test_when_no_model_answers_the_share_is_spent_and_no_more(day: Day) -> None:
    day.simulator.always("overloaded-529")
    write_config(asking(SUPER))
    day.pass_time(0.5, every_s=15)
    assert len(chats(day.simulator)) == 5
    day.pass_time(50)
    assert 10 <= len(chats(day.simulator)) <= 15
    assert_within_the_share(day)


@pytest.mark.parametrize("daily", [1000])
def test_an_account_with_a_thousand_a_day_has_a_share_of_that(day: Day) -> None:
    write_config(asking(SUPER))
    day.pass_time(3)
    assert chats(day.simulator) == [SUPER] * 6
    assert said("status")["openclaw"]["probes"]["at_most"] == 100
    day.simulator.always("overloaded-529")
    day.pass_time(1, every_s=15)
    assert len(chats(day.simulator)) > 10
    assert_within_the_share(day, daily=1000)


@pytest.mark.parametrize("daily", [9])
def test_where_the_share_is_less_than_one_nothing_is_asked(day: Day) -> None:
    write_config(asking(SUPER))
    day.pass_time(3)
    assert chats(day.simulator) == []
    assert day.lines == [f"{SUPER} is listed as free"]


def test_a_model_that_fails_is_replaced(day: Day) -> None:
    write_config(asking(SUPER))
    day.pass_time(1)
    day.simulator.always("overloaded-529", model=SUPER)
    day.pass_time(24)
    assert primary() == f"openrouter/{ULTRA}"
    assert [line for line in day.lines if f"openrouter/{SUPER}: it does not answer (unavailable)" in line]
    assert_within_the_share(day)


def test_when_the_day_is_spent_it_waits(day: Day) -> None:
    path = write_config(asking(SUPER))
    day.simulator.use_up("day")
    day.pass_time(22)
    assert chats(day.simulator) == []
    assert path.read_text() == asking(SUPER)
    assert day.lines == ["the account's free requests of the day are spent; another model would not help"]
    day.pass_time(2)
    assert chats(day.simulator) == [SUPER]


def test_a_model_that_is_gone_is_replaced_without_being_asked(day: Day) -> None:
    write_config(asking("acme/gone:free"))
    day.pass_time(0.1)
    assert "acme/gone:free" not in chats(day.simulator)
    assert primary() == f"openrouter/{ULTRA}"


@pytest.mark.parametrize("text", [asking("google/gemini-3.5-flash"), OWN])
def test_what_is_not_free_is_left_alone_and_never_asked(day: Day, text: str) -> None:
    path = write_config(text)
    day.pass_time(24)
    assert path.read_text() == text
    assert chats(day.simulator) == []
    assert len(day.lines) == 1


def test_what_was_free_when_it_was_chosen_is_replaced_once_it_is_not(day: Day) -> None:
    scene = read_workspace()
    scene.write(Chooser(Endpoint(DIRECT, model="openrouter/acme/unpriced"), scene.selection))
    day.pass_time(0.1)
    assert primary() == f"openrouter/{ULTRA}"
    assert "acme/unpriced" not in chats(day.simulator)


def test_behind_the_gateway_it_asks_nobody(day: Day) -> None:
    with listen("127.0.0.1", 0) as taken:
        root = f"http://127.0.0.1:{taken.getsockname()[1]}"
    write_config(asking_gateway(root))
    day.pass_time(1)
    assert day.simulator.requests == []
    assert day.lines == [f"The gateway is not running at {root}. Start it with: freeride serve"]


class TestProgram:
    def test_it_watches_until_it_is_asked_to_stop(self, day: Day, tmp_path: Path) -> None:
        environ = clean_environ(tmp_path, day.simulator.env)
        (tmp_path / ".openclaw").mkdir()
        (tmp_path / ".openclaw" / "openclaw.json").write_text(asking(SUPER))
        with Program([WATCHER, "-i", "15"], environ) as program:
            program.wait_for(r"(nemotron.*answers)")
            program._process.terminate()
            assert program._process.wait(15) == 0
        assert "Traceback" not in program.output

    def test_one_look_and_what_it_did(self, day: Day, tmp_path: Path) -> None:
        environ = clean_environ(tmp_path, day.simulator.env)
        (tmp_path / ".openclaw").mkdir()
        (tmp_path / ".openclaw" / "openclaw.json").write_text(asking("acme/gone:free"))
        once = run([WATCHER, "--once"], environ)
        assert (once.returncode, once.stderr) == (0, "")
        assert f"OpenClaw asks openrouter/{ULTRA} from its next start" in once.stdout
        assert '"rotation_count": 1' in run([WATCHER, "--status", "--json"], environ).stdout
        assert run([WATCHER, "--clear"], environ).returncode == 0
        assert "rotations      0\n" in run([WATCHER, "--status"], environ).stdout

    def test_without_a_key_it_ends(self, tmp_path: Path) -> None:
        environ = clean_environ(tmp_path)
        absent = run([WATCHER], environ)
        assert (absent.returncode, absent.stdout) == (1, "")
        assert "OpenClaw is not installed here" in absent.stderr
        (Path(environ["HOME"]) / ".openclaw").mkdir(parents=True)
        ended = run([WATCHER], environ)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "OPENROUTER_API_KEY" in ended.stderr

    @pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["--help"], 0), (["-i", "14"], 2)])
    def test_options(self, arguments: list[str], code: int, tmp_path: Path) -> None:
        assert run([WATCHER, *arguments], clean_environ(tmp_path)).returncode == code
