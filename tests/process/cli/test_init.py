"""`freeride init`, at a terminal as a user has one."""

from __future__ import annotations

import json
import os
import re
import select
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from programs import clean_environ, run
from served_gateway import FREERIDE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals are played the POSIX way")


_AT_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes stdin the terminal that Ctrl-C comes from, and then is the program."""


class Terminal:
    """A program at a terminal of its own: what is typed, and what is on the screen."""

    def __init__(self, command: tuple[str, ...], environ: Mapping[str, str]) -> None:
        import pty

        self.screen = ""
        self._read = 0
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AT_TERMINAL, *command],
            stdin=slave, stdout=slave, stderr=slave, env=dict(environ), start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._master)
        self._process.kill()
        self._process.wait(10)

    def expect(self, pattern: str, timeout_s: float = 30.0) -> None:
        """Waits until it stands on the screen, below what was waited for before."""
        due = time.monotonic() + timeout_s
        while (found := re.compile(pattern).search(self.screen, self._read)) is None:
            assert time.monotonic() < due, self.screen
            if not self._take(due - time.monotonic()):
                raise AssertionError(f"it ended without {pattern!r}: {self.screen}")
        self._read = found.end()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait(self) -> int:
        """Its exit code."""
        due = time.monotonic() + 30
        while self._take(due - time.monotonic()):
            assert time.monotonic() < due, self.screen
        return self._process.wait(10)

    def _take(self, timeout_s: float) -> bool:
        """False: nobody writes there any more."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, timeout_s))
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.screen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


@pytest.fixture
def played() -> Iterator[dict[str, str]]:
    """The variables under which two providers are played, keys and all."""
    plugins = load_plugins(("provider",))
    profiles = [installed_profile(plugins, name) for name in ("groq", "cloudflare")]
    with SimulatorThread(*(Simulator(profile) for profile in profiles)) as simulators:
        yield dict(simulators.env)


@pytest.fixture
def environ(played: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """A user's who has no key yet."""
    addresses = {name: value for name, value in played.items() if name.endswith("_BASE_URL")}
    return clean_environ(tmp_path / "user", addresses | {"FREERIDE_PROVIDERS": "groq,cloudflare", "TERM": "dumb"})


@pytest.fixture
def env_file(environ: Mapping[str, str]) -> Path:
    path = Path(environ["FREERIDE_HOME"]) / ".env"
    path.parent.mkdir(parents=True)
    return path


INIT = (*FREERIDE, "init")


def skip_until(terminal: Terminal, variable: str) -> None:
    """Presses Enter until this is asked for."""
    for _ in range(20):
        terminal.expect(r"(\w+_(?:KEY|TOKEN|URL)) [\[(][^\n]*[\])]: ")
        if re.findall(r"(\w+) [\[(][^\n]*[\])]: ", terminal.screen)[-1] == variable:
            return
        terminal.type("\n")
    raise AssertionError(terminal.screen)


def finish(terminal: Terminal) -> int:
    """Presses Enter until it ends."""
    for _ in range(20):
        try:
            terminal.expect(r"[\])]: $|Usable:|there is no key yet")
        except AssertionError:
            break
        if re.search(r"[\])]: $", terminal.screen):
            terminal.type("\n")
        else:
            break
    return terminal.wait()


def test_a_key_is_asked_for_unseen_checked_and_kept_and_the_file_is_the_user_s_still(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path
) -> None:
    env_file.write_text(
        "# mine\nFREERIDE_EVENTS=1  # so\n\nGROQ_API_KEY=gsk_old_old_old_old_old\nLAST=1", encoding="utf-8"
    )
    env_file.chmod(0o644)
    key = played["GROQ_API_KEY"]
    with Terminal(INIT, environ) as terminal:
        skip_until(terminal, "GROQ_API_KEY")
        about = load_plugins(("provider",)).providers["groq"].about
        for text in (about.free_day, about.keys_url, about.data_use, about.checked, "no card, no phone"):
            assert text in terminal.screen
        terminal.type("gsk_bad_bad_bad_bad_bad_bad\n")
        terminal.expect("is refused")
        skip_until(terminal, "GROQ_API_KEY")
        terminal.type("has a blank\n")
        terminal.expect("is not used: it holds white space")
        skip_until(terminal, "GROQ_API_KEY")
        terminal.type(f"{key}\n")
        terminal.expect("is valid")
        terminal.expect("kept")
        assert finish(terminal) == 0
        assert "Usable: Groq" in terminal.screen
        for secret in (key, "gsk_bad", "gsk_old", "has a blank"):
            assert secret not in terminal.screen
    assert env_file.read_text(encoding="utf-8") == f"# mine\nFREERIDE_EVENTS=1  # so\n\nGROQ_API_KEY={key}\nLAST=1"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    again = run([*FREERIDE, "keys", "--json"], environ)
    assert [row["provider"] for row in json.loads(again.stdout)] == ["groq"]


def test_an_account_is_asked_for_where_requests_need_one_and_the_new_file_is_private(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path
) -> None:
    del environ["FREERIDE_CLOUDFLARE_BASE_URL"]
    with Terminal((*INIT, "--no-check"), environ) as terminal:
        skip_until(terminal, "CLOUDFLARE_API_TOKEN")
        terminal.type(f"{played['CLOUDFLARE_API_TOKEN']}\n")
        terminal.expect(r"CLOUDFLARE_ACCOUNT_ID \[needed\]: ")
        terminal.type("0123abcd\n")
        terminal.expect("kept")
        assert finish(terminal) == 0
    assert (
        env_file.read_text(encoding="utf-8")
        == f"CLOUDFLARE_API_TOKEN={played['CLOUDFLARE_API_TOKEN']}\nCLOUDFLARE_ACCOUNT_ID=0123abcd\n"
    )
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_ctrl_c_ends_it_without_a_traceback_and_keeps_what_was_said(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path
) -> None:
    with Terminal(INIT, environ) as terminal:
        skip_until(terminal, "GROQ_API_KEY")
        terminal.type(f"{played['GROQ_API_KEY']}\n")
        terminal.expect("kept")
        terminal.expect(r"[\])]: $")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert "Traceback" not in terminal.screen
    assert env_file.read_text(encoding="utf-8") == f"GROQ_API_KEY={played['GROQ_API_KEY']}\n"


def test_run_again_it_keeps_what_is_there_and_leaves_alone_what_the_environment_says(
    environ: dict[str, str], played: Mapping[str, str], env_file: Path
) -> None:
    text = f'GROQ_API_KEY=\'["{played["GROQ_API_KEY"]}", "gsk_second"]\'\n'
    env_file.write_text(text, encoding="utf-8")
    with Terminal(INIT, environ | {"OPENROUTER_API_KEY": "sk-or-v1-x"}) as terminal:
        assert finish(terminal) == 0
        assert "Enter: keep the 2 that are there" in terminal.screen
        assert "OPENROUTER_API_KEY is set in your environment" in terminal.screen
    assert env_file.read_text(encoding="utf-8") == text


def test_without_a_terminal_it_says_what_to_do_or_shows_what_it_would_ask(environ: dict[str, str]) -> None:
    ended = run(INIT, environ)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "needs a terminal" in ended.stderr
    shown = run([*INIT, "--json"], environ | {"GROQ_API_KEY": "gsk_mine_mine_mine"})
    rows = {row["name"]: row for row in json.loads(shown.stdout)}
    assert rows["groq"]["variable"] == "GROQ_API_KEY"
    assert (rows["groq"]["keys"], rows["cloudflare"]["keys"]) == (1, 0)
    assert rows["nvidia"]["needs_phone"]
    assert not rows["groq"]["needs_card"]
    assert rows["cloudflare"]["account_variable"] == "CLOUDFLARE_ACCOUNT_ID"
    assert "gsk_mine" not in shown.stdout
