"""Continue's `cn`, configured by `freeride bind`, over real sockets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from installation import find_node, need
from programs import run
from served_gateway import FREERIDE, FrontMaker

need("continue")

PROMPT = "Join these words with underscores and reply with only the result: FREERIDE PONG 42"
Ask = Callable[..., str]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder that the agent works in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def ask(client_folder: Callable[[str], Path], client_environ: Mapping[str, str], work: Path) -> Ask:
    """Binds Continue to a gateway, asks it, and gives what it printed."""
    cn = client_folder("continue") / "node_modules" / "@continuedev" / "cli" / "dist" / "cn.js"
    silent = {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_CLI_ENABLE_TELEMETRY": "0"}

    def ask(url: str, prompt: str = PROMPT) -> str:
        bound = run([*FREERIDE, "bind", "continue", "--url", url], client_environ)
        assert bound.returncode == 0, bound.stderr
        answered = run([find_node(), cn, "-p", "--auto", prompt], {**client_environ, **silent}, cwd=work, timeout_s=120)
        assert answered.returncode == 0, answered.stderr
        return answered.stdout

    return ask


def test_it_is_answered(ask: Ask, gateway_url: str) -> None:
    assert "FREERIDE_PONG_42" in ask(gateway_url)


def test_its_own_tools_are_called_through_the_gateway(ask: Ask, gateway_url: str, work: Path) -> None:
    (work / "Notes").write_text("the word is halibut\n", "utf-8")
    assert "halibut" in ask(gateway_url, "Please use Read on the file Notes")


@pytest.mark.parametrize("failure", ["rate-limited", "error-first-event"])
def test_it_never_sees_a_failing_provider(failure: str, ask: Ask, make_front: FrontMaker) -> None:
    front = make_front("groq", "nvidia")
    front.simulators["groq"].always(failure)

    said = ask(front.url)

    assert said.strip() == "FREERIDE_PONG_42"
    assert front.attempts[0] == "groq"
    assert [name for name in front.attempts if name != "groq"] == ["nvidia"], "it asked once"


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
