"""What the binder makes of Qwen Code's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_qwen import freeride_register_binder
from freeride_core import Endpoint, Launch
from freeride_core.binder import Scope
from freeride_core.json_text import JsonText

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Scope.HOME, Path("/h"), Path("/p")) == Path("/h/.qwen/settings.json")
    assert BINDER.scopes == (Scope.HOME,)


def test_its_own_entry_is_found_again() -> None:
    edited = BINDER.edit(BINDER.edit(None, ENDPOINT), Endpoint("http://127.0.0.1:9", model="freeride/coding"))
    entries = JsonText(edited).get(["modelProviders", "openai"])
    assert isinstance(entries, list)
    assert [(entry["id"], entry["baseUrl"]) for entry in entries] == [("freeride/coding", "http://127.0.0.1:9/v1")]


def test_it_asks_for_nothing_where_another_model_is_chosen() -> None:
    edited = BINDER.edit(None, ENDPOINT)
    assert BINDER.models(edited, ENDPOINT) == ("auto",)
    assert (
        BINDER.models(edited.replace('"model": {\n    "name": "auto"', '"model": {\n    "name": "mine"'), ENDPOINT)
        == ()
    )


def test_one_process_is_told_by_arguments_and_its_key_by_a_variable() -> None:
    assert BINDER.launch(ENDPOINT) == Launch(
        program="qwen",
        environment={"OPENAI_API_KEY": "freeride-local"},
        arguments=("--auth-type", "openai", "--openai-base-url", "http://127.0.0.1:11343/v1", "--model", "auto"),
    )
