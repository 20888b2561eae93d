"""What the binder makes of OpenCode's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_opencode import freeride_register_binder
from freeride_core import Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder_or_the_project_under_either_name() -> None:
    home, cwd = Path("/h"), Path("/p")
    assert BINDER.path(Place.HOME, home, cwd) == Path("/h/.config/opencode/opencode.json")
    assert BINDER.other_paths(Place.HOME, home, cwd) == (Path("/h/.config/opencode/opencode.jsonc"),)
    assert BINDER.path(Place.PROJECT, home, cwd) == Path("/p/opencode.json")


def test_limits_that_the_user_has_changed_stay() -> None:
    changed = BINDER.edit(None, ENDPOINT).replace("8192", "4096")
    assert BINDER.edit(changed, ENDPOINT) == changed


def test_an_id_with_slashes_is_the_gateways_own() -> None:
    endpoint = Endpoint(ENDPOINT.root, model="freeride/coding")
    document = JsonDocument(BINDER.edit(None, endpoint))
    assert document.get(["model"]) == "freeride/freeride/coding"
    assert BINDER.models(document.text, endpoint) == ("freeride/coding", "freeride/fast")
    assert document.get(["provider", "freeride", "models", "freeride/coding", "limit"]) == {
        "context": 128_000,
        "output": 8192,
    }


def test_one_process_is_told_the_same_by_a_variable_and_has_no_other_provider() -> None:
    """A project's file may add a provider, and name its models for agents that are there already."""
    launch = BINDER.launch(ENDPOINT)
    assert launch is not None
    assert (launch.program, [*launch.environment], launch.arguments) == ("opencode", ["OPENCODE_CONFIG_CONTENT"], ())
    said = JsonDocument(launch.environment["OPENCODE_CONFIG_CONTENT"])
    for path in (["model"], ["small_model"], ["provider"]):
        assert said.get(path) == JsonDocument(BINDER.edit(None, ENDPOINT)).get(path)
    assert (said.get(["enabled_providers"]), said.get(["disabled_providers"])) == (["freeride"], [])
    assert said.get(["agent", "build"]) == {"model": "freeride/auto"}
    assert launch.outranked_by == (".opencode/plugin", ".opencode/plugins")
