"""Claude Code, started by `freeride run`, over real sockets. What it does after `freeride bind`: see `test_agents`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import need
from programs import run
from served_gateway import FREERIDE

need("claude")

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"


@pytest.mark.parametrize("gateway_url", ["serve"], indirect=True)
def test_one_process_is_bound_whatever_its_own_settings_say(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], gateway_url: str, tmp_path: Path
) -> None:
    elsewhere = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "ANTHROPIC_MODEL": "mine", "CLAUDE_CODE_USE_BEDROCK": "1"}
    text = json.dumps({"env": elsewhere})
    work = tmp_path / "work"
    own = [folder / ".claude" / "settings.json" for folder in (Path(client_environ["HOME"]), work)]
    for each in own:
        each.parent.mkdir(parents=True)
        each.write_text(text, "utf-8")
    programs = client_folder("claude") / "node_modules" / ".bin"
    silent = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "IS_SANDBOX": "1"}
    path = os.pathsep.join((str(programs), client_environ["PATH"]))

    answered = run(
        [*FREERIDE, "run", "--url", gateway_url, "claude", "-p", PROMPT],
        {**client_environ, **silent, "PATH": path},
        cwd=work,
        timeout_s=180,
    )

    assert answered.returncode == 0, answered.stderr
    assert "FREERIDE_PONG_42" in answered.stdout
    assert [each.read_text("utf-8") for each in own] == [text, text]
