"""What the binder makes of Claude Code's configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from freeride_binder_claude import freeride_register_binder
from freeride_core import ClientProtocol, Endpoint, Place
from freeride_core.editing import JsonDocument

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.claude/settings.json")
    assert BINDER.scopes == (Place.HOME,)


def test_it_speaks_the_messages_api() -> None:
    assert BINDER.needs is ClientProtocol.MESSAGES


def test_a_run_outranks_the_users_own_settings() -> None:
    launch = BINDER.launch(ENDPOINT)
    assert launch is not None
    env = json.loads(launch.files["settings.json"])["env"]
    assert env["ANTHROPIC_BASE_URL"] == ENDPOINT.root
    assert env["CLAUDE_CODE_USE_BEDROCK"] == "0", "a cloud of the user's settings would get everything"
    assert env["ANTHROPIC_API_KEY"] == "", "a key of the user's own stays here"
    assert launch.arguments == ("--settings", "{files}/settings.json")


def test_the_address_has_no_version_in_it() -> None:
    assert JsonDocument(BINDER.edit(None, ENDPOINT)).get(["env", "ANTHROPIC_BASE_URL"]) == ENDPOINT.root


def test_the_agent_is_told_how_much_a_model_holds() -> None:
    """It takes an unknown model's window for a million tokens, and would shorten a conversation too late."""
    endpoint = replace(ENDPOINT, context=65_536, max_output=4096)
    launch = BINDER.launch(endpoint)
    assert launch is not None
    for text in (BINDER.edit(None, endpoint), launch.files["settings.json"]):
        env = json.loads(text)["env"]
        assert env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "65536"
        assert env["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "4096"
