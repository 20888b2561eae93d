"""The part of a binder's README that is written by hand, held to what the binder states."""

from __future__ import annotations

import re

import pytest

from freeride_conformance.readme import MARKER
from freeride_core.plugins.discovery import load_plugins
from repository import ROOT

BINDERS = load_plugins(("binder",)).binders


def by_hand(name: str) -> str:
    _, marker, text = (ROOT / "freeride_binders" / name / "README.md").read_text("utf-8").partition(MARKER)
    assert marker
    return text


@pytest.mark.parametrize("name", BINDERS)
def test_a_variable_that_is_followed_is_not_called_ignored(name: str) -> None:
    for variable, _ in BINDERS[name].moved_by:
        sentences = [each for each in re.split(r"(?<=[.;:])\s", by_hand(name)) if variable in each]
        assert not [each for each in sentences if re.search(r"\b(not|never)\b", each)], variable


@pytest.mark.parametrize("name", BINDERS)
def test_an_undo_is_not_said_to_want_force(name: str) -> None:
    assert "--force" not in by_hand(name)
