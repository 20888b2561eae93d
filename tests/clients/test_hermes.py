"""Hermes Agent, configured by `freeride bind`, over real sockets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import need
from programs import run
from served_gateway import FREERIDE, FrontMaker

need("hermes")

PROMPT = "Join these words with underscores and reply with only the result: FREERIDE PONG 42"


@pytest.fixture
def ask(
    client_folder: Callable[[str], Path], client_environ: Mapping[str, str], tmp_path: Path
) -> Callable[[str], str]:
    """Binds Hermes to a gateway, asks it, and gives what it printed."""
    hermes = client_folder("hermes") / "venv" / "bin" / "hermes"
    work = tmp_path / "work"
    work.mkdir()

    def ask(url: str) -> str:
        bound = run([*FREERIDE, "bind", "hermes", "--url", url], client_environ)
        assert bound.returncode == 0, bound.stderr
        answered = run([hermes, "-z", PROMPT], client_environ, cwd=work, timeout_s=180)
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
