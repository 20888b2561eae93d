"""What became of the mutants of one provider."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from meta.mutation.mutant import mutants_of
from meta.mutation.sample import MutantSample
from meta.mutation.survivors import explanation_of
from meta.mutation.trial import MutantTrial

from freeride_conformance.rig import wait_until_closed
from freeride_conformance.subject import installed_provider
from freeride_core.plugins.discovery import load_plugins


@dataclass
class MutationTally:
    """Counts of one provider."""

    provider: str
    is_whole: bool
    """Whether each mutant was in the sample."""
    total: int = 0
    """In the sample."""
    killed: int = 0
    untried: int = 0
    """Of all: explained like another one that survived, and taken for survivors too."""
    left_out: int = 0
    """Not in the sample."""
    explained: set[str] = field(default_factory=set)
    """The patterns that explain a mutant, in the sample or outside of it."""
    seconds: float = 0.0
    survivors: dict[str, list[str]] = field(default_factory=dict)
    """Names, by the pattern that explains them; empty where none does."""
    outlived: dict[str, str] = field(default_factory=dict)
    """Mutants that are said to survive and were killed, with what killed them. A pattern may explain more than the mutants that
    survive, and a whole run begins with one of those; a sample may begin with any, so that nothing is said of it."""


def tally_of(name: str, sample: MutantSample, everything: bool) -> MutationTally:
    """Tries those mutants of an installed provider that are in the sample. Of those that one pattern explains only the first
    is tried, as each goes through the whole suite; unless `everything` is asked for."""
    subject = installed_provider(load_plugins(("provider",)), name)
    tally, trial, started = MutationTally(name, sample.every == 1), MutantTrial(subject), time.perf_counter()
    for mutant in mutants_of(subject):
        pattern = explanation_of(mutant.name)
        tally.explained.add(pattern)
        if not sample.has(mutant.name):
            tally.left_out += 1
            continue
        tally.total += 1
        if pattern and not everything and pattern in tally.survivors:
            tally.untried += 1
            continue
        killer = trial.killer_of(mutant.subject)
        if killer is None:
            tally.survivors.setdefault(pattern, []).append(mutant.name)
        else:
            tally.killed += 1
            if pattern and tally.is_whole:
                tally.outlived[mutant.name] = killer
    wait_until_closed()
    tally.seconds = time.perf_counter() - started
    return tally
