"""What the binder makes of Cline CLI's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_cline import freeride_register_binder
from freeride_core import Endpoint, Launch, Place

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.cline/data/settings/providers.json")
    assert BINDER.scopes == (Place.HOME,)


def test_the_same_binding_gives_the_same_bytes() -> None:
    assert BINDER.edit(None, ENDPOINT) == BINDER.edit(None, ENDPOINT)


def test_it_asks_for_nothing_where_another_provider_is_used() -> None:
    text = BINDER.edit(None, ENDPOINT).replace('"lastUsedProvider": "openai-compatible"', '"lastUsedProvider": "other"')
    assert BINDER.models(text, ENDPOINT) == ()


def test_one_process_reads_another_file_of_providers() -> None:
    assert BINDER.launch(ENDPOINT) == Launch(
        program="cline",
        environment={"CLINE_PROVIDER_SETTINGS_PATH": "{files}/providers.json"},
        files={"providers.json": BINDER.edit(None, ENDPOINT)},
    )
