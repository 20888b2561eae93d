"""OpenCode, started by `freeride run`, over real sockets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import find_node, need
from programs import run
from served_gateway import FREERIDE

need("opencode")

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"


@pytest.mark.parametrize("gateway_url", ["serve"], indirect=True)
@pytest.mark.parametrize("place", ["opencode.json", ".opencode/opencode.json"])
def test_one_process_is_bound_whatever_its_project_says(
    place: str,
    client_folder: Callable[[str], Path],
    client_environ: Mapping[str, str],
    gateway_url: str,
    tmp_path: Path,
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    own = work / place
    own.parent.mkdir(exist_ok=True)
    options = {"baseURL": "http://127.0.0.1:9/v1", "apiKey": "{env:FREERIDE_TOKEN}"}
    elsewhere = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"mine": {}, "auto": {}}}
    asking = {"model": "elsewhere/mine"}
    text = json.dumps(
        {
            "$schema": "https://opencode.ai/config.json",
            **asking,
            "small_model": "elsewhere/mine",
            "enabled_providers": ["elsewhere"],
            "disabled_providers": ["freeride"],
            "provider": {"freeride": elsewhere, "elsewhere": elsewhere},
            "agent": {"build": asking, "plan": asking},
        }
    )
    own.write_text(text, "utf-8")
    programs = client_folder("opencode") / "node_modules" / ".bin"
    environ = {
        **client_environ,
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_SHARE": "1",
        "PATH": os.pathsep.join(map(str, (programs, find_node().parent, client_environ["PATH"]))),
    }

    answered = run(
        [*FREERIDE, "run", "--url", gateway_url, "opencode", "run", PROMPT], environ, cwd=work, timeout_s=180
    )

    assert answered.returncode == 0, answered.stderr
    assert "FREERIDE_PONG_42" in answered.stdout
    assert own.read_text("utf-8") == text
