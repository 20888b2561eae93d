"""What the binder makes of Gemini CLI's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_gemini import freeride_register_binder
from freeride_core import ClientProtocol, Endpoint, Place

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.gemini/.env")
    assert BINDER.scopes == (Place.HOME,)


def test_it_waits_for_a_gateway_that_speaks_its_protocol() -> None:
    assert BINDER.needs is ClientProtocol.GENERATE_CONTENT


def test_the_name_that_the_agent_keeps_for_itself_is_not_written() -> None:
    assert "GEMINI_MODEL=freeride/auto\n" in BINDER.edit(None, ENDPOINT)
    assert "GEMINI_MODEL=freeride/fast\n" in BINDER.edit(None, Endpoint(ENDPOINT.root, model="freeride/fast"))
