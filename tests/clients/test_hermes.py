"""Hermes Agent, started by `freeride run`, over real sockets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import need
from programs import run
from served_gateway import FREERIDE

need("hermes")

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"


@pytest.mark.parametrize("gateway_url", ["serve"], indirect=True)
def test_one_process_is_bound_whatever_its_file_says(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], gateway_url: str, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    own = Path(client_environ["HOME"]) / ".hermes" / "config.yaml"
    own.parent.mkdir(parents=True)
    text = "model:\n  default: mine\n  provider: custom\n  base_url: http://127.0.0.1:9/v1\n  api_key: nothing\n"
    own.write_text(text, "utf-8")
    programs = client_folder("hermes") / "venv" / "bin"
    environ = {**client_environ, "PATH": os.pathsep.join((str(programs), client_environ["PATH"]))}

    answered = run([*FREERIDE, "run", "--url", gateway_url, "hermes", "-z", PROMPT], environ, cwd=work, timeout_s=180)

    assert answered.returncode == 0, answered.stderr
    assert "FREERIDE_PONG_42" in answered.stdout
    assert own.read_text("utf-8") == text
