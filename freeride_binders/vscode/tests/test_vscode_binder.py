"""What the suite cannot know of VS Code."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_binder_vscode import VsCodeBinder
from freeride_core import Endpoint, Place, Unreadable
from freeride_core.editing import JsonDocument

BINDER = VsCodeBinder("linux")
HOME = Path("/h")


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".config"), ("darwin", "Library/Application Support"), ("win32", "AppData/Roaming")],
)
def test_each_system_keeps_the_file_in_its_own_place(platform: str, folder: str) -> None:
    binder = VsCodeBinder(platform)
    assert binder.path(Place.HOME, HOME, HOME) == HOME / folder / "Code" / "User" / "chatLanguageModels.json"
    others = [path.parts[-3] for path in binder.other_paths(Place.HOME, HOME, HOME)]
    assert others == ["Code - Insiders", "VSCodium"]


def test_every_model_of_the_entry_follows_the_gateway() -> None:
    endpoint = Endpoint("http://127.0.0.1:9", model="freeride/fast")
    document = JsonDocument(BINDER.edit(BINDER.edit(None, Endpoint("http://127.0.0.1:11343")), endpoint))
    models = document.get([0, "models"])
    assert isinstance(models, list)
    assert [(each["id"], each["url"]) for each in models] == [
        ("auto", "http://127.0.0.1:9/v1/chat/completions"),
        ("freeride/fast", "http://127.0.0.1:9/v1/chat/completions"),
    ]


def test_an_object_is_not_a_list_of_providers() -> None:
    with pytest.raises(Unreadable, match=r"a list is expected here, as in \[ \.\.\. \]"):
        BINDER.edit("{}", Endpoint("http://127.0.0.1:11343"))
