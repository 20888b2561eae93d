"""What the binder makes of Continue's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from freeride_binder_continue import freeride_register_binder
from freeride_core import Endpoint, Launch, Place, Unreadable

BINDER = freeride_register_binder()
ENDPOINT = Endpoint("http://127.0.0.1:11343")
ENTRY = {
    "name": "FreeRide",
    "provider": "openai",
    "model": "auto",
    "apiBase": "http://127.0.0.1:11343/v1",
    "apiKey": "freeride-local",
    "roles": ["chat", "edit", "apply"],
    "capabilities": ["tool_use"],
}
HEAD = "name: Mine\nversion: 0.0.1\nschema: v1\n"
BLOCK = """\
  - name: FreeRide
    provider: openai
    model: auto
    apiBase: http://127.0.0.1:11343/v1
    apiKey: freeride-local
    roles: [chat, edit, apply]
    capabilities: [tool_use]
"""


def edit(text: str | None, endpoint: Endpoint = ENDPOINT) -> str:
    edited = BINDER.edit(text, endpoint)
    assert BINDER.edit(edited, endpoint) == edited
    return edited


def refusal(text: str) -> str | None:
    try:
        edit(text)
    except Unreadable as error:
        return str(error)
    return None


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text) or {}


def test_it_edits_the_file_of_the_home_folder() -> None:
    assert BINDER.path(Place.HOME, Path("/h"), Path("/p")) == Path("/h/.continue/config.yaml")
    assert BINDER.scopes == (Place.HOME,)


def test_a_new_file_is_complete() -> None:
    assert edit(None) == f"name: Local\nversion: 1.0.0\nschema: v1\nmodels:\n{BLOCK}"


def test_what_continue_requires_is_added_where_it_is_missing() -> None:
    assert load(edit("# nothing yet\n")) == {"name": "Local", "version": "1.0.0", "schema": "v1", "models": [ENTRY]}
    assert load(edit("version: 2.3.4\nmodels: []\n"))["version"] == "2.3.4"


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ("models: []\n", f"models:\n{BLOCK}"),
        ("models: [ ]   # none yet\n", f"models:   # none yet\n{BLOCK}"),
        ("models:\n", f"models:\n{BLOCK}"),
        ("models: ~ # none\n", f"models: # none\n{BLOCK}"),
        ("models:\n  # - name: some day\n", f"models:\n  # - name: some day\n{BLOCK}"),
        ("models:\n  - name: a\n    model: b\n", f"models:\n  - name: a\n    model: b\n{BLOCK}"),
    ],
)
def test_the_entry_joins_the_list_wherever_the_list_stands(models: str, expected: str) -> None:
    rules = "\nrules:\n  - be kind\n"
    assert edit(HEAD + models) == HEAD + expected
    assert edit(HEAD + models + rules) == HEAD + expected + rules
    assert edit(models + HEAD) == expected + HEAD


def test_without_a_list_one_is_made() -> None:
    assert edit(HEAD + "rules:\n  - be kind\n") == HEAD + "rules:\n  - be kind\nmodels:\n" + BLOCK


def test_the_entry_takes_on_the_lists_own_indent() -> None:
    flat = "models:\n- name: a\n  # about a\n# about the rules\nrules: []\n"
    block = BLOCK.replace("\n  ", "\n").removeprefix("  ")
    assert edit(HEAD + flat) == HEAD + flat.replace("# about the rules", f"{block}# about the rules")
    wide = "models:\n    -   name: a\n"
    assert "\n    -   name: FreeRide\n        provider: openai\n" in edit(HEAD + wide)
    assert load(edit(HEAD + wide))["models"] == [{"name": "a"}, ENTRY]


@pytest.mark.parametrize(
    "models",
    [
        "models: [{name: a}]\n",
        "models: [\n  {name: a, apiKey: b}, # mine\n]\n",
        "models: [*base, {name: a}]\n",
        "models: [{name: }, ]\n",
    ],
)
def test_a_list_in_brackets_stays_one(models: str) -> None:
    text = f"base: &base {{name: base}}\n{HEAD}{models}"
    edited = edit(text)
    assert load(edited)["models"] == [*load(text)["models"], ENTRY]
    flow = (
        ", {name: FreeRide, provider: openai, model: auto, apiBase: http://127.0.0.1:11343/v1, apiKey: freeride-local, "
    )
    flow += "roles: [chat, edit, apply], capabilities: [tool_use]}"
    assert edited.replace(flow, "") == text


def test_a_file_in_braces_stays_in_braces() -> None:
    text = '{"name": "Mine", "version": "0.0.1", "schema": "v1", "models": []}\n'
    assert load(edit(text)) == {**load(text), "models": [ENTRY]}
    assert load(edit("{}\n"))["models"] == [ENTRY]
    assert load(edit("{models: }\n"))["models"] == [ENTRY]


def test_an_entry_of_that_name_is_updated_in_place() -> None:
    text = (
        HEAD
        + "models:\r\n  - name: a\r\n    model: keep\r\n  - model: 'old' # chosen in May\r\n    name: \"FreeRide\"\r\n"
        "    apiBase: http://127.0.0.1:1/v1\r\n    roles:\r\n      - autocomplete\r\n    # more to come\r\n  - name: z\r\n"
    )
    assert edit(text) == (
        text.replace("'old'", "'auto'")
        .replace("127.0.0.1:1/v1", "127.0.0.1:11343/v1")
        .replace(
            "    # more to come\r\n",
            "    # more to come\r\n    provider: openai\r\n    apiKey: freeride-local\r\n    capabilities: [tool_use]\r\n",
        )
    )


def test_another_gateway_or_model_only_changes_these_values() -> None:
    first = edit(None)
    second = edit(first, Endpoint("http://127.0.0.1:9", model="freeride/fast"))
    assert second == first.replace(":11343", ":9").replace("model: auto", "model: freeride/fast")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("models: {a: b}\n", "line 1, column 9"),
        ("models: text\n", "line 1, column 9"),
        ("a: &a []\nmodels: *a\n", "line 2, column 9"),
        ("models: &a\n  - name: b\nother: *a\n", "line 1, column 9"),
        ("models:\n  - name: a\n   model: b\n", "line 3"),
        ("name: a\nname: b\n", "line 2, column 1"),
        ("models:\n  - name: FreeRide\n    model: {a: b}\n", "line 3, column 12"),
        ("---\n# nothing\n...\n", "line "),
    ],
)
def test_what_cannot_be_edited_is_unreadable_and_the_message_says_where(text: str, where: str) -> None:
    with pytest.raises(Unreadable) as raised:
        BINDER.edit(text, ENDPOINT)
    assert str(raised.value).startswith(where)


ITEMS = st.sampled_from(
    [
        "name: gpt\nprovider: openai # mine\napiKey: ${{ secrets.KEY }}",
        "uses: a/b\nwith:\n  K: ${{ secrets.K }}",
        "name: b\n# roles: [chat]\nroles:\n  - chat\n  - edit",
        "name: c\nsystem: |\n  be kind\n\n  and brief",
        "{name: d, roles: [chat]}",
    ]
)
OTHERS = st.sampled_from(
    [
        "rules:\n  - be kind\n  # - be brief",
        "rules: []",
        "context:\n- provider: code\n- provider: docs\n  params: {a: 1}",
        "mcpServers:\n    - name: x\n      command: npx\n      args:\n        - '-y'",
        "prompts:\n  - name: p\n    prompt: >-\n      folded\n      text",
        "# a comment",
        "",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Files as people write them, with `models` anywhere, in any indent."""
    indent, offset = draw(st.integers(0, 4)), draw(st.integers(2, 4))
    lines = ["models:" + draw(st.sampled_from(["", " # mine"]))]
    items = draw(st.lists(ITEMS, max_size=3))
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), "name: FreeRide\nmodel: old # why\napiBase: x\nextra: 'kept'")
    for item in items:
        first, *others = item.split("\n")
        lines.append(" " * indent + "-".ljust(offset) + first)
        lines += [" " * (indent + offset) + line if line else "" for line in others]
        lines += draw(st.lists(st.just(""), max_size=1))
    before = draw(st.lists(OTHERS, unique_by=lambda other: other[:3] or "blank", max_size=3))
    names = {other.partition(":")[0] for other in before if ":" in other}
    after = draw(st.lists(OTHERS.filter(lambda other: other.partition(":")[0] not in names), max_size=1))
    text = "\n".join([HEAD.rstrip(), *before, *lines, *after]) + "\n"
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(st.sampled_from(["", "\ufeff"])) + text


@settings(deadline=None)
@given(files())
def test_any_file_keeps_everything_else_and_has_the_entry_once(text: str) -> None:
    edited = edit(text)
    before, after = load(text), load(edited)
    models = before["models"] or []
    others = [model for model in models if model.get("name") != "FreeRide"]
    assert [model for model in after["models"] if model.get("name") != "FreeRide"] == others
    (entry,) = [model for model in after["models"] if model.get("name") == "FreeRide"]
    assert entry == ({**ENTRY, "extra": "kept"} if len(others) < len(models) else ENTRY)
    assert {**after, "models": None} == {**before, "models": None}
    kept = iter(edited.splitlines(keepends=True))
    replaced = ("model: old", "apiBase: x")
    for line in text.splitlines(keepends=True):
        assert any(word in line for word in replaced) or line in kept  # in order: `in` advances the iterator
    assert edited.count("\n") == edited.count("\r\n") or "\r\n" not in edited


@settings(deadline=None)
@given(st.text(st.sampled_from("models: -\n#[]{}'\"&*!|>?~,%\t\r.") | st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_edited_or_unreadable(text: str) -> None:
    reason = refusal("models:" + text)
    assert reason is None or reason.startswith("line ")


def test_one_process_reads_another_configuration() -> None:
    assert BINDER.launch(ENDPOINT) == Launch(
        program="cn", arguments=("--config", "{files}/config.yaml"), files={"config.yaml": BINDER.edit(None, ENDPOINT)}
    )
