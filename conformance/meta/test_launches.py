"""What the suite makes of a launch that takes files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from freeride_binder_specimen import SpecimenBinder
from meta.specimens import binder, origin_of
from meta.test_meta import broken_rules

from freeride_conformance.rig import wait_until_closed
from freeride_conformance.rules import BINDER_RULES
from freeride_core import Endpoint, Launch
from freeride_core.binder import FILES


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    """No gateway of a rule's is left."""
    yield
    wait_until_closed()


class Filing(SpecimenBinder):
    """Starts an agent by a file."""

    def __init__(self, name: str = "settings", argument: str = f"--settings={FILES}/settings") -> None:
        self.file = name
        self.argument = argument

    def launch(self, endpoint: Endpoint) -> Launch | None:
        files = {self.file: self.edit(None, endpoint)} if self.file else {}
        # Where there is no file, what it would say.
        told = {} if files else {"SPECIMEN": f"{endpoint.root} {endpoint.key} {endpoint.model}"}
        return Launch(program="specimen", environment=told, arguments=(self.argument,), files=files)


def found(own: Filing, folder: Path) -> dict[str, str]:
    """Each broken rule with what was found."""
    broken = broken_rules(binder(origin_of("binder", folder), own), BINDER_RULES)
    return {name: each.found for name, each in broken.items()}


def test_an_agent_may_be_started_by_a_file(tmp_path: Path) -> None:
    assert found(Filing(), tmp_path) == {}


@pytest.mark.parametrize(
    ("own", "words"),
    [
        pytest.param(Filing(name="../settings"), "is no plain name of a file", id="elsewhere"),
        pytest.param(Filing(name="a\\settings"), "is no plain name of a file", id="elsewhere-on-windows"),
        pytest.param(Filing(name=""), "it says '{files}' and has no file", id="none"),
        pytest.param(
            Filing(argument="--settings=settings"),
            "no variable or argument tells the agent where 'settings' is",
            id="untold",
        ),
    ],
)
def test_it_is_told_where_its_files_are(own: Filing, words: str, tmp_path: Path) -> None:
    said = found(own, tmp_path)
    assert set(said) == {"starts_it_bound"}
    assert words in said["starts_it_bound"]
