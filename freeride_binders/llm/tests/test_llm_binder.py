"""What the binder makes of LLM's list of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_binder_llm import LlmBinder, freeride_register_binder
from freeride_core import Endpoint, Place, Unreadable
from freeride_core.editing import YamlDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")
OURS = BINDER.edit(None, ENDPOINT)


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".config"), ("darwin", "Library/Application Support"), ("win32", "AppData/Roaming")],
)
def test_it_edits_the_file_where_the_system_keeps_settings(platform: str, folder: str) -> None:
    path = LlmBinder(platform).path(Place.HOME, Path("/h"), Path("/p"))
    assert path == Path("/h") / folder / "io.datasette.llm" / "extra-openai-models.yaml"


@pytest.mark.parametrize(
    ("platform", "system"), [("linux", ["XDG_CONFIG_HOME"]), ("darwin", []), ("win32", ["APPDATA"])]
)
def test_its_own_variable_comes_before_the_systems(platform: str, system: list[str]) -> None:
    assert [variable for variable, _ in LlmBinder(platform).moved_by] == ["LLM_USER_PATH", *system]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", OURS),
        ("# mine\n", "# mine\n" + OURS),
        ("---\n", "---\n" + OURS),
        ("- {model_id: mine}\n", "- {model_id: mine}\n" + OURS),
        ("-   model_id: mine\n", "-   model_id: mine\n" + OURS.replace("\n  ", "\n    ").replace("- ", "-   ")),
        ("- model_id: mine", "- model_id: mine\n" + OURS.removesuffix("\n")),
    ],
)
def test_a_new_entry_stands_at_the_end_as_the_others_are_written(before: str, after: str) -> None:
    assert BINDER.edit(before, ENDPOINT) == after


@pytest.mark.parametrize("before", ["[]\n", "[{model_id: mine}]\n", "[{model_id: freeride, headers: {}}] # all\n"])
def test_a_list_in_brackets_stays_one(before: str) -> None:
    edited = BINDER.edit(before, ENDPOINT)
    assert edited.startswith("[{model_id: ")
    assert edited.count("\n") == 1
    assert BINDER.models(edited, ENDPOINT) == ("auto",)


def test_its_own_entry_follows_the_gateway_and_keeps_what_the_user_added() -> None:
    own = OURS.replace("{Auth", '{X-Mine: "1", Auth').replace("supports_schema: true", "aliases: [fr]")
    edited = BINDER.edit(own, Endpoint("http://127.0.0.1:9", key="another-key", model="freeride/fast"))
    document = YamlDocument(edited)
    assert document.get([0, "api_base"]) == "http://127.0.0.1:9/v1"
    assert document.get([0, "model_name"]) == "freeride/fast"
    assert document.get([0, "headers", "Authorization"]) == "Bearer another-key"
    assert document.get([0, "headers", "X-Mine"]) == "1"
    assert "supports_schema" not in edited


def test_headers_that_are_no_mapping_are_refused_with_their_place() -> None:
    with pytest.raises(Unreadable, match=r"line 2, column 12: `0\.headers` is not a mapping of its own"):
        BINDER.edit("- model_id: freeride\n  headers: mine\n", ENDPOINT)
