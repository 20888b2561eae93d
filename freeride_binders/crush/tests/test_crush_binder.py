"""What the binder makes of Crush's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_crush import freeride_register_binder
from freeride_core import Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder_or_the_project_under_either_name() -> None:
    home, cwd = Path("/h"), Path("/p")
    assert BINDER.path(Place.HOME, home, cwd) == Path("/h/.config/crush/crush.json")
    assert BINDER.other_paths(Place.HOME, home, cwd) == ()
    assert BINDER.path(Place.PROJECT, home, cwd) == Path("/p/crush.json")
    assert BINDER.other_paths(Place.PROJECT, home, cwd) == (Path("/p/.crush.json"),)


def test_limits_that_the_user_has_changed_stay() -> None:
    changed = BINDER.edit(None, ENDPOINT).replace("8192", "4096")
    assert BINDER.edit(changed, ENDPOINT) == changed


def test_another_model_gets_an_entry_of_its_own() -> None:
    endpoint = Endpoint(ENDPOINT.root, model="freeride/coding")
    document = JsonDocument(BINDER.edit(BINDER.edit(None, ENDPOINT), endpoint))
    entries = document.get(["providers", "freeride", "models"])
    assert isinstance(entries, list)
    assert [entry["id"] for entry in entries] == ["auto", "freeride/fast", "freeride/coding"]
    assert BINDER.models(document.text, endpoint) == ("freeride/coding", "freeride/fast")


def test_what_is_chosen_of_another_provider_does_not_count() -> None:
    edited = BINDER.edit(None, ENDPOINT)
    small = '"provider": "freeride",\n      "model": "freeride/fast"'
    assert small in edited
    assert BINDER.models(edited.replace(small, small.replace('"freeride"', '"other"')), ENDPOINT) == ("auto",)
