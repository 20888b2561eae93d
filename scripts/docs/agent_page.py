"""docs/agents/: what a person needs who binds one agent, from what its package states and writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from freeride_conformance.questions import question_page
from freeride_conformance.readme import binder_head
from freeride_conformance.samples import installed_samples
from freeride_core import Binder
from freeride_core.gateway.protocols.registry import SERVED
from page_parts import ROOT, WRITTEN, by_hand


def agent_page(binder: Binder) -> str:
    """All of it, in Markdown."""
    head = (
        binder_head(binder, "", installed_samples(f"freeride_binder_{binder.name}").answers)
        .partition("\n\n")[2]
        .strip()
    )
    return f"{WRITTEN}# {binder.title}\n\n{head}\n\n{by_hand(ROOT / 'freeride_binders' / binder.name)}\n"


def agent_rows(binders: Collection[Binder]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the README's table: agent, command, file. Agents that cannot be served yet share the last row."""
    served = [binder for binder in binders if binder.needs in SERVED]
    for binder in served:
        if not binder.scopes:
            yield f"[{binder.title}](docs/agents/{binder.name}.md)", f"`freeride run {binder.name}`", ""
            continue
        path = binder.path(binder.scopes[0], Path("~"), Path()).as_posix()
        yield f"[{binder.title}](docs/agents/{binder.name}.md)", f"`freeride bind {binder.name}`", f"`{path}`"
    waiting = [f"[{each.title}](docs/agents/{each.name}.md)" for each in binders if each not in served]
    if waiting:
        yield ", ".join(waiting), "not yet: the gateway does not serve their protocols", ""


def precedence_page(binders: Mapping[str, Binder]) -> str:
    """docs/precedence.md: what decides which model each agent asks."""
    answers = {name: installed_samples(f"freeride_binder_{name}").answers for name in binders}
    return WRITTEN + question_page({name: (binders[name].title, own) for name, own in answers.items() if own})
