"""An undo takes back what the binding wrote, member by member, and leaves what others have written since."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from freeride_core import Binder, Endpoint, Place
from freeride_core.binding.members import MemberChange, changes_between, merge, parse_changes, take_back, write_changes
from freeride_core.cli.group import app
from freeride_core.editing import Document, JsonDocument, YamlDocument, open_document
from freeride_core.plugins.discovery import load_plugins

BINDERS = load_plugins(("binder",)).binders
HERE, THERE = Endpoint("http://127.0.0.1:11343"), Endpoint("http://127.0.0.1:9", "another-key", "freeride/coding")


def bind(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bind", *arguments])


@pytest.fixture
def home() -> Path:
    return Path(os.environ["HOME"])


def opened(binder: Binder, text: str) -> Document:
    document = open_document(binder.path(Place.HOME, Path("/h"), Path("/h")).name, text)
    assert document is not None
    return document


EXTRA: dict[str, str] = {
    ".json": '{"mine": {"of": "me"}}',
    ".yaml": "mine:\n  of: me\n",
    ".yml": "mine:\n  of: me\n",
    ".toml": '[mine]\nof = "me"\n',
    ".env": "MINE=me\n",
}

LISTS = {"llm": "- model_id: mine\n  model_name: m\n", "vscode": '[{ "name": "mine" }]\n'}


def foreign(binder: Binder) -> str:
    """A configuration with one setting that is not the binder's."""
    path = binder.path(Place.HOME, Path("/h"), Path("/h"))
    return LISTS.get(binder.name) or EXTRA[path.suffix or path.name]


@pytest.mark.parametrize("is_new", [True, False], ids=["new file", "own file"])
@pytest.mark.parametrize("endpoints", [[HERE], [HERE, THERE]], ids=["bound once", "bound twice"])
@pytest.mark.parametrize("name", [name for name, binder in BINDERS.items() if binder.scopes])
def test_every_binding_is_taken_back_beside_the_work_of_others(
    name: str, endpoints: list[Endpoint], is_new: bool
) -> None:
    binder = BINDERS[name]
    text = "" if is_new else foreign(binder)
    changes: list[MemberChange] = []
    for endpoint in endpoints:
        edited = binder.edit(text or None, endpoint)
        changes = merge(changes, changes_between(opened(binder, text), opened(binder, edited), binder.renewed))
        text = edited
    kept = write_changes(changes)
    assert kept is not None
    document = opened(binder, text)
    added: tuple[str | int, ...] = ("later",) if binder.name != "gemini" else ("LATER",)
    if binder.name in LISTS:
        document.append([], {"name": "later"})
    else:
        document.set(added, "x")
    assert take_back(document, parse_changes(kept)) == []
    wanted = opened(binder, "" if is_new else foreign(binder))
    if binder.name in LISTS:
        wanted.append([], {"name": "later"})
    else:
        wanted.set(added, "x")
    assert document.get([]) == wanted.get([])


@pytest.mark.parametrize(
    ("agent", "file", "before", "change", "after"),
    [
        (
            "cline",
            ".cline/data/settings/providers.json",
            None,
            lambda text: text.replace("2026-11-23T00:00:00.000Z", "2026-12-01T09:30:00.000Z"),
            None,
        ),
        (
            "kilo",
            ".config/kilo/kilo.json",
            None,
            lambda text: text.replace('{\n  "$', '{\n  "permission": { "bash": "allow" },\n  "$', 1),
            '{\n  "permission": { "bash": "allow" }\n}\n',
        ),
        (
            "qwen",
            ".qwen/settings.json",
            '{\n  "mcpServers": {},\n  "$version": 3\n}\n',
            lambda text: text.replace('"$version": 3', '"$version": 4'),
            '{\n  "mcpServers": {},\n  "$version": 4\n}\n',
        ),
        (
            "hermes",
            ".hermes/config.yaml",
            "model:\n  provider: anthropic # mine\n  api_mode: anthropic_messages\n",
            lambda text: text + "display:\n  skin: mono\n",
            "model:\n  provider: anthropic # mine\n  api_mode: anthropic_messages\ndisplay:\n  skin: mono\n",
        ),
        (
            "vibe",
            ".vibe/config.toml",
            'active_model = "devstral" # good\n',
            lambda text: 'theme = "dark"\n' + text,
            'theme = "dark"\nactive_model = "devstral" # good\n',
        ),
    ],
)
def test_what_the_agent_wrote_since_stays(
    agent: str, file: str, before: str | None, change: Callable[[str], str], after: str | None, home: Path
) -> None:
    path = home / file
    if before is not None:
        path.parent.mkdir(parents=True)
        path.write_text(before, "utf-8")
    assert bind(agent).exit_code == 0
    changed = change(path.read_text("utf-8"))
    assert changed != path.read_text("utf-8")
    path.write_text(changed, "utf-8")
    ran = bind("--undo", agent)
    assert ran.exit_code == 0, ran.stderr
    assert (path.read_text("utf-8") if path.exists() else None) == after
    assert list((home / ".freeride" / "backups").iterdir()) == []


def test_where_both_changed_the_same_member_the_undo_is_refused(home: Path) -> None:
    path = home / ".qwen" / "settings.json"
    path.parent.mkdir()
    path.write_text('{"model": {"name": "mine"}, "$version": 4}', "utf-8")
    bind("qwen")
    changed = path.read_text("utf-8").replace('"name": "auto"', '"name": "theirs"', 1)
    path.write_text(changed, "utf-8")
    ran = bind("--undo", "qwen")
    assert ran.exit_code == 1
    assert "`model.name` too" in ran.stderr
    assert path.read_text("utf-8") == changed


@pytest.mark.parametrize("damage", ["settings", "binder"])
def test_an_undo_needs_nothing_but_its_record(damage: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / ".aider.conf.yml"
    path.write_text("dark-mode: true\n", "utf-8")
    assert bind("aider").exit_code == 0
    if damage == "settings":
        (home / ".freeride" / "config.toml").write_text("not toml", "utf-8")
    else:
        monkeypatch.setattr("freeride_binder_aider.AiderBinder.title", None)
    ran = bind("--undo", "aider")
    assert ran.exit_code == 0, ran.stderr
    assert path.read_text("utf-8") == "dark-mode: true\n"


def test_all_bindings_are_undone_at_once(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["aider"], ["zed"], ["opencode", "--scope", "cwd"]):
        assert bind(*arguments).exit_code == 0
    (home / ".aider.conf.yml").write_text("model: theirs\n", "utf-8")
    ran = bind("--undo", "--all", "--json")
    assert ran.exit_code == 1
    rows = {row["name"]: row for row in json.loads(ran.stdout)}
    assert {name: row["changed"] for name, row in rows.items()} == {"aider": False, "zed": True, "opencode": True}
    assert "--force" in rows["aider"]["reason"]
    assert not (tmp_path / "opencode.json").exists()
    assert bind("--undo", "--all", "--force").exit_code == 0
    assert not (home / ".aider.conf.yml").exists()
    assert "no agent is bound" in bind("--undo", "--all").stderr


@pytest.mark.parametrize("arguments", [["--all"], ["aider", "--undo", "--all"]])
def test_all_goes_with_an_undo_and_without_a_name(arguments: list[str]) -> None:
    assert bind(*arguments).exit_code == 2


def unordered(value: object) -> object:
    """With lists in one order: an item that comes back comes to the end."""
    if isinstance(value, dict):
        return {name: unordered(each) for name, each in value.items()}
    return sorted(map(str, value)) if isinstance(value, list) else value


NAMES = st.sampled_from(["a", "b", "c", "name"])
PLAIN = st.one_of(st.booleans(), st.integers(0, 9), st.sampled_from(["x", "y"]))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.dictionaries(NAMES, inner, max_size=3), st.lists(PLAIN, max_size=3, unique_by=str)),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(DOCUMENTS, DOCUMENTS, PLAIN)
@settings(deadline=None)
@pytest.mark.parametrize("editor", [JsonDocument, YamlDocument])
def test_any_change_is_taken_back_beside_another_member(
    editor: Callable[[str], Document], before: dict[str, Any], after: dict[str, Any], other: Any
) -> None:
    """Only containers that a binding emptied or made may be left empty."""
    old, new = (editor(json.dumps(each)) for each in (before, after))
    changes = changes_between(old, new, ())
    new.set(["other"], other)
    if take_back(new, changes):
        return
    assert unordered(new.get([])) == unordered({**before, "other": other})
