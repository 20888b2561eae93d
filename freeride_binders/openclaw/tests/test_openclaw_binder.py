"""What the binder makes of OpenClaw's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_openclaw import freeride_register_binder
from freeride_core import Endpoint, Launch, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.openclaw/openclaw.json")
    assert BINDER.scopes == (Place.HOME,)


def test_a_model_by_its_name_alone_stays_one() -> None:
    edited = BINDER.edit('{"agents": {"defaults": {"model": "other/large"}}}', ENDPOINT)
    assert JsonDocument(edited).get(["agents", "defaults", "model"]) == "freeride/auto"
    assert BINDER.models(edited, ENDPOINT) == ("auto",)


def test_an_id_with_slashes_is_the_gateways_own() -> None:
    endpoint = Endpoint(ENDPOINT.root, model="openai/gpt-oss-120b")
    edited = BINDER.edit(BINDER.edit(None, ENDPOINT), endpoint)
    document = JsonDocument(edited)
    entries = document.get(["models", "providers", "freeride", "models"])
    assert isinstance(entries, list)
    assert [entry["id"] for entry in entries] == ["auto", "openai/gpt-oss-120b"]
    assert document.get(["agents", "defaults", "model", "primary"]) == "freeride/openai/gpt-oss-120b"
    assert BINDER.models(edited, endpoint) == ("openai/gpt-oss-120b",)


def test_a_list_of_what_may_be_used_is_not_made_where_there_is_none() -> None:
    for text in (None, "{agents: {defaults: {models: {}}}}"):
        assert not JsonDocument(BINDER.edit(text, ENDPOINT)).get(["agents", "defaults", "models"])


def test_one_process_reads_another_configuration() -> None:
    assert BINDER.launch(ENDPOINT) == Launch(
        program="openclaw",
        environment={"OPENCLAW_CONFIG_PATH": "{files}/openclaw.json"},
        files={"openclaw.json": BINDER.edit(None, ENDPOINT)},
    )
