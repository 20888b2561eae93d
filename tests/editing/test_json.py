"""JSON5 that is edited in place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeride_core import Unreadable
from freeride_core.editing import JsonDocument
from freeride_core.editing.json_syntax import parse


def edited(text: str, *steps: tuple[str, list[str | int], Any]) -> str:
    document = JsonDocument(text)
    for verb, path, value in steps:
        getattr(document, verb)(path, value)
    return document.text


def value_of(text: str) -> Any:
    root = parse(text)
    return root.value if root else None


OWN = """\
// mine
{
    theme: 'dark', // at night
    "model": 'old', /* chosen
                       in May */
    tools: {
        shell: true,
        // web: false,
    },
    list: [
        { id: 'a', },
    ],
    hex: 0xFF, plus: +.5e1,
    // more to come
}
"""


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("{a: ['x', 'y', 'z']}", ["a", 2], "{a: ['x', 'y']}"),
        ("{a: ['x', 'y', 'z']}", ["a", 0], "{a: ['y', 'z']}"),
        ("{a: ['x', 'y',]}", ["a", 1], "{a: ['x', ]}"),
        ("{a: ['x']}", ["a", 0], "{a: []}"),
        ("{a: [\n  'x', // one\n  'y' // two\n]}", ["a", 1], "{a: [\n  'x' // one\n]}"),
        ("{a: [\r\n  'x', // one\r\n  // two is:\r\n  'y',\r\n]}", ["a", 0], "{a: [\r\n  // two is:\r\n  'y',\r\n]}"),
        ("{\n  a: {\n    b: 1\n  },\n  c: 2\n}\n", ["a"], "{\n  c: 2\n}\n"),
        ("{\n  a: 1, b: 2,\n  c: 3\n}\n", ["a"], "{\n  b: 2,\n  c: 3\n}\n"),
        ("{\n  a: 1, b: 2 }", ["b"], "{\n  a: 1 }"),
        ("{a: 1}", ["b"], "{a: 1}"),
        ("", ["b", "c"], ""),
    ],
)
def test_what_is_removed_takes_its_comma_and_its_line_along(before: str, path: list[str | int], after: str) -> None:
    document = JsonDocument(before)
    document.remove(path)
    assert document.text == after


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.data())
def test_removing_leaves_the_others_in_order(values: list[int], data: st.DataObject) -> None:
    gaps = st.sampled_from(["", " ", "\n  ", " // c\n", " /* c, */ "])
    text = "{a: [" + ",".join(data.draw(gaps) + str(value) + data.draw(gaps) for value in values)
    text += data.draw(st.sampled_from(["", ",", ", // end\n"])) + "]}"
    index = data.draw(st.integers(0, len(values) - 1))
    document = JsonDocument(text)
    document.remove(["a", index])
    assert document.get(["a"]) == values[:index] + values[index + 1 :]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{a: 'x', /* one */ b: 1}", "{a: { \"in\": 'x' }, /* one */ b: 1}"),
        (
            "{\r\n  // mine\r\n  a: 'x' /* why */, // one\r\n}",
            "{\r\n  // mine\r\n  a: {\r\n    \"in\": 'x'\r\n  } /* why */, // one\r\n}",
        ),
    ],
)
def test_a_plain_value_gets_an_object_around_it_and_keeps_its_comments(before: str, after: str) -> None:
    document = JsonDocument(before)
    document.wrap(["a"], "in")
    assert document.text == after


@pytest.mark.parametrize("text", ["{a: {}}", "{a: [1]}"])
def test_what_is_no_plain_value_gets_none(text: str) -> None:
    with pytest.raises(Unreadable, match="`a` is not a plain value"):
        JsonDocument(text).wrap(["a"], "in")


def test_a_document_that_is_not_there_becomes_one() -> None:
    assert edited("", ("set", ["a", "b"], {"c": [{"d": 1}], "e": ["x", "y"], "f": True})) == (
        '{\n  "a": {\n    "b": {\n      "c": [\n        {\n          "d": 1\n        }\n      ],\n'
        '      "e": ["x", "y"],\n      "f": true\n    }\n  }\n}\n'
    )
    assert edited("// only this", ("set", ["a"], 1)) == '// only this\n{\n  "a": 1\n}\n'


def test_comments_quotes_and_trailing_commas_stay() -> None:
    assert edited(
        OWN,
        ("set", ["model"], "new"),
        ("set", ["tools", "web"], False),
        ("append", ["list"], {"id": "b"}),
        ("set", ["more"], {"x": 1}),
    ) == (
        OWN.replace("'old'", "'new'")
        .replace("// web: false,\n", '// web: false,\n        "web": false,\n')
        .replace("{ id: 'a', },\n", '{ id: \'a\', },\n        {\n            "id": "b"\n        },\n')
        .replace("// more to come\n", '// more to come\n    "more": {\n        "x": 1\n    },\n')
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a":1}', '{"a":1, "b": {"c": 2}}'),
        ('{"a":1,}', '{"a":1, "b": {"c": 2},}'),
        ("{}", '{\n  "b": {\n    "c": 2\n  }\n}'),
        ('{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"b": {\n\t\t"c": 2\n\t}\n}'),
        ('{\r\n  "a": 1 // x\r\n}', '{\r\n  "a": 1, // x\r\n  "b": {\r\n    "c": 2\r\n  }\r\n}'),
        ('{\n  "b": {}\n}\n', '{\n  "b": {\n    "c": 2\n  }\n}\n'),
        ('{\n  "b": null // none\n}\n', '{\n  "b": {\n    "c": 2\n  } // none\n}\n'),
        ('{\n  "b": {"c": 1, "d": 3}\n}\n', '{\n  "b": {"c": 2, "d": 3}\n}\n'),
        ("\ufeff{ // here\n}", '\ufeff{ // here\n  "b": {\n    "c": 2\n  }\n}'),
        ("{\n  /* a */ }", '{\n  /* a */\n  "b": {\n    "c": 2\n  }\n }'),
    ],
)
def test_what_is_new_takes_on_the_shape_of_what_is_there(before: str, after: str) -> None:
    written = edited(before, ("set", ["b"], {"c": 2}))
    assert written.replace('{ "c": 2 }', '{"c": 2}') == after
    assert edited(written, ("set", ["b"], {"c": 2})) == written


def test_what_is_there_can_be_left_as_it_is() -> None:
    assert edited(OWN, ("add", ["model"], "new"), ("add", ["tools"], {})) == OWN
    assert JsonDocument(OWN).find(["list"], "id", "a") == ("list", 0)
    assert JsonDocument(OWN).find(["list"], "id", "b") is None
    assert JsonDocument(OWN).get(["hex"]) == 255
    assert JsonDocument(OWN).get(["tools", "no", "such"]) is None


def test_an_item_of_a_list_is_edited_where_it_is_found() -> None:
    document = JsonDocument("{ list: [{ id: 'a' }, { id: 'b', n: 1 }] }")
    found = document.find(["list"], "id", "b")
    assert found is not None
    document.set(found, {"n": 2, "m": 3})
    document.set([*found, "id"], "c")
    assert document.text == "{ list: [{ id: 'a' }, { id: 'c', n: 2, \"m\": 3 }] }"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[]", "line 1, column 1"),
        ("a: 1", "line 1, column 1"),
        ("{a: 1\n b: 2}", "line 2, column 2"),
        ("{a: 1,\n ,}", "line 2, column 2"),
        ("{a 1}", "line 1, column 4"),
        ("{a: [1}", "line 1, column 7"),
        ("{a: 'x\ny'}", "line 1, column 5"),
        ("{a: 01}", "line 1, column 6"),
        ("{} {}", "line 1, column 4"),
        ("{} /* no end", "line 1, column 4"),
        ("{b: 1, b: 2}", "line 1, column 8"),
        ("{b: {c: [1]}}", "line 1, column 9"),
        ("{b: 'text'}", "line 1, column 5"),
        ("\ufeff{'a': '\\xZZ'}", "line 1, column 7"),
        ("{a: " + "[" * 5000, "line 1, column 1"),
    ],
)
def test_what_cannot_be_edited_is_unreadable_and_the_message_says_where(text: str, where: str) -> None:
    with pytest.raises(Unreadable) as raised:
        edited(text, ("set", ["b"], {"c": 2}))
    assert str(raised.value).startswith(where)


def test_all_of_json5_is_read() -> None:
    text = "{a: 'it\\'s \\x41\\u0042\\\n!', $b_1: -0x1F, \"c\": [Infinity, -.5, 2., +3e2, null,], d: true, }"
    assert value_of(text) == {
        "a": "it's AB!",
        "$b_1": -31,
        "c": [float("inf"), -0.5, 2.0, 300.0, None],
        "d": True,
    }


def test_a_string_outside_the_usual_is_read_as_json_means_it() -> None:
    assert value_of('{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("a\"'\\/\n\u2028\U0001f600{", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["", "a", "b c", "\u00e9"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abcd"), JSON), st.sampled_from([None, 1, 4, "\t"]), st.booleans())
@settings(deadline=None)
def test_what_json_writes_is_read_and_edited(before: dict[str, Any], indent: Any, is_ascii: bool) -> None:
    text = json.dumps(before, indent=indent, ensure_ascii=is_ascii)
    assert value_of(text) == before
    after = json.loads(edited(text, ("set", ["new", "member"], {"x": "y"})))
    assert after == {**before, "new": {"member": {"x": "y"}}}
    kept = text.rstrip("\n}").rstrip()
    assert edited(text, ("set", ["new"], 1)).startswith(kept)


PIECES = st.sampled_from(
    ["{", "}", "[", "]", ":", ",", "a", "'b'", '"c"', "1", "null", "//x\n", "/*y*/", " ", "\n", "\\", "'"]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_text_is_edited_or_unreadable(inner: str) -> None:
    text = "{" + inner + "}"
    if (refusal := refusal_of(text)) is not None:
        assert refusal.startswith("line ")
    else:
        assert value_of(edited(text, ("set", ["new"], {"x": 1}))) == {**value_of(text), "new": {"x": 1}}


def refusal_of(text: str) -> str | None:
    try:
        edited(text, ("set", ["new"], {"x": 1}))
    except Unreadable as error:
        return str(error)
    return None
