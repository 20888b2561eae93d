"""docs/agents-and-faults.md, from what real agents did when all of it was played last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent_programs import AGENTS
from agent_trial import FAULTS, FIRST, PLAIN, PROVIDERS, SECOND
from freeride_core.plugins.discovery import Plugins
from page_parts import table
from trial_records import read_record

_NOT_PLAYED = {
    "codex": "It speaks `/v1/responses`, which the gateway does not serve yet.",
    "copilot": "It has no file to bind: `freeride run copilot` starts it, and it was asked by hand.",
    "crush": "Its npm package downloads the program from GitHub, which the tests do not reach.",
    "gemini": "It speaks `:generateContent`, which the gateway does not serve yet.",
    "goose": "Its program is on GitHub alone, which the tests do not reach.",
    "llm": "It edits no files. `tests/clients/test_llm.py` asks it.",
    "vscode": "It needs a screen.",
    "zed": "It needs a screen.",
}
"""The agents with a binder that do no job here, and why."""
_ABOVE = """\
<!-- Written by `python scripts/docs` from tests/clients/trials, which `scripts/clients --all` writes. -->

# Real agents while a provider fails

Each agent was installed, bound by `freeride bind`, and given a job of three turns: read a file, write it, and report that it is
done. Because aider has no tools, its three turns are three edits, and a test of the user refuses the first two. The
gateway and the agents are real. The providers are the simulators of their packages.

A cell gives the number of requests that the providers got for the job. It also gives the seconds that its turns waited in
all, from their first attempt to the one that served. A job passes when the agent ends with 0, the file has the new
content, and the last answer is printed. With a provider that hangs, the first turn may wait 15 s (65 s if the agent does
not stream), and each later turn 1 s. **A cell in bold failed**, and says how. A cell that is **not played** waits for the
next run of this version.
"""
_FAULTS = f"""\
## The first of two providers fails

The simulator of {FIRST} is asked first, and fails for the whole job as the head of the column says. The simulator of
{SECOND} works. After a stream that was cut, the agent itself must retry, and the seconds include its own pause.

The gateway cannot take back what was sent, and two agents do not retry once a part of a turn has arrived. They are Cline 3.0.65
(`isRetryableProviderErrorTurn` in @cline/agents) and Kilo 7.7.7 (`blockRetry` in @kilocode/cli), read on 2026-12-01.
"""
_PROVIDERS = """\
## One provider alone

Each simulator refuses what its upstream is known to refuse, in the histories that agents send too.
"""


def trial_page(plugins: Plugins) -> str:
    """All of it, in Markdown."""
    assert set(AGENTS) | set(_NOT_PLAYED) == set(plugins.binders), "say of each agent how or why not it is played"
    titles = {name: plugins.binders[name].title for name in sorted(plugins.binders)}
    reasons = [(titles[name], reason) for name, reason in _NOT_PLAYED.items()]
    parts = (
        _ABOVE,
        _FAULTS,
        _table(titles, (PLAIN, *FAULTS)),
        _PROVIDERS,
        _table(titles, PROVIDERS),
        "## Not played\n",
        table(("agent", "why"), reasons),
    )
    return "\n".join(parts)


def _table(titles: Mapping[str, str], cases: Sequence[str]) -> str:
    return table(
        ("agent", "version", *cases), (_row(title, name, cases) for name, title in titles.items() if name in AGENTS)
    )


def _row(title: str, name: str, cases: Sequence[str]) -> Sequence[str]:
    record = read_record(name)
    version = record["package"].replace("==", "@").rpartition("@")[2] if record else ""
    return (title, version, *(_cell(record.get("cases", {}).get(case)) for case in cases))


def _cell(trial: Mapping[str, Any] | None) -> str:
    if trial is None:
        return "**not played**"
    if trial["complaints"]:
        return f"**{trial['complaints'][0]}**"
    return f"{sum(trial['asked'].values())}, {sum(trial['waits_s']):.1f} s"
