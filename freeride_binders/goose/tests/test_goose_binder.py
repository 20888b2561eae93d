"""What the binder makes of Goose's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_binder_goose import GooseBinder, freeride_register_binder
from freeride_core import Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".config/goose"), ("darwin", ".config/goose"), ("win32", "AppData/Roaming/Block/goose/config")],
)
def test_it_writes_a_file_of_its_own_in_the_home_folder(platform: str, folder: str) -> None:
    binder = GooseBinder(platform)
    path = binder.path(Place.HOME, Path("/h"), Path("/p"))
    assert [variable for variable, _ in binder.moved_by] == ["APPDATA" if platform == "win32" else "XDG_CONFIG_HOME"]
    assert path == Path("/h") / folder / "custom_providers" / "freeride.json"
    assert BINDER.scopes == (Place.HOME,)


def test_its_name_is_the_one_by_which_goose_finds_the_file() -> None:
    name = JsonDocument(BINDER.edit('{"name": "custom_mine"}', ENDPOINT)).get(["name"])
    assert name == BINDER.path(Place.HOME, Path("/h"), Path("/p")).stem


def test_the_users_own_models_stay_and_are_asked_for_too() -> None:
    edited = BINDER.edit('{"models": [{"name": "groq/mine", "context_limit": 1}]}', ENDPOINT)
    assert BINDER.models(edited, ENDPOINT) == ("groq/mine", "auto")


def test_it_tells_how_goose_is_started_with_the_model_that_it_was_bound_with() -> None:
    endpoint = Endpoint(ENDPOINT.root, model="freeride/coding")
    assert "`GOOSE_PROVIDER=freeride GOOSE_MODEL=freeride/coding goose session`" in BINDER.advice(endpoint)
