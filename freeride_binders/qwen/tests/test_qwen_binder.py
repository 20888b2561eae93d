"""What the binder makes of Qwen Code's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_qwen import freeride_register_binder
from freeride_core import Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.qwen/settings.json")
    assert BINDER.scopes == (Place.HOME,)


def test_its_own_entry_is_found_again() -> None:
    edited = BINDER.edit(BINDER.edit(None, ENDPOINT), Endpoint("http://127.0.0.1:9", model="freeride/coding"))
    entries = JsonDocument(edited).get(["modelProviders", "openai"])
    assert isinstance(entries, list)
    assert [(entry["id"], entry["baseUrl"]) for entry in entries] == [("freeride/coding", "http://127.0.0.1:9/v1")]


def test_it_asks_for_nothing_where_another_model_is_chosen() -> None:
    edited = BINDER.edit(None, ENDPOINT)
    assert BINDER.models(edited, ENDPOINT) == ("auto",)
    assert (
        BINDER.models(edited.replace('"model": {\n    "name": "auto"', '"model": {\n    "name": "mine"'), ENDPOINT)
        == ()
    )


def test_a_launch_is_told_by_arguments_a_variable_and_the_system_s_settings() -> None:
    launch = BINDER.launch(ENDPOINT)
    assert launch is not None
    assert launch.environment == {
        "OPENAI_API_KEY": "freeride-local",
        "QWEN_CODE_SYSTEM_SETTINGS_PATH": "{files}/settings.json",
    }
    address = ("--openai-base-url", "http://127.0.0.1:11343/v1")
    assert launch.arguments == ("--auth-type", "openai", *address, "--model", "auto")
    settings = JsonDocument(launch.files["settings.json"])
    assert settings.get(["modelProviders", "openai"]) == [
        {"id": "auto", "name": "FreeRide", "baseUrl": "http://127.0.0.1:11343/v1", "envKey": "OPENAI_API_KEY"}
    ]
    assert settings.get(["model", "name"]) == "auto"
    assert settings.get(["security", "auth", "selectedType"]) == "openai"
