"""TOML that is edited in place."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core import Unreadable
from freeride_core.editing import TomlDocument

OWN = """\
# mine
theme = "dark" # at night

# about a
[a] # here
one = 1

# no comment of b's

# about b
  # indeed
[[b]]
two = 2
# about c
[b.c]
three = 3

# about d
[x.d]
# the end
"""


def test_a_comment_right_above_a_table_stays_there_whatever_is_put_before_it() -> None:
    document = TomlDocument(OWN)
    document.set(["new"], 1)
    document.set(["a", "new"], 2)
    document.set(["b", 0, "new"], 3)
    document.set(["b", 0, "c", "new"], 4)
    document.append(["b"], {"two": 22})
    assert document.text == (
        OWN.replace("at night\n", "at night\nnew = 1\n")
        .replace("of b's\n", "of b's\nnew = 2\n")
        .replace("two = 2\n", "two = 2\nnew = 3\n")
        .replace("three = 3\n\n", "three = 3\nnew = 4\n\n[[b]]\ntwo = 22\n\n")
    )


def test_what_is_as_it_should_be_keeps_every_byte() -> None:
    own = "a   = 0x01\r\nb = {c = 'x'}\r\n# about t\r\n[t]\r\nn = nan"
    document = TomlDocument(own)
    document.set([], {"a": 1, "b": {"c": "x"}})
    assert document.text == own
    document.set(["b"], {"c": "y"})
    assert document.text == own.replace("'x'", '"y"') + "\r\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = b", "line 1 col"),
        ("[[a]]\n[b]\n[[a]]\n", "without moving lines"),
        ("a = 1\n[a.b]\n", "a"),
    ],
)
def test_what_cannot_be_edited_is_unreadable(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        TomlDocument(text)


def test_an_edit_that_would_change_the_meaning_of_what_is_there_is_refused() -> None:
    document = TomlDocument("a.b.c = 1\nd = 2\n")
    document.set(["a", "new"], {"e": 3})  # its header would stand above `d`
    with pytest.raises(Unreadable, match="cannot be edited safely"):
        _ = document.text


def test_what_is_no_table_is_not_made_one() -> None:
    document = TomlDocument("a = 1\n")
    with pytest.raises(Unreadable, match="`a` is not a table"):
        document.set(["a"], {"b": 1})


LINES = ("\n", "# c\n", "  # d\n", "a = 1\n", "b.c = 2 # x\n", "k = '''\n[no]\n# no\n'''\n", "l = [ # i\n 1,\n]\n")
HEADERS = ("[t]\n", "[t.u] # h\n", "[v.w]\n", "  [x]\n", "[[y]]\n", "[y.z]\n", "[v]\n", "[[y.q]]\n")


@given(st.lists(st.sampled_from(LINES + HEADERS), max_size=9).map("".join))
def test_lines_stay_in_order_and_comments_above_their_tables(text: str) -> None:
    try:
        values = tomllib.loads(text)
        document = TomlDocument(text)
    except (Unreadable, tomllib.TOMLDecodeError):
        return
    document.set(["new"], 1)
    for name in ("t", "v", "x"):
        if f"[{name}]\n" in text:
            document.set([name, "new"], 2)
            values[name]["new"] = 2
    for at, value in enumerate(values.get("y", ())) if "[[y]]" in text else ():
        document.set(["y", at, "new"], 3)
        value["new"] = 3
    edited = document.text
    assert tomllib.loads(edited) == {**values, "new": 1}
    assert [line for line in edited.splitlines() if line and "new" not in line] == [
        line for line in text.splitlines() if line
    ]
    headers = [line.rstrip("\n") for line in HEADERS]
    above = list(zip(text.splitlines(), text.splitlines()[1:], strict=False))
    parted = set(above) - set(zip(edited.splitlines(), edited.splitlines()[1:], strict=False))
    assert [pair for pair in parted if pair[1] in headers and pair[0].strip() in ("# c", "# d")] == []
