"""What the binder makes of Hermes Agent's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_binder_hermes import HermesBinder, freeride_register_binder
from freeride_core import Endpoint, Launch, Place

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


@pytest.mark.parametrize(("platform", "folder"), [("linux", ".hermes"), ("win32", "AppData/Local/hermes")])
def test_it_edits_the_file_of_the_home_folder(platform: str, folder: str) -> None:
    binder = HermesBinder(platform)
    assert binder.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h") / folder / "config.yaml"
    assert binder.moved_by[0] == ("HERMES_HOME", folder)
    assert [variable for variable, _ in binder.moved_by[1:]] == ["LOCALAPPDATA"] * (platform == "win32")
    assert BINDER.scopes == (Place.HOME,)


def test_what_it_drops_or_refuses_is_not_written() -> None:
    """A key of less than four characters, and a context below 64,000 tokens."""
    assert len(ENDPOINT.key) >= 4
    assert ENDPOINT.context >= 64_000
    assert "  context_length: 128000\n" in BINDER.edit(None, ENDPOINT)


def test_a_mapping_in_braces_stays_in_braces() -> None:
    edited = BINDER.edit("model: {default: mine, max_tokens: 100}\n", ENDPOINT)
    assert edited == (
        "model: {default: auto, max_tokens: 100, provider: custom, base_url: http://127.0.0.1:11343/v1, "
        "api_key: freeride-local, context_length: 128000}\n"
    )


def test_it_asks_for_nothing_where_it_points_elsewhere() -> None:
    assert BINDER.models("model:\n  default: mine\n  base_url: http://127.0.0.1:9/v1\n", ENDPOINT) == ()


def test_a_model_that_is_a_plain_value_or_missing_asks_nobody() -> None:
    assert BINDER.models("model: gpt-4o\n", ENDPOINT) == ()
    assert BINDER.models("", ENDPOINT) == ()


def test_one_process_asks_another_provider() -> None:
    assert BINDER.launch(ENDPOINT) == Launch(
        program="hermes",
        environment={"OPENAI_BASE_URL": "http://127.0.0.1:11343/v1", "OPENAI_API_KEY": "freeride-local"},
        arguments=("--provider", "openai-api", "--model", "auto"),
    )
