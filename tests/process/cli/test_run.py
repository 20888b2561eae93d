"""`freeride run`: an agent bound for as long as one process of it lives."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from fake_upstream import until
from freeride_core.cli.lease import Lease
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from programs import clean_environ, run, serving, started, write_script
from repository import TESTS
from served_gateway import FREERIDE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the agent is a script, and gets signals")

AGENT = """
import json, os, resource, signal, sys, time, urllib.request
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
parent = os.getppid()
base, key = os.environ["AIDER_OPENAI_API_BASE"], os.environ["AIDER_OPENAI_API_KEY"]
model = os.environ["AIDER_MODEL"].removeprefix("openai/")
body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello?"}]}).encode()
headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
answer = urllib.request.urlopen(urllib.request.Request(f"{base}/chat/completions", body, headers), timeout=30)
caught = []
signal.signal(signal.SIGTERM, lambda number, _: caught.append(number))
said = {"arguments": sys.argv[1:], "served": answer.headers["x-freeride-provider"], "base": base, "model": model}
print(json.dumps(said), flush=True)
if "wait" in sys.argv:
    while not caught and os.getppid() == parent:
        time.sleep(0.01)
    sys.exit(7)
if "die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[-1]))
"""


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A user's, who has an agent and a key, and whose provider is played."""
    programs = tmp_path / "bin"
    programs.mkdir()
    write_script(programs / "aider", AGENT)
    profile = installed_profile(load_plugins(("provider",)), "groq")
    with SimulatorThread(Simulator(profile, quotas=False, pace=0)) as simulators:
        yield clean_environ(tmp_path / "user", {**simulators.env, "PATH": str(programs)})


def install_stranger(site: Path) -> str:
    """Acme Code's binder, as if it were installed; gives the path that it is found by."""
    about = site / "freeride_binder_acmecode-0.2.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: freeride-binder-acmecode\nVersion: 0.2.1\n", "utf-8")
    (about / "entry_points.txt").write_text("[freeride.binders]\nacmecode = freeride_binder_acmecode\n", "utf-8")
    return os.pathsep.join((str(site), str(TESTS / "third_party" / "acmecode" / "src")))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as own:
        return own.connect_ex(("127.0.0.1", port)) == 0


def log_of(environ: dict[str, str], port: int) -> Path:
    return Path(environ["FREERIDE_HOME"]) / f"run-{port}.log"


def said(output: str) -> dict[str, Any]:
    return dict(json.loads(output))


def test_a_gateway_that_runs_already_is_used_and_stays(environ: dict[str, str]) -> None:
    with serving(FREERIDE, environ) as url:
        ended = run(
            [*FREERIDE, "run", "--url", f"{url}/v1", "--model", "freeride/fast", "aider", "--help", "-x", "--", "3"],
            environ,
        )
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
    assert ended.returncode == 3, ended.stderr
    told = said(ended.stdout)
    assert told.pop("arguments")[-4:] == ["--help", "-x", "--", "3"]
    assert told == {
        "served": "groq",
        "base": f"{url}/v1",
        "model": "freeride/fast",
    }
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [
        (["--url", "http://127.0.0.1:1"], True),
        (["--help", "--url=http://127.0.0.1:1"], True),
        (["--", "--url", "http://127.0.0.1:1"], False),
        (["--urls"], False),
    ],
)
def test_an_option_after_the_agents_name_is_told_to_be_the_agents(
    environ: dict[str, str], arguments: list[str], *, is_told: bool
) -> None:
    with serving(FREERIDE, environ) as url:
        ended = run([*FREERIDE, "run", "--url", url, "aider", *arguments, "0"], environ)
    assert ended.returncode == 0, ended.stderr
    assert said(ended.stdout)["arguments"][-len(arguments) - 1 :] == [*arguments, "0"]
    assert ("freeride run --url URL aider" in ended.stderr) is is_told


def test_a_gateway_that_run_starts_ends_with_the_agent_and_writes_no_file_of_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    ended = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"], environ)
    assert ended.returncode == 0, ended.stderr
    assert said(ended.stdout)["served"] == "groq"
    assert not is_open(port)
    assert "until the agent ends" in ended.stderr
    assert [path.name for path in (tmp_path / "user").iterdir()] == [".freeride"]


def test_an_agent_that_a_signal_ends_says_so_by_the_exit_code(environ: dict[str, str]) -> None:
    ended = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{free_port()}", "aider", "die"], environ)
    assert ended.returncode == 128 + signal.SIGKILL


def test_a_signal_reaches_the_agent_and_the_gateway_ends_after_it(environ: dict[str, str]) -> None:
    port = free_port()
    command = [*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "wait"]
    with started(command, environ) as process:
        assert process.stdout is not None
        assert said(process.stdout.readline())["served"] == "groq"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 7
    until(lambda: not is_open(port), 10)


def test_a_signal_before_there_is_an_agent_stops_the_gateway_that_was_started(environ: dict[str, str]) -> None:
    port = free_port()
    log = log_of(environ, port)
    command = [*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "wait"]
    with started(command, environ) as process:
        until(log.exists, 30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (128 + signal.SIGTERM, 7)
    until(lambda: not is_open(port), 10)


@contextlib.contextmanager
def waiting(environ: dict[str, str], port: int) -> Iterator[subprocess.Popen[str]]:
    """An agent that has been answered, and waits for SIGTERM."""
    command = [*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "wait"]
    with started(command, environ) as process:
        try:
            assert process.stdout is not None
            assert said(process.stdout.readline())["served"] == "groq"
            yield process
        finally:
            process.terminate()
            process.wait(30)


def test_a_gateway_outlives_the_run_that_started_it_while_another_needs_it(environ: dict[str, str]) -> None:
    port = free_port()
    with waiting(environ, port) as first:
        with waiting(environ, port) as second:
            first.terminate()
            assert first.wait(30) == 7
            third = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"], environ)
            assert (third.returncode, third.stderr) == (0, "")
            assert is_open(port)
            second.terminate()
            assert second.wait(30) == 7
        until(lambda: not is_open(port), 20)


@pytest.mark.parametrize("is_used", [False, True])
def test_a_run_that_is_killed_leaves_its_gateway_to_those_that_need_it(environ: dict[str, str], is_used: bool) -> None:
    port = free_port()
    with waiting(environ, port) as first, contextlib.ExitStack() as others:
        if is_used:
            others.enter_context(waiting(environ, port))
        first.kill()
        first.wait(30)
        if is_used:
            third = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"], environ)
            assert (third.returncode, third.stderr) == (0, "")
    until(lambda: not is_open(port), 20)


def test_runs_that_begin_at_once_share_one_gateway(environ: dict[str, str]) -> None:
    port = free_port()
    command = [*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"]
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: run(command, environ), range(4)))
    assert [each.returncode for each in ended] == [0] * 4, [each.stderr for each in ended]
    until(lambda: not is_open(port), 20)


def test_a_run_that_begins_as_a_gateway_ends_waits_for_that_and_starts_its_own(environ: dict[str, str]) -> None:
    port = free_port()
    home = Path(environ["FREERIDE_HOME"])
    home.mkdir(mode=0o700)
    ending = Lease(home / f"run-{port}.lock")
    assert ending.is_last()
    command = [*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"]
    with started(command, environ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        assert not is_open(port)
        ending.close()
        assert process.wait(30) == 0


def test_every_address_has_a_log_of_its_own(environ: dict[str, str]) -> None:
    ports = [free_port(), free_port()]
    for port in ports:
        ended = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"], environ)
        assert str(log_of(environ, port)) in ended.stderr
    for port in ports:
        assert f"listening on http://127.0.0.1:{port}" in log_of(environ, port).read_text()


def test_without_a_home_that_can_be_written_it_says_so(environ: dict[str, str]) -> None:
    port = free_port()
    log_of(environ, port).mkdir(parents=True)
    ended = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"], environ)
    assert ended.returncode == 1
    assert ended.stderr == f"freeride: {log_of(environ, port)}: Is a directory\n"


def test_without_locks_a_gateway_lives_as_long_as_the_run_that_started_it(
    environ: dict[str, str],
) -> None:
    port = free_port()
    (Path(environ["FREERIDE_HOME"]) / f"run-{port}.lock").mkdir(parents=True)
    ended = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"], environ)
    assert ended.returncode == 0, ended.stderr
    assert not is_open(port)


def test_ctrl_backslash_leaves_no_gateway_behind(environ: dict[str, str]) -> None:
    port = free_port()
    command = [*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "wait"]
    with started(command, environ) as process:
        assert process.stdout is not None
        assert said(process.stdout.readline())["served"] == "groq"
        process.send_signal(signal.SIGQUIT)
        assert process.wait(30) == 128 + signal.SIGQUIT
    until(lambda: not is_open(port), 20)


def test_a_signal_that_its_starter_ignores_is_ignored(environ: dict[str, str]) -> None:
    """As under nohup, whose agents may live on when the terminal is gone."""
    port = free_port()
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", ignoring, *FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "wait"]
    with started(command, environ) as process:
        until(lambda: is_open(port), 30)
        process.send_signal(signal.SIGHUP)
        assert process.stdout is not None
        assert said(process.stdout.readline())["served"] == "groq"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 7


class TestRefusals:
    def fails(self, environ: dict[str, str], *arguments: str, code: int = 1) -> str:
        ended = run([*FREERIDE, "run", *arguments], environ)
        assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr

    def test_an_unknown_agent(self, environ: dict[str, str]) -> None:
        assert "there is no binder for 'nobody'; installed: aider" in self.fails(environ, "nobody")

    def test_an_agent_that_only_its_file_binds(self, environ: dict[str, str], tmp_path: Path) -> None:
        found = install_stranger(tmp_path / "site")
        message = self.fails(environ | {"PYTHONPATH": found}, "acmecode")
        assert (
            "freeride run can't start Acme Code: it reads only its config file. Use freeride bind acmecode" in message
        )

    def test_an_agent_whose_protocol_is_not_served(self, environ: dict[str, str]) -> None:
        message = self.fails(environ, "codex")
        assert "speaks /v1/responses, which this gateway does not serve yet" in message
        assert "written" not in message

    def test_an_agent_that_is_not_installed(self, environ: dict[str, str]) -> None:
        assert "aider is not installed, or not on PATH" in self.fails(environ | {"PATH": ""}, "aider", code=127)

    def test_an_address_where_somebody_else_is(self, environ: dict[str, str]) -> None:
        with SimulatorThread(Simulator(installed_profile(load_plugins(("provider",)), "groq"))) as simulators:
            url = simulators.env["FREERIDE_GROQ_BASE_URL"]
            root = url[: url.index("/", 8)]
            assert "is not the gateway of" in self.fails(environ, "--url", root, "aider")

    def test_an_address_elsewhere_where_nobody_is(self, environ: dict[str, str]) -> None:
        message = self.fails(environ, "--url", f"http://127.0.0.1:{free_port()}/below", "aider")
        assert "one can be started on this machine only" in message

    def test_a_gateway_that_cannot_start_says_why(self, environ: dict[str, str]) -> None:
        without = {name: value for name, value in environ.items() if not name.startswith("GROQ")}
        message = self.fails(without, "--url", f"http://127.0.0.1:{free_port()}", "aider")
        assert "the gateway does not start" in message
        assert "No API keys found" in message

    def test_what_would_be_sent_is_shown_here_and_not_in_the_log(self, environ: dict[str, str]) -> None:
        del environ["FREERIDE_TELEMETRY"], environ["DO_NOT_TRACK"]
        port = free_port()
        ended = run([*FREERIDE, "run", "--url", f"http://127.0.0.1:{port}", "aider", "0"], environ)
        assert ended.returncode == 0, ended.stderr
        assert '"installation_id"' in ended.stderr
        assert '"installation_id"' not in log_of(environ, port).read_text()
