"""The awkward files of each binder's samples, bound, with the real agent as judge: it asks this gateway, or `bind` has said that it
does not.

Every run plays two light agents the file that shows most; `scripts/clients --all` plays all agents all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent_programs import AGENTS, AgentProgram, end_daemons
from fake_upstream import until
from freeride_conformance.samples import Sample, installed_samples
from freeride_core import Place
from freeride_core.binding.agent_files import path_of
from freeride_core.ledger.clients import is_named
from freeride_core.plugins.discovery import load_binder
from installation import IS_THOROUGH, install, need
from programs import run
from served_gateway import FREERIDE, fronting

pytestmark = pytest.mark.timeout(900)  # the first test of an agent installs it
PROMPT = "Join these words with underscores and answer with only the result: FREERIDE PONG 42"
LLM = AgentProgram("llm", lambda folder, prompt: [folder / "venv" / "bin" / "llm", "-m", "freeride", prompt])
PROGRAMS = {**AGENTS, "llm": LLM}
_LIGHT = ("llm", "pi")
"""Agents that answer within some seconds of CPU time."""
PAST = {
    ("continue", "another-first-and-an-old-entry"): "models.0",
    ("continue", "comments-and-other-models"): "models.0",
    ("kilo", "agents-and-lists"): "agent.build.model",
    ("hermes", "another-protocol-and-side-jobs"): "providers.custom",
    ("openclaw", "agents-with-their-own"): "agents.list.main.model",
    ("opencode", "agents-and-lists"): "agent.build.model",
}
"""Files whose agent is sent elsewhere by a setting that `bind` leaves to the user, and names."""


@dataclass(frozen=True)
class AwkwardCase:
    agent: str
    sample: Sample

    @property
    def label(self) -> str:
        return f"{self.agent}:{self.sample.name}"


def _cases() -> Iterator[AwkwardCase]:
    for agent in PROGRAMS:
        samples = installed_samples(f"freeride_binder_{agent}").samples
        awkward = sorted((each for each in samples if each.before), key=lambda sample: -len(sample.shows))
        most = len(awkward) if IS_THOROUGH else int(agent in _LIGHT)
        yield from (AwkwardCase(agent, sample) for sample in awkward[:most])


@dataclass(frozen=True)
class Desk:
    """A gateway, and what it has been asked."""

    url: str
    home: Path

    def requests(self) -> list[dict[str, Any]]:
        log = self.home / "events.jsonl"
        events = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []
        return [event for event in events if event["type"] == "request_start"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("gateway")
    with ExitStack() as stack:
        front = stack.enter_context(fronting(home, "groq", "nvidia"))
        yield Desk(front.url, home / ".freeride")


@pytest.mark.parametrize("case", list(_cases()), ids=lambda case: case.label)
def test_the_agent_asks_the_gateway_or_bind_has_named_what_it_asks(
    case: AwkwardCase, desk: Desk, client_environ: Mapping[str, str], machine_environ: Mapping[str, str], tmp_path: Path
) -> None:
    need(case.agent)
    program, binder = PROGRAMS[case.agent], load_binder(case.agent)
    folder = install(case.agent, machine_environ)
    environ = {**client_environ, **program.environ, "FREERIDE_HOME": str(desk.home), "FREERIDE_STATE": ""}
    home, work = Path(environ["HOME"]), tmp_path / "work"
    work.mkdir()
    path = path_of(binder, Place.HOME, home, home, environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(case.sample.before or "", "utf-8")
    bound = run([*FREERIDE, "bind", case.agent, "--url", desk.url, "--json"], environ, cwd=work)
    assert bound.returncode == 0, bound.stderr
    named = {each["setting"]: each["model"] for each in json.loads(bound.stdout)["elsewhere"]}
    before = len(desk.requests())

    try:
        answered = run(program.command(folder, PROMPT), environ, cwd=work, timeout_s=240)
    finally:
        end_daemons(home)

    past = PAST.get((case.agent, case.sample.name))
    if past is not None:
        assert past in named, "it says beforehand why the agent does not ask"
        assert not [each for each in desk.requests()[before:] if each["model"] == "auto"]
        return
    assert "FREERIDE_PONG_42" in answered.stdout, answered.stderr[-2000:]
    asked = until(lambda: desk.requests()[before:])
    assert {each["model"] for each in asked} <= {"auto", "freeride/fast"}
    names = (*binder.client_names, *binder.shared_client_names)
    assert all(is_named(each.get("client", ""), names) for each in asked) or not names
    told = run([*FREERIDE, "doctor", "--url", desk.url, "--json"], environ, cwd=work)
    found = [each["text"] for each in json.loads(told.stdout) if each["text"].startswith(f"{binder.title} ({path})")]
    assert any("last asked" in text for text in found), found
