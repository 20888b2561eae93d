"""What the binder makes of Kilo CLI's configuration, where that differs from OpenCode's."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_kilo import freeride_register_binder
from freeride_core import Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder_or_the_project_under_either_name() -> None:
    home, cwd = Path("/h"), Path("/p")
    assert BINDER.path(Place.HOME, home, cwd) == Path("/h/.config/kilo/kilo.json")
    assert BINDER.other_paths(Place.HOME, home, cwd) == (Path("/h/.config/kilo/kilo.jsonc"),)
    assert BINDER.path(Place.PROJECT, home, cwd) == Path("/p/kilo.json")


def test_one_process_is_told_by_its_own_variable_and_its_own_agents() -> None:
    launch = BINDER.launch(ENDPOINT)
    assert launch is not None
    assert (launch.program, [*launch.environment], launch.arguments) == ("kilo", ["KILO_CONFIG_CONTENT"], ())
    said = JsonDocument(launch.environment["KILO_CONFIG_CONTENT"])
    assert said.get(["$schema"]) == "https://app.kilo.ai/config.json"
    assert said.get(["agent"]) == {"code": {"model": "freeride/auto"}, "plan": {"model": "freeride/auto"}}
    assert launch.outranked_by == (".kilo/plugin", ".kilo/plugins")
