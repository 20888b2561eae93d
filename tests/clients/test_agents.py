"""Real agents after `freeride bind`, each on a job of three turns that edits a file, while an upstream fails.

Every run plays each agent while all is well, and while its first provider fails. `scripts/clients --all` plays all other
faults, and each provider alone, and keeps what it has seen for the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent_programs import AGENTS
from agent_trial import CASES, PLAIN, AgentDesk
from installation import IS_THOROUGH, install, need
from programs import loopback_environ
from trial_records import record

SHORT = (PLAIN, "500")
pytestmark = pytest.mark.timeout(1200)  # the first test of an agent installs it


AGENT_PARAMS = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in AGENTS]
"""All of an agent's jobs run in one process, in the home that the first one has left."""


@pytest.fixture(scope="module", params=AGENT_PARAMS)
def desk(
    request: pytest.FixtureRequest,
    machine_environ: Mapping[str, str],
    shared_home: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AgentDesk:
    name = request.param
    need(name)
    place = tmp_path_factory.mktemp(name)
    environ = loopback_environ(place / "home", shared_home)
    return AgentDesk(AGENTS[name], install(name, machine_environ), place, environ)


@pytest.mark.parametrize("case", CASES if IS_THOROUGH else SHORT)
def test_an_agent_does_its_job(desk: AgentDesk, case: str) -> None:
    trial = desk.play(case)
    if IS_THOROUGH:
        record(desk.name, case, trial)
    assert not trial.complaints, desk.printed[-2000:]
