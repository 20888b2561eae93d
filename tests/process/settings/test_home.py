"""Settings that are there are believed only where nobody else can have put them, and where they can hold."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_upstream import until
from freeride_core.events.follower import Follower
from freeride_core.events.log import JsonlSink
from freeride_core.plugins.discovery import load_plugins
from freeride_core.settings.advice import check_settings
from freeride_core.settings.resolver import SettingsError, load_settings
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from programs import Program, clean_environ, post, run, script_of
from served_gateway import FREERIDE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its modes and owners say nothing")

SOMEBODY_ELSE = 54321
by_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file to another user"
)
NAMES = [".", ".env", "config.toml"]
COMMANDS = [
    ["serve", "--port", "0"],
    ["bind"],
    ["bind", "aider"],
    ["run", "aider"],
    ["keys"],
    ["models"],
    ["watch"],
    ["telemetry"],
    ["init", "--json"],
    ["status"],
]
"""Every command that reads settings, but for `doctor`, which tells it as a finding."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for name in NAMES[1:]:
        (home / name).touch(mode=0o600)
    return home


@pytest.fixture
def environ(home: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    profile = installed_profile(load_plugins(("provider",)), "groq")
    with SimulatorThread(Simulator(profile, quotas=False, pace=0)) as simulators:
        yield clean_environ(tmp_path / "user", {**simulators.env, "FREERIDE_HOME": str(home)})


def load(home: Path, **environ: str) -> None:
    load_settings({"FREERIDE_HOME": str(home), **environ})


@by_root
@pytest.mark.parametrize("name", NAMES)
def test_what_belongs_to_another_user_is_not_read(name: str, home: Path) -> None:
    os.chown(home / name, SOMEBODY_ELSE, -1)
    with pytest.raises(SettingsError, match=rf"it belongs to another user \({SOMEBODY_ELSE}\); make it yours") as told:
        load(home)
    assert str(home / name) in str(told.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [0o702, 0o777])
def test_what_other_users_can_write_is_not_read(name: str, mode: int, home: Path) -> None:
    (home / name).chmod(mode)
    with pytest.raises(SettingsError, match="other users can write to it; run `chmod go-w ") as told:
        load(home)
    assert str(home / name) in str(told.value)
    (home / name).chmod(mode & ~0o022)
    load(home)


@by_root
def test_root_s_files_are_read_by_everybody(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that was built by root and runs as somebody else."""
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY_ELSE)
    load(home)
    os.chown(home / ".env", SOMEBODY_ELSE, -1)
    load(home)
    os.chown(home / ".env", SOMEBODY_ELSE + 1, -1)
    with pytest.raises(SettingsError, match="another user"):
        load(home)


def test_what_only_others_can_read_is_read(home: Path) -> None:
    """`doctor` warns of it."""
    home.chmod(0o755)
    (home / ".env").chmod(0o644)
    load(home)


def test_the_default_home_that_was_open_to_all_is_closed_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Path.home() / ".freeride"
    default.mkdir()
    default.chmod(0o777)
    assert load_settings({}).home == default
    assert default.stat().st_mode & 0o777 == 0o700


def test_a_running_gateway_does_not_take_over_what_others_can_write(home: Path, environ: dict[str, str]) -> None:
    with Program([*FREERIDE, "serve", "--port", "0"], environ) as gateway:
        gateway.wait_for(r"(listening)")
        (home / ".env").chmod(0o666)
        (home / ".env").write_text("FREERIDE_GROQ_BASE_URL=http://127.0.0.1:9/v1\n", "utf-8")
        assert gateway.wait_for(r"the changed settings are ignored: (.*)").endswith(f"chmod go-w {home / '.env'}`")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_home_that_others_can_write(
    words: list[str], home: Path, environ: dict[str, str]
) -> None:
    home.chmod(0o777)
    ended = run([*FREERIDE, *words], environ)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"freeride: {home} is not a folder that only you can change: "
        f"other users can write to it; run `chmod go-w {home}`\n"
    )


def test_doctor_and_the_watcher_refuse_it_too(home: Path, environ: dict[str, str]) -> None:
    home.chmod(0o777)
    ended = run([*FREERIDE, "doctor"], environ)
    assert ended.returncode == 1
    assert f"BROKEN  settings   {home} is not a folder that only you can change" in ended.stdout
    watched = run([script_of("freeride-binder-openclaw", "freeride-watcher"), "--once"], environ)
    assert (watched.returncode, "only you can change" in watched.stderr) == (1, True)


@pytest.mark.parametrize(("token", "is_told"), [("1", True), ("a" * 15, True), ("a" * 16, False), ("", False)])
def test_a_token_that_can_be_guessed_is_told_and_not_shown(token: str, is_told: bool, home: Path) -> None:
    told = check_settings(load_settings({"FREERIDE_HOME": str(home), "FREERIDE_TOKEN": token}), {})
    assert [line.startswith("FREERIDE_TOKEN has fewer than 16 characters") for line in told] == [True] * is_told
    assert "aaaa" not in "".join(told)


def test_serve_and_doctor_tell_of_a_token_that_can_be_guessed(environ: dict[str, str]) -> None:
    environ |= {"FREERIDE_TOKEN": "1"}
    with Program([*FREERIDE, "serve", "--port", "0"], environ) as gateway:
        gateway.wait_for(r"(FREERIDE_TOKEN has fewer than 16 characters)")
        gateway.wait_for(r"(listening)")
    examined = run([*FREERIDE, "doctor", "--url", "http://127.0.0.1:9"], environ)
    assert "FREERIDE_TOKEN has fewer than 16 characters" in examined.stdout


ODD = ["pipe", "folder", "device"]


def make_odd(kind: str, folder: Path) -> Path:
    path = folder / "events.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null")
    return path


@pytest.mark.parametrize("kind", ODD)
def test_with_a_log_that_is_no_file_events_are_off_and_the_gateway_ends_in_time(
    kind: str, environ: dict[str, str], tmp_path: Path
) -> None:
    path = make_odd(kind, tmp_path)
    environ |= {"FREERIDE_EVENTS_PATH": str(path), "FREERIDE_QUOTA": "off"}  # 150 requests are more than a minute has
    with Program([*FREERIDE, "serve", "--port", "0"], environ) as gateway:
        url = gateway.wait_for(r"listening on (http://127\.0\.0\.1:\d+)$")
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}
        for _ in range(150):  # more than a pipe takes without a reader
            assert post(f"{url}/v1/chat/completions", body).status_code == 200
        os.kill(gateway.pid, signal.SIGTERM)
        until(lambda: not Path(f"/proc/{gateway.pid}/stat").exists() or is_ended(gateway.pid), 8)
    assert gateway.output.count(f"events are off, because {path} is not a regular file") == 1
    assert gateway.output.count("events") == 2, gateway.output  # and in the name of the variable, nothing else
    assert not path.with_name("events.jsonl.lock").exists()


def is_ended(pid: int) -> bool:
    """A child that nobody has asked about yet is still there, as a zombie."""
    if not Path("/proc").exists():
        return False
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("kind", ODD)
def test_a_log_that_became_something_else_holds_up_nobody(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_odd(kind, tmp_path)
    sink = JsonlSink(path)
    assert [sink.write([{"ts": 1.0, "type": "x", "request_id": "r"}]) for _ in range(3)] == [1, 1, 1]
    assert len(caplog.records) == 1


def test_to_follow_a_pipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="it is not a regular file"):
        Follower(make_odd("pipe", tmp_path))


@pytest.mark.parametrize("kind", ODD)
def test_what_is_switched_off_is_not_told_of(kind: str, home: Path, tmp_path: Path) -> None:
    own = {"FREERIDE_HOME": str(home), "FREERIDE_EVENTS_PATH": str(make_odd(kind, tmp_path))}
    assert not load_settings(own).events
    assert len(check_settings(load_settings(own), {})) == 1
    assert check_settings(load_settings({**own, "FREERIDE_EVENTS": "0"}), {}) == ()
