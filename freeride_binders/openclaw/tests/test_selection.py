"""What is read from OpenClaw's configuration, and what a choice makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from freeride_binder_openclaw.selection import DIRECT, Chooser, read_selection
from freeride_core import Endpoint, Unreadable
from freeride_core.binding.backups import Backups
from freeride_core.binding.change import plan_binding
from freeride_core.editing import JsonDocument
from openclaw import OWN

GATEWAY = Endpoint("http://127.0.0.1:11343")
ROUTER = "openrouter/openrouter/free"


def direct(ref: str) -> Endpoint:
    return Endpoint(DIRECT, model=ref)


def chosen(text: str | None, endpoint: Endpoint | None, *fallbacks: str, with_profile: bool = False) -> str:
    chooser = Chooser(endpoint, read_selection(text), fallbacks=fallbacks or None, with_profile=with_profile)
    edited = chooser.edit(text, chooser.endpoint)
    again = Chooser(endpoint, read_selection(edited), fallbacks=fallbacks or None, with_profile=with_profile)
    assert again.edit(edited, chooser.endpoint) == edited
    return edited


def test_comments_order_and_trailing_commas_stay() -> None:
    expected = OWN.replace("other/large", "openrouter/a/b:free").replace("other/small", ROUTER)
    assert chosen(OWN, direct("openrouter/a/b:free"), ROUTER) == expected


def test_a_longer_list_of_fallbacks_grows_and_a_shorter_one_shrinks_in_place() -> None:
    longer = chosen(OWN, None, ROUTER, "openrouter/a/b:free")
    assert longer == OWN.replace(
        "'other/small', // as well\n", f"'{ROUTER}', // as well\n          \"openrouter/a/b:free\",\n"
    )
    assert chosen(longer, None, ROUTER) == OWN.replace("other/small", ROUTER)


def test_a_model_that_is_named_alone_makes_room_for_fallbacks_that_there_are() -> None:
    bare = "{agents: {defaults: {model: 'other/large', workspace: '~'}}}"
    assert chosen(bare, direct("openrouter/a/b:free")) == bare.replace("other/large", "openrouter/a/b:free")
    with_fallbacks = read_selection(chosen(bare, None, ROUTER))
    assert (with_fallbacks.primary, with_fallbacks.fallbacks) == ("other/large", (ROUTER,))


def test_what_is_said_behind_a_model_by_its_name_alone_stays_there() -> None:
    own = "{\n  agents: {\n    defaults: {\n      model: 'other/large', // paid\n    },\n  },\n}\n"
    before, after = own.split("'other/large'")
    edited = chosen(own, direct("openrouter/a/b:free"), ROUTER)
    model = f"""{{
        "primary": 'openrouter/a/b:free',
        "fallbacks": ["{ROUTER}"]
      }}"""
    assert edited == before + model + after


def test_a_list_of_what_may_be_used_is_filled_and_never_begun() -> None:
    assert "models:" not in chosen(OWN, direct("openrouter/a/b:free"), ROUTER)
    listed = "{agents: {defaults: {models: {'other/large': {}}}}}"
    edited = chosen(listed, direct("openrouter/a/b:free"), ROUTER)
    assert "models: {'other/large': {}, \"openrouter/a/b:free\": {}, " in edited
    assert f'"{ROUTER}": {{}}' in edited


def test_the_profile_is_added_where_it_is_missing() -> None:
    added = chosen("{}", None, with_profile=True)
    assert read_selection(added).has_profile
    own = "{auth: {profiles: {'openrouter:default': {provider: 'openrouter', mode: 'oauth'}}}}"
    assert chosen(own, None, with_profile=True) == own


def test_without_a_file_one_is_made() -> None:
    selection = read_selection(chosen(None, direct("openrouter/a/b:free"), ROUTER))
    assert (selection.primary, selection.fallbacks) == ("openrouter/a/b:free", (ROUTER,))
    assert (selection.direct_id, selection.via_gateway) == ("a/b:free", False)


def test_the_gateway_is_chosen_as_the_binder_binds_it() -> None:
    selection = read_selection(chosen(OWN, GATEWAY))
    assert (selection.via_gateway, selection.gateway, selection.primary) == (True, GATEWAY.root, "freeride/auto")
    assert selection.fallbacks == ("other/small",)
    assert selection.endpoint == GATEWAY


@pytest.mark.parametrize("text", ["{agents: {defaults: {model: {fallbacks: 'x'}}}}", "{agents: 1}", "{", "[]"])
def test_what_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        chosen(text, direct("openrouter/a/b:free"), ROUTER)


class TestUndo:
    def write(self, home: Path, path: Path, endpoint: Endpoint | None, *fallbacks: str) -> None:
        chooser = Chooser(endpoint, read_selection(path.read_text(encoding="utf-8")), fallbacks=fallbacks or None)
        Backups(home).apply(plan_binding(chooser, chooser.endpoint, path), chooser, chooser.endpoint)

    def test_after_several_choices_the_bytes_from_before_the_first_come_back(self, tmp_path: Path) -> None:
        path = tmp_path / "openclaw.json"
        path.write_text(OWN)
        self.write(tmp_path, path, GATEWAY)
        self.write(tmp_path, path, direct("openrouter/a/b:free"), ROUTER)
        self.write(tmp_path, path, None, ROUTER, "openrouter/c/d:free")
        self.write(tmp_path, path, direct("openrouter/c/d:free"), ROUTER)
        backups = Backups(tmp_path)
        backups.undo(backups.plan_undo(path, force=False))
        assert path.read_text() == OWN

    def test_what_others_wrote_in_between_is_not_lost(self, tmp_path: Path) -> None:
        path = tmp_path / "openclaw.json"
        path.write_text(OWN)
        self.write(tmp_path, path, direct("openrouter/a/b:free"), ROUTER)
        path.write_text(path.read_text().replace("18789", "18790"))
        self.write(tmp_path, path, direct("openrouter/c/d:free"), ROUTER, "openrouter/a/b:free")
        backups = Backups(tmp_path)
        backups.undo(backups.plan_undo(path, force=False))
        document, before = JsonDocument(path.read_text()), JsonDocument(OWN.replace("18789", "18790"))
        assert document.get([]) == before.get([])
