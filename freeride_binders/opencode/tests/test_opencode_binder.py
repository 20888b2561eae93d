"""What the binder makes of OpenCode's configuration."""

from __future__ import annotations

from pathlib import Path

from freeride_binder_opencode import freeride_register_binder
from freeride_core import Endpoint, Launch
from freeride_core.binder import Scope
from freeride_core.json_text import JsonText

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")


def test_it_edits_the_file_of_the_home_folder_or_the_project_under_either_name() -> None:
    home, cwd = Path("/h"), Path("/p")
    assert BINDER.path(Scope.HOME, home, cwd) == Path("/h/.config/opencode/opencode.json")
    assert BINDER.other_paths(Scope.HOME, home, cwd) == (Path("/h/.config/opencode/opencode.jsonc"),)
    assert BINDER.path(Scope.PROJECT, home, cwd) == Path("/p/opencode.json")


def test_limits_that_the_user_has_changed_stay() -> None:
    changed = BINDER.edit(None, ENDPOINT).replace("8192", "4096")
    assert BINDER.edit(changed, ENDPOINT) == changed


def test_an_id_with_slashes_is_the_gateways_own() -> None:
    endpoint = Endpoint(ENDPOINT.root, model="freeride/coding")
    document = JsonText(BINDER.edit(None, endpoint))
    assert document.get(["model"]) == "freeride/freeride/coding"
    assert BINDER.models(document.text, endpoint) == ("freeride/coding", "freeride/fast")
    assert document.get(["provider", "freeride", "models", "freeride/coding", "limit"]) == {
        "context": 128_000,
        "output": 8192,
    }


def test_one_process_is_told_the_same_by_a_variable() -> None:
    assert BINDER.launch(ENDPOINT) == Launch(
        program="opencode", environment={"OPENCODE_CONFIG_CONTENT": BINDER.edit(None, ENDPOINT)}
    )
