"""What real agents did when all of it was played last: a file for each agent, of which the documentation is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agent_trial import CASES, AgentTrial
from installation import CLIENTS
from repository import ROOT

FOLDER = ROOT / "tests" / "clients" / "trials"


def record(agent: str, case: str, trial: AgentTrial) -> None:
    """Keep what became of a case. Another version of the agent starts from nothing."""
    package = CLIENTS[agent].package
    kept = read_record(agent)
    cases = kept["cases"] if kept.get("package") == package else {}
    cases[case] = {
        "date": datetime.now(UTC).date().isoformat(),
        "complaints": list(trial.complaints),
        "asked": dict(trial.asked),
        "waits_s": [round(wait_s, 1) for wait_s in trial.waits_s],
    }
    FOLDER.mkdir(exist_ok=True)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(cases[name])}" for name in CASES if name in cases)
    text = f'{{\n "package": {json.dumps(package)},\n "cases": {{\n{lines}\n }}\n}}\n'
    (FOLDER / f"{agent}.json").write_text(text, "utf-8", newline="\n")


def read_record(agent: str) -> Mapping[str, Any]:
    """The package and its cases; empty if none was kept."""
    path = FOLDER / f"{agent}.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
