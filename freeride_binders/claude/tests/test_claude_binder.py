"""What the binder makes of Claude Code's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_claude import freeride_register_binder
from freeride_core import ClientProtocol, Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.claude/settings.json")
    assert BINDER.scopes == (Place.HOME,)


def test_it_waits_for_a_gateway_that_speaks_its_protocol() -> None:
    assert BINDER.needs is ClientProtocol.MESSAGES


def test_the_address_has_no_version_in_it() -> None:
    assert JsonDocument(BINDER.edit(None, ENDPOINT)).get(["env", "ANTHROPIC_BASE_URL"]) == ENDPOINT.root
