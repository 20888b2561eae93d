"""OpenClaw, started by `freeride run` or configured by the commands, over real sockets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from freeride_core.simulator import SimulatorThread
from installation import find_node, need
from openclaw import make_simulator
from programs import run
from served_gateway import FREERIDE

need("openclaw")

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"


def test_it_takes_what_the_commands_write(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], tmp_path: Path
) -> None:
    program = client_folder("openclaw") / "node_modules" / "openclaw" / "openclaw.mjs"
    (Path(client_environ["HOME"]) / ".openclaw").mkdir(parents=True, exist_ok=True)
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
