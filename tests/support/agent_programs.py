"""The agents that do a job without a person: how each is started, once it is bound."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from installation import find_node

Words = list[str | Path]


@dataclass(frozen=True)
class AgentProgram:
    """An agent by the name of its binder, which is its name in `installation` too."""

    name: str
    command: Callable[[Path, str], Words]
    """The program in its folder with a prompt, and what it must not ask a person about."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """What keeps it from fetching or reporting anything."""
    own_files: Mapping[str, str] = field(default_factory=dict)
    """What its user has set before it is bound, by path below the home."""
    is_new_each_time: bool = False
    """Whether each job has a home in which it was never started: from a copy of its state it does not go on."""
    has_tools: bool = True
    """False: it edits files by what the model says, and its job is one of three answers that its user's test refuses."""


def _bin(folder: Path, name: str) -> Path:
    return folder / "node_modules" / ".bin" / name


def _aider(folder: Path, prompt: str) -> Words:
    flags = ["--yes-always", "--no-git", "--no-pretty", "--no-detect-urls", "--no-check-update"]
    flags += ["--no-show-release-notes", "--analytics-disable", "--auto-test", "--test-cmd", "grep violet settings.txt"]
    return [folder / "venv" / "bin" / "aider", *flags, "--message", prompt, "settings.txt"]


def _cline(folder: Path, prompt: str) -> Words:
    return [_bin(folder, "cline"), "-P", "openai-compatible", "-m", "auto", "--json", prompt]


def _continue(folder: Path, prompt: str) -> Words:
    program = folder / "node_modules" / "@continuedev" / "cli" / "dist" / "cn.js"
    return [find_node(), program, "-p", "--auto", prompt]


def _openclaw(folder: Path, prompt: str) -> Words:
    program = folder / "node_modules" / "openclaw" / "openclaw.mjs"
    words = ["agent", "--local", "--agent", "main", "--session-id", "one", "--timeout", "600", "--message", prompt]
    return [find_node(), program, *words]


AGENTS = {
    agent.name: agent
    for agent in (
        AgentProgram("aider", _aider, {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}, has_tools=False),
        AgentProgram(
            "claude",
            lambda folder, prompt: [_bin(folder, "claude"), "-p", "--dangerously-skip-permissions", prompt],
            {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "IS_SANDBOX": "1"},
        ),
        AgentProgram("cline", _cline, {"CLINE_NO_AUTO_UPDATE": "1"}),
        AgentProgram("continue", _continue, {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_CLI_ENABLE_TELEMETRY": "0"}),
        AgentProgram("hermes", lambda folder, prompt: [folder / "venv" / "bin" / "hermes", "-z", prompt]),
        AgentProgram(
            "kilo",
            lambda folder, prompt: [_bin(folder, "kilo"), "run", "--auto", prompt],
            {
                "KILO_DISABLE_AUTOUPDATE": "1",
                "KILO_DISABLE_LSP_DOWNLOAD": "1",
                "KILO_DISABLE_MODELS_FETCH": "1",
                "KILO_TELEMETRY_LEVEL": "off",
            },
        ),
        AgentProgram(
            "openclaw",
            _openclaw,
            is_new_each_time=True,
            own_files={
                ".openclaw/openclaw.json": "{update: {checkOnStart: false}, agents: {defaults: {skipBootstrap: true}}}"
            },
        ),
        AgentProgram(
            "opencode",
            lambda folder, prompt: [_bin(folder, "opencode"), "run", prompt],
            {
                "OPENCODE_DISABLE_AUTOUPDATE": "1",
                "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                "OPENCODE_DISABLE_MODELS_FETCH": "1",
                "OPENCODE_DISABLE_SHARE": "1",
            },
            # A request for a title could be the one that meets the fault, in place of the job's.
            own_files={"config/opencode/opencode.json": '{"agent": {"title": {"disable": true}}}'},
        ),
        AgentProgram(
            "pi",
            lambda folder, prompt: [
                *(find_node(), _bin(folder, "pi").resolve()),
                *("--offline", "--provider", "freeride", "--model", "auto", "-p", prompt),
            ],
            {"PI_OFFLINE": "1"},
        ),
        AgentProgram(
            "qwen", lambda folder, prompt: [find_node(), _bin(folder, "qwen").resolve(), "--yolo", "-p", prompt]
        ),
        AgentProgram(
            "vibe",
            lambda folder, prompt: [
                *(folder / "venv" / "bin" / "vibe", "--agent", "auto-approve", "--trust", "-p", prompt),
            ],
        ),
    )
}


def end_daemons(home: Path) -> None:
    """End what an agent has left running: programs whose home is this."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"HOME={home}".encode() in variables and int(entry.name) != os.getpid():
            os.kill(int(entry.name), signal.SIGKILL)
