"""The editors behind their one interface: the same calls give the same values in JSON, YAML and TOML."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from freeride_core import Unreadable
from freeride_core.editing import Document, JsonDocument, TomlDocument, YamlDocument

JSON = """{
  // mine
  "model": "old", // chosen
  "provider": {"a": {"url": "x", "n": 1}},
  "list": [
    {"name": "one", "on": true}, // first
    {"name": "two"}
  ],
  "words": ["a", "b"]
}
"""
YAML = """# mine
model: old # chosen
provider:
  a:
    url: x
    n: 1
list:
  - name: one # first
    on: true
  - name: two
words: [a, b]
"""
TOML = """# mine
model = "old" # chosen
words = ["a", "b"]

[provider.a]
url = "x"
n = 1

[[list]]
name = "one" # first
on = true

[[list]]
name = "two"
"""
VALUES: dict[str, object] = {
    "model": "old",
    "provider": {"a": {"url": "x", "n": 1}},
    "list": [{"name": "one", "on": True}, {"name": "two"}],
    "words": ["a", "b"],
}
OPENED: dict[str, Callable[[], Document]] = {
    "json": lambda: JsonDocument(JSON),
    "yaml": lambda: YamlDocument(YAML),
    "toml": lambda: TomlDocument(TOML),
}
EDITORS: dict[str, Callable[[str], Document]] = {"json": JsonDocument, "yaml": YamlDocument, "toml": TomlDocument}
EDITS: dict[str, tuple[Callable[[Document], None], dict[str, object]]] = {
    "set plain": (lambda it: it.set(["model"], "new"), {**VALUES, "model": "new"}),
    "set new": (lambda it: it.set(["more"], True), {**VALUES, "more": True}),
    "set deep": (
        lambda it: it.set(["provider", "b", "url"], "y"),
        {**VALUES, "provider": {"a": {"url": "x", "n": 1}, "b": {"url": "y"}}},
    ),
    "set members": (
        lambda it: it.set(["provider", "a"], {"n": 2, "h": {"k": "v"}}),
        {**VALUES, "provider": {"a": {"url": "x", "n": 2, "h": {"k": "v"}}}},
    ),
    "set mapping": (
        lambda it: it.set(["x", "y"], {"z": "w", "h": {"k": "v"}}),
        {**VALUES, "x": {"y": {"z": "w", "h": {"k": "v"}}}},
    ),
    "set root": (lambda it: it.set([], {"model": "new", "n": 3}), {**VALUES, "model": "new", "n": 3}),
    "set in item": (
        lambda it: it.set(["list", 1, "on"], False),
        {**VALUES, "list": [{"name": "one", "on": True}, {"name": "two", "on": False}]},
    ),
    "set list": (lambda it: it.set(["words"], ["c"]), {**VALUES, "words": ["c"]}),
    "add what is there": (lambda it: it.add(["model"], "new"), VALUES),
    "add what is not": (lambda it: it.add(["n"], 1), {**VALUES, "n": 1}),
    "append mapping": (
        lambda it: it.append(["list"], {"name": "three", "h": {"k": "v"}}),
        {**VALUES, "list": [{"name": "one", "on": True}, {"name": "two"}, {"name": "three", "h": {"k": "v"}}]},
    ),
    "append word": (lambda it: it.append(["words"], "c"), {**VALUES, "words": ["a", "b", "c"]}),
    "append to none": (lambda it: it.append(["new"], {"a": "b"}), {**VALUES, "new": [{"a": "b"}]}),
    "append word to none": (lambda it: it.append(["provider", "w"], "c"), {
        **VALUES, "provider": {"a": {"url": "x", "n": 1}, "w": ["c"]},
    }),
    "remove plain": (lambda it: it.remove(["model"]), {k: v for k, v in VALUES.items() if k != "model"}),
    "remove mapping": (lambda it: it.remove(["provider"]), {k: v for k, v in VALUES.items() if k != "provider"}),
    "remove member": (lambda it: it.remove(["provider", "a", "url"]), {**VALUES, "provider": {"a": {"n": 1}}}),
    "remove first item": (lambda it: it.remove(["list", 0]), {**VALUES, "list": [{"name": "two"}]}),
    "remove last item": (lambda it: it.remove(["list", 1]), {**VALUES, "list": [{"name": "one", "on": True}]}),
    "remove name of item": (lambda it: it.remove(["list", 0, "name"]), {
        **VALUES, "list": [{"on": True}, {"name": "two"}],
    }),
    "remove word": (lambda it: it.remove(["words", 0]), {**VALUES, "words": ["b"]}),
    "remove nothing": (lambda it: it.remove(["no", "such"]), VALUES),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("format_", OPENED)
def test_one_call_means_the_same_in_every_format(format_: str, edit: str) -> None:
    document = OPENED[format_]()
    change, expected = EDITS[edit]
    change(document)
    assert document.get([]) == expected
    assert EDITORS[format_](document.text).get([]) == expected
    assert "mine" in document.text


@pytest.mark.parametrize("format_", OPENED)
def test_a_document_is_read_by_path(format_: str) -> None:
    document = OPENED[format_]()
    assert document.get([]) == VALUES
    assert document.get(["list", 0, "on"]) is True
    assert {document.get(path) for path in ("no", ("no", "such"), ("list", 9), ("model", "x"))} == {None}
    assert document.find(["list"], "name", "two") == ("list", 1)
    assert document.find(["list"], "name", "three") is None
    assert document.find(["model"], "name", "two") is None


@pytest.mark.parametrize("edit", ["set plain", "set members", "append mapping"])
@pytest.mark.parametrize("format_", OPENED)
def test_an_edit_and_its_removal_leave_every_byte(format_: str, edit: str) -> None:
    document = OPENED[format_]()
    before = document.text
    match edit:
        case "set plain":
            document.set(["more"], "x")
            document.remove(["more"])
        case "set members":
            document.set(["provider", "a", "more"], 1)
            document.remove(["provider", "a", "more"])
        case _:
            document.append(["list"], {"name": "three"})
            document.remove(["list", 2])
    assert document.text == before


@pytest.mark.parametrize("format_", OPENED)
@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.set(["model"], {"a": "b"}),
        lambda it: it.set(["provider"], "x"),
        lambda it: it.set(["model", "a"], "x"),
        lambda it: it.append(["model"], {"a": "b"}),
        lambda it: it.set(["model"], ["x"]),
    ],
)
def test_a_value_never_gives_way_to_another_kind(format_: str, change: Callable[[Document], None]) -> None:
    with pytest.raises(Unreadable, match=r"`(model|provider)`"):
        change(OPENED[format_]())


@pytest.mark.parametrize("format_", EDITORS)
def test_an_empty_text_becomes_a_document(format_: str) -> None:
    document = EDITORS[format_]("")
    assert document.get([]) in (None, {})
    document.set(["a", "b"], {"c": "d"})
    document.append(["e"], {"f": "g"})
    assert EDITORS[format_](document.text).get([]) == {"a": {"b": {"c": "d"}}, "e": [{"f": "g"}]}


@pytest.mark.parametrize(
    ("editor", "library", "extra"), [("YamlDocument", "ruamel", "yaml"), ("TomlDocument", "tomlkit", "toml")]
)
def test_an_editor_without_its_library_names_the_extra(editor: str, library: str, extra: str) -> None:
    program = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from freeride_core.editing import JsonDocument\n"
        "import freeride_core.editing\n"
        f"assert {library!r} + '.yaml' not in sys.modules\n"
        "try:\n"
        f"    freeride_core.editing.{editor}\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"pip install 'freeride-core[{extra}]'" in shown.stdout
