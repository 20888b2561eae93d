"""What the binder makes of Codex CLI's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_binder_codex import freeride_register_binder
from freeride_core import ClientProtocol, Endpoint, Place, Unreadable

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.codex/config.toml")
    assert BINDER.scopes == (Place.HOME,)


def test_it_waits_for_a_gateway_that_speaks_its_protocol() -> None:
    assert BINDER.needs is ClientProtocol.RESPONSES


def test_line_ends_stay() -> None:
    edited = BINDER.edit("# mine\r\n[tui]\r\nnotifications = true\r\n", ENDPOINT)
    assert edited.count("\n") == edited.count("\r\n") > 9
    assert "[tui]\r\nnotifications = true\r\n" in edited


def test_another_provider_is_left_alone() -> None:
    text = 'model_provider = "other"\n\n[model_providers.other]\nbase_url = "https://other.invalid/v1" # mine\n'
    assert BINDER.models(text, ENDPOINT) == ()
    edited = BINDER.edit(text, ENDPOINT)
    assert '[model_providers.other]\nbase_url = "https://other.invalid/v1" # mine\n' in edited
    assert BINDER.models(edited, ENDPOINT) == ("auto",)


def test_what_it_refuses_is_told_in_one_line() -> None:
    with pytest.raises(Unreadable) as refused:
        BINDER.edit("mod\tl: g\n", ENDPOINT)
    assert str(refused.value).isprintable()


def test_what_is_said_above_a_table_stays_above_it() -> None:
    own = """approval_policy = "never"

# about the provider
[model_providers.mine]
name = "Mine"

# about tools
[tools]
web_search = true
"""
    chosen = 'model = "auto"\nmodel_provider = "freeride"\nmodel_context_window = 128000\n'
    provider = """[model_providers.freeride]
name = "FreeRide"
base_url = "http://127.0.0.1:11343/v1"
wire_api = "responses"
experimental_bearer_token = "freeride-local"

"""
    edited = BINDER.edit(own, ENDPOINT)
    assert edited.replace(chosen, "").replace(provider, "") == own
    assert f'"never"\n{chosen}\n# about the provider\n' in edited
    assert f"{provider}# about tools\n[tools]\n" in edited


def test_providers_in_one_line_are_edited_there() -> None:
    edited = BINDER.edit("model_providers = {mine = {name = 'Mine'}} # all\n", ENDPOINT)
    assert edited.startswith("model_providers = {mine = {name = 'Mine'},")
    assert "}} # all\n" in edited
    assert BINDER.models(edited, ENDPOINT) == ("auto",)
    assert BINDER.edit(edited, ENDPOINT) == edited


@pytest.mark.parametrize("text", ["[[a]]\n[b]\n[[a]]\n", "model_providers.mine.name = 'Mine'\nmodel = 'large'\n"])
def test_what_cannot_be_edited_without_moving_lines_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        BINDER.edit(text, ENDPOINT)


@pytest.mark.parametrize(
    "text", ["model_providers = 1\n", "model_provider = 'freeride'\n[model_providers]\nfreeride = 'mine'\n"]
)
def test_a_provider_that_is_none_is_asked_for_nothing(text: str) -> None:
    assert BINDER.models(text, ENDPOINT) == ()
