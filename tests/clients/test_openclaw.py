"""OpenClaw, configured by `freeride bind`, over real sockets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from freeride_core.simulator import SimulatorThread
from installation import find_node, need
from openclaw import make_simulator
from programs import run
from served_gateway import FREERIDE, FrontMaker

need("openclaw")

PROMPT = "Join these words with underscores and reply with only the result: FREERIDE PONG 42"
# What the user has set beforehand: nothing is fetched at the start.
OWN = "{\n  // mine\n  update: { checkOnStart: false },\n  agents: { defaults: { skipBootstrap: true } },\n}\n"


@pytest.fixture
def ask(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], tmp_path: Path
) -> Callable[[str], str]:
    """Binds OpenClaw to a gateway, asks it, and gives what it printed."""
    program = client_folder("openclaw") / "node_modules" / "openclaw" / "openclaw.mjs"
    config = Path(client_environ["HOME"]) / ".openclaw" / "openclaw.json"
    config.parent.mkdir(parents=True)
    config.write_text(OWN, "utf-8")
    work = tmp_path / "work"
    work.mkdir()

    def ask(url: str) -> str:
        bound = run([*FREERIDE, "bind", "openclaw", "--url", url], client_environ)
        assert bound.returncode == 0, bound.stderr
        words = ["agent", "--local", "--agent", "main", "--session-id", "one", "--message", PROMPT, "--timeout", "150"]
        answered = run([find_node(), program, *words], client_environ, cwd=work, timeout_s=240)
        assert answered.returncode == 0, answered.stderr
        return answered.stdout

    return ask


def test_it_is_answered(ask: Callable[[str], str], gateway_url: str) -> None:
    assert "FREERIDE_PONG_42" in ask(gateway_url)


def test_it_never_sees_a_failing_provider(ask: Callable[[str], str], make_front: FrontMaker) -> None:
    front = make_front("groq", "nvidia")
    front.simulators["groq"].always("rate-limited")

    assert "FREERIDE_PONG_42" in ask(front.url)
    assert front.attempts[0] == "groq"
    assert [name for name in front.attempts if name != "groq"] == ["nvidia"], "it asked once"


def test_it_takes_what_the_commands_write(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], tmp_path: Path
) -> None:
    program = client_folder("openclaw") / "node_modules" / "openclaw" / "openclaw.mjs"
    with SimulatorThread(make_simulator()) as simulators:
        environ = {**client_environ, **simulators.env}
        for command in (["auto", "--setup-auth"], ["switch", "freeride/auto"]):
            written = run([*FREERIDE, *command], environ)
            assert written.returncode == 0, written.stderr
            judged = run([find_node(), program, "config", "validate"], environ, cwd=tmp_path)
            assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize("gateway_url", ["serve"], indirect=True)
def test_one_process_is_bound_whatever_its_file_says(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], gateway_url: str, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    own = Path(client_environ["HOME"]) / ".openclaw" / "openclaw.json"
    own.parent.mkdir(parents=True)
    text = (
        '{models: {providers: {freeride: {baseUrl: "http://127.0.0.1:9/v1", apiKey: "nothing", api: "openai-completions", '
        'models: [{id: "auto", name: "Mine"}]}}}, agents: {defaults: {model: {primary: "freeride/auto"}}}}'
    )
    own.write_text(text, "utf-8")
    programs = client_folder("openclaw") / "node_modules" / ".bin"
    environ = {
        **client_environ,
        "PATH": os.pathsep.join(map(str, (programs, find_node().parent, client_environ["PATH"]))),
    }

    answered = run(
        [
            *FREERIDE,
            "run",
            "--url",
            gateway_url,
            "openclaw",
            "agent",
            "--local",
            "--agent",
            "main",
            "--session-id",
            "one",
            "--message",
            PROMPT,
            "--timeout",
            "150",
        ],
        environ,
        cwd=work,
        timeout_s=240,
    )

    assert answered.returncode == 0, answered.stderr
    assert "FREERIDE_PONG_42" in answered.stdout
    assert own.read_text("utf-8") == text
