"""Generated documents, edited in place: another parser reads what was meant, and comments stay."""

from __future__ import annotations

import copy
import io
import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from examples import examples
from freeride_core import Unreadable
from freeride_core.editing import Document, EnvDocument, JsonDocument, TomlDocument, YamlDocument

NAMES = ("a", "b", "model", "name")
WORDS = ("x", "auto", "http://127.0.0.1:9/v1", "it's", 'say "hi"', "# no", "true", "0.5", "", "a: b", " x ", "- x")
NEW = ("new", "freeride/auto", "yes", "1", "it's # new", "", "x:")
Operation = tuple[str, tuple[str | int, ...], Any]


def indented(lines: Sequence[str], by: int) -> list[str]:
    return [" " * by + line if line.strip() else line for line in lines]


comments = st.sampled_from(["", "", "", " # why", "  #x"])
plain = st.sampled_from(
    ["x", "auto", "'it''s'", '"say \\"hi\\" # no"', "true", "12", "0.5", "~", "", "null", "http://x/v1", "'# no'"]
)
flow = st.sampled_from(["[]", "{}", "[x, y]", "{c: 1}", "[{name: x}, {name: y}]", "{c: [x], d: {e: 1}}", '["x" , ]'])
block = st.sampled_from(
    [
        (["|"], ["text", "  more"]),
        (["|-"], ["text", "", "more"]),
        ([">+"], ["text", ""]),
        ([">"], ["# text"]),
        (["|"], []),
        (["|-"], []),
        (["|2"], ["  text"]),
    ]
)


@st.composite
def yaml_mapping(draw: st.DrawFn, depth: int = 2) -> list[str]:
    lines: list[str] = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)):
        lines += draw(st.sampled_from([[], [], [""], ["# above"], ["# above", ""]]))
        kind = draw(st.sampled_from(["plain", "plain", "flow", "block", *(["mapping", "list"] if depth else [])]))
        note = draw(comments)
        if kind == "plain":
            lines.append(f"{name}: {draw(plain)}".rstrip() + note)
        elif kind == "flow":
            lines.append(f"{name}: {draw(flow)}{note}")
        elif kind == "block":
            (head,), body = draw(block)
            lines += [f"{name}: {head}{note}", *indented(body, 2)]
        elif kind == "mapping":
            lines += [f"{name}:{note}", *indented(draw(yaml_mapping(depth - 1)), draw(st.sampled_from([1, 2, 4])))]
        else:
            lines += [f"{name}:{note}", *indented(draw(yaml_list(depth - 1)), draw(st.sampled_from([0, 2, 3])))]
    return lines


@st.composite
def yaml_list(draw: st.DrawFn, depth: int) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        lines += draw(st.sampled_from([[], [], ["# item"]]))
        if draw(st.booleans()):
            lines.append(f"- {draw(plain)}".rstrip() + draw(comments))
        else:
            gap = draw(st.sampled_from([2, 4]))
            own = draw(yaml_mapping(max(0, depth)))
            while own and (own[0].startswith("#") or not own[0]):
                own = own[1:]
            first, *others = indented(own, gap)
            lines += ["-" + first[1:], *others]
    return lines


@st.composite
def yaml_texts(draw: st.DrawFn) -> str:
    lines = draw(yaml_mapping())
    eol = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    tail = draw(st.sampled_from([eol, eol, "", eol * 2, f"{eol}# end{eol}", f"{eol}  # end"]))
    head = draw(st.sampled_from(["", "", "# head" + eol, "---" + eol]))
    return head + eol.join(lines) + tail


JSON_VALUES = st.recursive(
    st.sampled_from(["1", "'it'", '"say"', "true", "null", "0x1F", "[]", "{}", "-.5"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: "[ " + " /* c */, ".join(items) + ",]"),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda items: (
                "{ // o\n  " + ",\n  ".join(f"{name}: {item}" for name, item in zip(NAMES, items, strict=False)) + "\n}"
            )
        ),
    ),
    max_leaves=6,
)
JSON_TEXTS = st.tuples(
    st.lists(st.tuples(st.sampled_from(NAMES), JSON_VALUES), max_size=3, unique_by=lambda pair: pair[0]),
    st.sampled_from(["\n  ", " ", "\n\n\t", " // c\n "]),
    st.sampled_from(["", ",", " /* end */"]),
).map(
    lambda it: (
        "{" + it[1] + ("," + it[1]).join(f"{name}: {value}" for name, value in it[0]) + (it[2] if it[0] else "") + "\n}"
    )
)

TOML_LINES = st.sampled_from(
    [
        "a = 1 # one\n",
        'b = "x"\n',
        "# c\n",
        "\n",
        "c = [ 'x', # y\n ]\n",
        "d = { e = 1 }\n",
        "f.g = true\n",
        'h = """\nx\n"""\n',
    ]
)
TOML_HEADERS = st.sampled_from(["[t]\n", "[t.u] # h\n", "[[y]]\n", "[[y.z]]\n", "  [x]\n", "[v.w]\n"])
TOML_TEXTS = st.tuples(
    st.lists(TOML_LINES, max_size=3, unique=True),
    st.lists(st.tuples(TOML_HEADERS, st.lists(TOML_LINES, max_size=2, unique=True)), max_size=3),
).map(lambda it: "".join(it[0]) + "".join(header + "".join(lines) for header, lines in it[1]))

ENV_TEXTS = st.lists(
    st.sampled_from(["A=1\n", "export B='x y'\n", "# c\n", "\n", 'C="z" # why\n', "A=2 # again\n", "D=\n"]), max_size=5
).map("".join)


def read_yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text, newline=""))


def read_json(text: str) -> Any:
    return JsonDocument(text).get([])


def read_env(text: str) -> Any:
    return dict(dotenv_values(stream=io.StringIO(text), interpolate=False))


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for step, inner in steps for each in paths_of(inner, (*path, step)))]


@st.composite
def operations(draw: st.DrawFn, value: Any, *, is_flat: bool) -> Operation:
    paths = paths_of(value)
    path = draw(st.sampled_from(paths))
    new: tuple[str | int, ...] = draw(st.sampled_from([("new",), (*path, "new")])) if not is_flat else ("NEW",)
    verb = draw(st.sampled_from(["set", "set", "set new", "set mapping", "append", "append new", "remove", "remove"]))
    if is_flat and verb in ("set mapping", "append", "append new"):
        verb = "set new"
    word = draw(st.sampled_from(NEW if not is_flat else ("new", "http://x/v1")))
    match verb:
        case "set" | "remove":
            return verb, path, word
        case "set new":
            return "set", new, draw(st.sampled_from([word, True, 3])) if not is_flat else word
        case "set mapping":
            return "set", new, {"url": word, "more": {"n": 1}}
        case "append":
            return "append", path, draw(st.sampled_from([word, {"name": word, "n": 1}]))
        case _:
            return "append", new, {"name": word}


def expected(value: Any, operation: Operation) -> Any:
    """What the value should be then; LookupError: nothing can be told."""
    verb, path, new = operation
    result = copy.deepcopy(value) if value is not None else {}
    parent = result
    for step in path[:-1]:
        if isinstance(parent, dict) and parent.get(step) is None and isinstance(step, str):
            parent[step] = {}
        parent = parent[step]
    if not path:
        raise LookupError
    last = path[-1]
    if verb == "remove":
        del parent[last]
    elif verb == "set":
        parent[last] = new
    else:
        there = parent.get(last) if isinstance(parent, dict) else parent[last]
        parent[last] = [*(there or []), new]
    return result


def pruned(value: Any) -> Any:
    """Without the empty mappings at the end of a path: TOML has no table without members above one that has a header."""
    if isinstance(value, list):
        return [pruned(each) for each in value] or None
    if not isinstance(value, dict):
        return value
    kept = {name: pruned(each) for name, each in value.items()}
    return {name: each for name, each in kept.items() if each is not None} or None


def check(
    editor: Callable[[str], Document], read: Callable[[str], Any], text: str, data: st.DataObject, mark: str
) -> None:
    try:
        value = read(text)
        document = editor(text)
    except Exception:
        return
    is_flat = editor is EnvDocument
    operation = data.draw(operations(value, is_flat=is_flat))
    verb, path, new = operation
    try:
        wanted = expected(value, operation)
        if verb == "remove":
            document.remove(path)
        else:
            getattr(document, verb)(path, new)
        edited = document.text
    except (Unreadable, LookupError, TypeError, AttributeError):
        return
    assert pruned(read(edited)) == pruned(wanted), f"{operation}\n{text}\n---\n{edited}"
    assert pruned(editor(edited).get([])) == pruned(wanted)
    if verb != "remove" and not is_flat:
        lost = set(re.findall(rf"{mark} ?\w+", text)) - set(re.findall(rf"{mark} ?\w+", edited))
        assert lost <= {"# text", "# no", "# end"}, f"{operation}\n{text}\n---\n{edited}"


@given(yaml_texts(), st.data())
@settings(deadline=None, max_examples=examples(300))
def test_any_yaml_is_edited_as_it_is_meant(text: str, data: st.DataObject) -> None:
    check(YamlDocument, read_yaml, text, data, "#")


@given(JSON_TEXTS, st.data())
@settings(deadline=None, max_examples=examples(200))
def test_any_json5_is_edited_as_it_is_meant(text: str, data: st.DataObject) -> None:
    check(JsonDocument, read_json, text, data, "//")


@given(TOML_TEXTS, st.data())
@settings(deadline=None, max_examples=examples(200))
def test_any_toml_is_edited_as_it_is_meant(text: str, data: st.DataObject) -> None:
    check(TomlDocument, tomllib.loads, text, data, "#")


@given(ENV_TEXTS, st.data())
@settings(deadline=None, max_examples=examples(100))
def test_any_file_of_variables_is_edited_as_it_is_meant(text: str, data: st.DataObject) -> None:
    check(EnvDocument, read_env, text, data, "#")


@pytest.mark.parametrize("style", ["|", ">", "|-", ">-", "|+"])
@pytest.mark.parametrize("tail", ["", "\n", "\nb: 1\n", " # why\n"])
def test_an_empty_block_gives_way_to_a_value_and_to_a_mapping(style: str, tail: str) -> None:
    text = f"a: {style}{tail}"
    plain_one = YamlDocument(text)
    plain_one.set(["a"], "x")
    assert read_yaml(plain_one.text)["a"] == "x"
    document = YamlDocument(text)
    document.set(["a"], None)
    document.set(["a"], {"c": "d"})
    assert read_yaml(document.text)["a"] == {"c": "d"}
    assert ("# why" in document.text) == ("# why" in text)
