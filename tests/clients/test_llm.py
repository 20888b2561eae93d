"""LLM, configured by `freeride bind`, over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import need
from programs import run
from served_gateway import FREERIDE, FrontMaker

need("llm")

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"
TOOL = """
def read_gauge(name: str) -> str:
    "Says what a gauge shows."
    return "it shows 17 bar"
"""
Ask = Callable[..., str]


@pytest.fixture
def ask(client_folder: Callable[[str], Path], client_environ: Mapping[str, str], tmp_path: Path) -> Ask:
    """Binds LLM to a gateway, asks it, and gives what it printed."""
    llm = client_folder("llm") / "venv" / "bin" / "llm"

    def ask(url: str, *arguments: str, prompt: str = PROMPT) -> str:
        bound = run([*FREERIDE, "bind", "llm", "--url", url], client_environ)
        assert bound.returncode == 0, bound.stderr
        command: list[str | Path] = [llm, "-m", "freeride", *arguments, prompt]
        answered = run(command, client_environ, cwd=tmp_path, timeout_s=120)
        assert answered.returncode == 0, answered.stderr
        return answered.stdout

    return ask


@pytest.mark.parametrize("arguments", [(), ("--no-stream",)])
def test_it_is_answered(arguments: tuple[str, ...], ask: Ask, gateway_url: str) -> None:
    assert "FREERIDE_PONG_42" in ask(gateway_url, *arguments)


def test_a_tool_is_called_through_the_gateway(ask: Ask, gateway_url: str) -> None:
    said = ask(gateway_url, "--functions", TOOL, prompt="Please use read_gauge on the boiler")
    assert "it shows 17 bar" in said


def test_it_never_sees_a_failing_provider(ask: Ask, make_front: FrontMaker) -> None:
    front = make_front("groq", "nvidia")
    front.simulators["groq"].always("rate-limited")

    assert "FREERIDE_PONG_42" in ask(front.url)
    assert front.attempts[0] == "groq"
    assert [name for name in front.attempts if name != "groq"] == ["nvidia"], "it asked once"
