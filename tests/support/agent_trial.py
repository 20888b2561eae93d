"""A real agent does its job through the gateway while the first of two providers fails, or with one provider alone."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_job import COLOURS, FILE, PROMPT, SAID, TURNS, JobModel, content_of, is_turn
from agent_programs import AgentProgram, end_daemons
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import SeenRequest
from freeride_core.simulator.model import Saying
from freeride_core.simulator.profile import GOOD
from programs import run
from served_gateway import FREERIDE, Front, SimulatedModel, fronting

FIRST, SECOND = "nvidia", "groq"
PLAIN = "plain"
FAULTS = {
    "429": "rate-limited",
    "401": "bad-key",
    "hang": "hang",
    "cut in words": "reset-mid-stream",
    "cut in a tool call": "reset-mid-stream",
    "empty": "empty",
    "500": "server-error",
    "HTML 200": "html-200",
}
"""What the first provider answers to every request, by name; each is played by the simulators under the second name."""
PROVIDERS = tuple(load_plugins(("provider",)).providers)
CASES = (PLAIN, *FAULTS, *PROVIDERS)
"""Two providers that are well; two of which the first fails in this way; this provider alone."""
_WORDS = "I will look at the file first, and then I will change the colour in it."
_HANG_WAIT_S = {True: 15.0, False: 65.0}
"""How much later the first turn may be served when a provider hangs; whether the answer is streamed."""
_WAIT_S = 1.0
"""How much later any other turn may be served."""
_GRACE_S = 1.0
"""The machine has other work to do."""
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class AgentTrial:
    """What became of one job."""

    complaints: tuple[str, ...]
    """Empty: it passed."""
    asked: Mapping[str, int]
    """Requests that reached each provider."""
    waits_s: tuple[float, ...]
    """For each turn the seconds from its first attempt to the one that served it."""
    took_s: float
    """All of the program's run."""


class AgentDesk:
    """One agent with a home of its own. What its first start writes there stays; what a job writes does not."""

    def __init__(self, agent: AgentProgram, program: Path, place: Path, environ: Mapping[str, str]) -> None:
        """`program` is the folder in which it is installed; `environ` has its home in `place`."""
        self._agent = agent
        self._program = program
        self._environ = {**environ, **agent.environ}
        self._home = Path(environ["HOME"])
        self._started_home = place / "started"
        self._work = place / "work"
        self._gateway = place / "gateway"
        self.printed = ""
        """What the agent printed last."""

    @property
    def name(self) -> str:
        return self._agent.name

    def play(self, case: str) -> AgentTrial:
        """The job in one of `CASES`."""
        providers = (case,) if case in PROVIDERS else (FIRST, SECOND)
        fault = case if case in FAULTS else PLAIN
        self._lay_out()
        models: dict[str, SimulatedModel] = dict.fromkeys(providers, JobModel(self._work))
        if fault == "cut in words":
            models[FIRST] = lambda _: Saying(_WORDS)
        own = {name: self._environ[name] for name in ("FREERIDE_HOME", "FREERIDE_STATE")}
        with fronting(self._gateway, *providers, models=models, more=own) as front:
            if fault != PLAIN:
                front.simulators[FIRST].always(FAULTS[fault])
            bound = run([*FREERIDE, "bind", self._agent.name, "--url", front.url], self._environ)
            assert bound.returncode == 0, bound.stderr
            started = time.monotonic()
            complaints = self._run()
            took_s = time.monotonic() - started
            turns, asked = _turns_of(front, has_tools=self._agent.has_tools), Counter(front.attempts)
        waits_s = tuple(turn[-1].at - turn[0].at for turn in turns)
        complaints += _late(fault, turns, waits_s)
        return AgentTrial(tuple(complaints), dict(asked), waits_s, took_s)

    def _lay_out(self) -> None:
        """The home as its first start has left it, and the folder with the file as it was."""
        for folder in (self._work, self._gateway):
            shutil.rmtree(folder, ignore_errors=True)
        self._work.mkdir(parents=True)
        (self._work / FILE).write_text(content_of(COLOURS[0]), "utf-8")
        shutil.rmtree(self._home, ignore_errors=True)
        if self._started_home.is_dir():
            shutil.copytree(self._started_home, self._home, symlinks=True)
            return
        self._home.mkdir(parents=True)
        for path, text in self._agent.own_files.items():
            (self._home / path).parent.mkdir(parents=True, exist_ok=True)
            (self._home / path).write_text(text, "utf-8")

    def _run(self) -> list[str]:
        """Lets the agent work; what is wrong afterwards."""
        command = self._agent.command(self._program, PROMPT)
        try:
            ended = run(command, self._environ, cwd=self._work, timeout_s=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return [f"was not done after {_TIMEOUT_S:.0f} s"]
        finally:
            end_daemons(self._home)
        if not self._agent.is_new_each_time and not self._started_home.is_dir():
            shutil.copytree(self._home, self._started_home, symlinks=True)
        complaints = []
        if ended.returncode:
            complaints.append(f"ended with {ended.returncode}")
        if (self._work / FILE).read_text("utf-8") != content_of(COLOURS[-1]):
            complaints.append("left the file as it was")
        if SAID not in ended.stdout:
            complaints.append("did not print the last answer")
        self.printed = ended.stdout + ended.stderr
        return complaints


def _turns_of(front: Front, *, has_tools: bool) -> list[list[SeenRequest]]:
    """The attempts of each turn of the job that was served, in order; the last of them served it."""
    seen = [request for simulator in front.simulators.values() for request in simulator.requests]
    attempts = sorted(
        (request for request in seen if request.method == "POST" and is_turn(request.json, has_tools=has_tools)),
        key=lambda each: each.at,
    )
    turns: list[list[SeenRequest]] = [[]]
    for attempt in attempts:
        turns[-1].append(attempt)
        if attempt.answered in GOOD:
            turns.append([])
    return turns[:-1]


def _late(fault: str, turns: list[list[SeenRequest]], waits_s: tuple[float, ...]) -> list[str]:
    """What is wrong with the turns: too few, or too long until they were served."""
    complaints = [] if len(turns) >= TURNS else [f"was served {len(turns)} turns"]
    if fault.startswith("cut"):
        # How long it waits before it asks again is the agent's own choice.
        has_met = any(attempt.answered == FAULTS[fault] for turn in turns for attempt in turn)
        return complaints if has_met else [*complaints, "met the cut in a title alone"]
    for number, (turn, wait_s) in enumerate(zip(turns, waits_s, strict=True)):
        limit_s = _HANG_WAIT_S[turn[0].stream] if fault == "hang" and number == 0 else _WAIT_S
        if wait_s > limit_s + _GRACE_S:
            complaints.append(f"waited {wait_s:.1f} s in turn {number + 1}")
    return complaints
