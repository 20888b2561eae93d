"""What the suite makes of the variables that move an agent's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from freeride_binder_specimen import SpecimenBinder
from meta.specimens import binder, origin_of
from meta.test_meta import broken_rules

from freeride_conformance.rules import BINDER_RULES

RULE = tuple(rule for rule in BINDER_RULES if rule.name == "stays_in_its_place")


def found(variable: str, place: str, folder: Path) -> list[str]:
    own = SpecimenBinder()
    own.moved_by = ((variable, place),)
    return [each.found for each in broken_rules(binder(origin_of("binder", folder), own), RULE).values()]


@pytest.mark.parametrize("place", [".specimen", "."])
def test_a_variable_may_replace_the_file_or_the_home_folder(place: str, tmp_path: Path) -> None:
    assert found("SPECIMEN_CONFIG", place, tmp_path) == []


@pytest.mark.parametrize("place", [".elsewhere", "", "/a", "./.specimen"])
def test_what_it_replaces_is_a_part_of_the_path(place: str, tmp_path: Path) -> None:
    (said,) = found("SPECIMEN_CONFIG", place, tmp_path)
    assert f"SPECIMEN_CONFIG replaces {place!r}" in said


def test_it_is_a_variable(tmp_path: Path) -> None:
    (said,) = found("$SPECIMEN_CONFIG", ".specimen", tmp_path)
    assert "no name of a variable" in said
