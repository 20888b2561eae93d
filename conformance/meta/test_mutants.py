"""Mutants of the shipped providers: the suite notices nearly every one, and why it does not notice the others is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from meta.mutation.background import wait_for_tally
from meta.mutation.mutant import mutants_of
from meta.mutation.survivors import SURVIVORS
from meta.mutation.tally import MutationTally

from freeride_conformance.subject import installed_provider
from freeride_core.plugins.discovery import load_plugins

TALLIES: dict[str, MutationTally] = {}
"""By provider."""
NAMES = ("openrouter", "cloudflare", "groq", "nvidia", "huggingface")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_the_suite_kills_every_mutant_but_those_that_are_explained(name: str, tallies: Path) -> None:
    tally = TALLIES[name] = wait_for_tally(tallies, name)
    assert not tally.survivors.get("", []), "no rule kills these, and nothing says why"
    assert not tally.outlived, "these are said to survive, and are killed"
    assert tally.killed > (0.75 if tally.is_whole else 0.4) * tally.total, "a small sample may be an unlucky one"


def test_every_explanation_explains_something() -> None:
    if len(TALLIES) < len(NAMES):
        pytest.skip("not every provider was mutated in this run")
    used = {pattern for tally in TALLIES.values() for pattern in tally.explained}
    assert not SURVIVORS.keys() - used, "nothing has these names any more"


@pytest.mark.parametrize("name", NAMES)
def test_mutants_have_names_of_their_own(name: str) -> None:
    subject = installed_provider(load_plugins(("provider",)), name)
    names = [mutant.name for mutant in mutants_of(subject)]
    assert len(names) == len(set(names))
    assert len(names) > 100
