"""What the binder makes of Mistral Vibe's configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from freeride_binder_vibe import freeride_register_binder
from freeride_core import Endpoint, Place, Unreadable

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.vibe/config.toml")
    assert BINDER.scopes == (Place.HOME,)


def test_line_ends_stay() -> None:
    edited = BINDER.edit("# mine\r\n[tools.bash]\r\npermission = 'ask'\r\n", ENDPOINT)
    assert edited.count("\n") == edited.count("\r\n") > 12
    assert "[tools.bash]\r\npermission = 'ask'\r\n" in edited


def test_a_last_line_without_an_end_gets_one() -> None:
    edited = BINDER.edit('[[models]]\nname = "mine"', ENDPOINT)
    assert '[[models]]\nname = "mine"\n\n[[models]]\n' in edited
    assert BINDER.models(edited, ENDPOINT) == ("auto",)


def test_what_can_be_edited_can_be_read() -> None:
    assert "api_base" in BINDER.edit("\r", ENDPOINT)
    assert BINDER.models("\r", ENDPOINT) == ()


def test_its_own_entries_are_found_again_and_what_the_user_added_to_them_stays() -> None:
    own = BINDER.edit(None, ENDPOINT).replace("96000", "50000").replace("{Auth", '{X-Mine = "1", Auth')
    edited = tomllib.loads(BINDER.edit(own, Endpoint("http://127.0.0.1:9", key="another-key", model="freeride/fast")))
    (provider,), (model,) = edited["providers"], edited["models"]
    assert provider["api_base"] == "http://127.0.0.1:9/v1"
    assert provider["extra_headers"] == {"X-Mine": "1", "Authorization": "Bearer another-key"}
    assert (model["name"], model["auto_compact_threshold"]) == ("freeride/fast", 50_000)


def test_headers_that_are_a_table_of_their_own_are_edited_there() -> None:
    own = BINDER.edit(None, ENDPOINT)
    line = 'extra_headers = {Authorization = "Bearer freeride-local"}\n'
    assert line in own
    table = '[providers.extra_headers]\nX-Mine = "1"\n'
    edited = BINDER.edit(own.replace(line, table), ENDPOINT)
    assert table + 'Authorization = "Bearer freeride-local"\n' in edited


def test_headers_that_are_no_table_are_refused() -> None:
    with pytest.raises(Unreadable, match=r"`providers\.0\.extra_headers` is not a table"):
        BINDER.edit('[[providers]]\nname = "freeride"\nextra_headers = "X-Mine: 1"\n', ENDPOINT)


def test_it_asks_for_nothing_where_another_model_is_chosen() -> None:
    edited = BINDER.edit(None, ENDPOINT)
    assert BINDER.models(edited, ENDPOINT) == ("auto",)
    assert BINDER.models(edited.replace('active_model = "freeride"', 'active_model = "large"'), ENDPOINT) == ()
    assert BINDER.models(edited.replace('provider = "freeride"', 'provider = "other"'), ENDPOINT) == ()


def test_what_it_refuses_is_told_in_one_line() -> None:
    with pytest.raises(Unreadable) as refused:
        BINDER.edit("mod\tl: g\n", ENDPOINT)
    assert str(refused.value).isprintable()


def test_what_is_said_above_a_table_stays_above_it() -> None:
    own = """theme = "dark"

# about providers
[[providers]]
name = "mistral"

# about models
[[models]]
name = "large"
# about tools
[tools.bash]
permission = "ask"
"""
    lines = BINDER.edit(own, ENDPOINT).splitlines()
    for comment, table in (("providers", "[[providers]]"), ("models", "[[models]]"), ("tools", "[tools.bash]")):
        at = lines.index(f"# about {comment}")
        assert lines[at + 1] == table
        assert not lines[at - 1].startswith("[")
    assert lines.index('active_model = "freeride"') == 1
