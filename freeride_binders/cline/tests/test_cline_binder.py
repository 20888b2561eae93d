"""What the binder makes of Cline CLI's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_cline import freeride_register_binder
from freeride_core import Endpoint
from freeride_core.binder import Scope

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Scope.HOME, Path("/h"), Path("/p")) == Path("/h/.cline/data/settings/providers.json")
    assert BINDER.scopes == (Scope.HOME,)


def test_the_same_binding_gives_the_same_bytes() -> None:
    assert BINDER.edit(None, ENDPOINT) == BINDER.edit(None, ENDPOINT)


def test_it_asks_for_nothing_where_another_provider_is_used() -> None:
    text = BINDER.edit(None, ENDPOINT).replace('"lastUsedProvider": "openai-compatible"', '"lastUsedProvider": "other"')
    assert BINDER.models(text, ENDPOINT) == ()
