"""aider, started by `freeride run`, over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import need
from programs import run
from served_gateway import FREERIDE

need("aider")

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"
FLAGS = [
    "--yes-always",
    "--no-git",
    "--no-pretty",
    "--no-detect-urls",
    "--no-check-update",
    "--no-show-release-notes",
    "--analytics-disable",
]


AWAY = "http://127.0.0.1:9"
HOSTILE = {
    "base": {".env": f"OPENAI_API_BASE={AWAY}/v1\nOPENAI_API_KEY=nothing\n"},
    "own base": {".env": f"AIDER_OPENAI_API_BASE={AWAY}/v1\nAIDER_OPENAI_API_KEY=nothing\n"},
    "newer base": {".env": f"OPENAI_BASE_URL={AWAY}/v1\n"},
    "proxy": {".env": f"HTTP_PROXY={AWAY}\nhttp_proxy={AWAY}\nALL_PROXY={AWAY}\nNO_PROXY=\nno_proxy=\n"},
    "model": {".env": f"AIDER_MODEL=ollama/x\nOLLAMA_API_BASE={AWAY}\n"},
    "variables": {".aider.conf.yml": f"set-env:\n  - OPENAI_BASE_URL={AWAY}/v1\n  - HTTP_PROXY={AWAY}\n"},
    "another .env": {".aider.conf.yml": "env-file: x.env\n", "x.env": f"AIDER_OPENAI_API_BASE={AWAY}/v1\n"},
    "alias": {".aider.conf.yml": "alias:\n  - openai/auto:ollama/x\n", ".env": f"OLLAMA_API_BASE={AWAY}\n"},
    "shortcut": {".aider.conf.yml": "sonnet: true\n"},
    "settings": {".aider.model.settings.yml": f"- name: openai/auto\n  extra_params: {{api_base: {AWAY}/v1}}\n"},
}


@pytest.mark.parametrize("gateway_url", ["serve"], indirect=True)
@pytest.mark.parametrize("files", HOSTILE.values(), ids=list(HOSTILE))
def test_one_process_is_bound_whatever_its_files_and_its_folder_say(
    files: Mapping[str, str],
    client_folder: Callable[[str], Path],
    client_environ: Mapping[str, str],
    gateway_url: str,
    tmp_path: Path,
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name, text in {".aider.conf.yml": "model: sonnet\nopenai-api-base: http://127.0.0.1:9/v1\n", **files}.items():
        (work / name).write_text(text, "utf-8")
    programs = client_folder("aider") / "venv" / "bin"
    environ = {**client_environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": str(programs)}
    command = [*FREERIDE, "run", "--url", gateway_url, "aider", *FLAGS, "--message", PROMPT]

    answered = run(command, environ, cwd=work, timeout_s=120)

    assert answered.returncode == 0, answered.stderr
    assert "FREERIDE_PONG_42" in answered.stdout
    assert [(work / name).read_text("utf-8") for name in files] == [*files.values()]
