"""Continue's `cn`, started by `freeride run`, over real sockets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import find_node, need
from programs import run
from served_gateway import FREERIDE

need("continue")

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder that the agent works in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("gateway_url", ["serve"], indirect=True)
def test_one_process_is_bound_whatever_its_file_says(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], gateway_url: str, work: Path
) -> None:
    own = Path(client_environ["HOME"]) / ".continue" / "config.yaml"
    own.parent.mkdir(parents=True)
    text = (
        "name: Mine\nversion: 1.0.0\nschema: v1\nmodels:\n"
        "  - {name: Mine, provider: openai, model: mine, apiBase: 'http://127.0.0.1:9/v1', apiKey: nothing}\n"
    )
    own.write_text(text, "utf-8")
    programs = client_folder("continue") / "node_modules" / ".bin"
    environ = {
        **client_environ,
        "CONTINUE_TELEMETRY_ENABLED": "0",
        "CONTINUE_CLI_ENABLE_TELEMETRY": "0",
        "PATH": os.pathsep.join(map(str, (programs, find_node().parent, client_environ["PATH"]))),
    }

    answered = run(
        [*FREERIDE, "run", "--url", gateway_url, "continue", "-p", "--auto", PROMPT], environ, cwd=work, timeout_s=120
    )

    assert answered.returncode == 0, answered.stderr
    assert "FREERIDE_PONG_42" in answered.stdout
    assert own.read_text("utf-8") == text
