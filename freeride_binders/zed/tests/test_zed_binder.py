"""What the binder makes of Zed's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_binder_zed import ZedBinder, freeride_register_binder
from freeride_core import Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


@pytest.mark.parametrize(
    ("platform", "folder"), [("linux", ".config/zed"), ("darwin", ".config/zed"), ("win32", "AppData/Roaming/Zed")]
)
def test_it_edits_the_file_of_the_home_folder(platform: str, folder: str) -> None:
    assert ZedBinder(platform).path(Place.HOME, Path("/h"), Path("/p")) == Path("/h") / folder / "settings.json"
    assert BINDER.scopes == (Place.HOME,)


def test_where_settings_are_is_a_variables_business_on_linux_alone() -> None:
    assert [ZedBinder(platform).moved_by for platform in ("linux", "darwin", "win32")] == [
        (("XDG_CONFIG_HOME", ".config"),),
        (),
        (),
    ]


def test_the_key_stands_in_what_the_user_is_told_and_not_in_the_file() -> None:
    endpoint = Endpoint(ENDPOINT.root, key="another-key")
    assert "another-key" not in BINDER.edit(None, endpoint)
    assert "`FREERIDE_API_KEY=another-key zed`" in BINDER.advice(endpoint)


def test_limits_that_the_user_has_changed_stay() -> None:
    changed = BINDER.edit(None, ENDPOINT).replace("8192", "4096")
    assert BINDER.edit(changed, ENDPOINT) == changed


def test_another_model_gets_an_entry_of_its_own() -> None:
    endpoint = Endpoint(ENDPOINT.root, model="freeride/coding")
    document = JsonDocument(BINDER.edit(BINDER.edit(None, ENDPOINT), endpoint))
    entries = document.get(["language_models", "openai_compatible", "freeride", "available_models"])
    assert isinstance(entries, list)
    assert [entry["name"] for entry in entries] == ["auto", "freeride/coding"]
    assert BINDER.models(document.text, endpoint) == ("freeride/coding",)


def test_it_asks_for_nothing_where_another_provider_is_chosen() -> None:
    edited = BINDER.edit(None, ENDPOINT)
    assert BINDER.models(edited.replace('"provider": "freeride"', '"provider": "zed.dev"'), ENDPOINT) == ()
