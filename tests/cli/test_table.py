"""Tables and lines that fit the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeride_core.cli.table import table_lines
from freeride_core.cli.terminal import wrap

TITLES = ("NAME", "ID", "STATE")
ROWS = [("acme", "0123456789", "usable, and three of its models are cooling down"), ("orbit", "-", "usable")]


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            None,
            [
                "NAME   ID          STATE",
                "acme   0123456789  usable, and three of its models are cooling down",
                "orbit  -           usable",
            ],
        ),
        (
            50,  # all columns, with a wrapped one
            [
                "NAME   ID          STATE",
                "acme   0123456789  usable, and three of its models",
                "                   are cooling down",
                "orbit  -           usable",
            ],
        ),
        (
            40,  # without the one that can be left out
            [
                "NAME   STATE",
                "acme   usable, and three of its models",
                "       are cooling down",
                "orbit  usable",
            ],
        ),
    ],
)
def test_a_table_leaves_out_columns_and_wraps_cells(columns: int | None, lines: list[str]) -> None:
    assert table_lines(TITLES, ROWS, columns, droppable=("ID",)) == lines


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (31, ["NAME   PATH", "acme   ~/.config/acme/acme.json", "orbit  -"]),
        (30, ["NAME   PATH", "acme   ~/.config/acme/", "       acme.json", "orbit  -"]),
        (17, ["NAME   PATH", "acme   ~/.config/", "       acme/", "       acme.json", "orbit  -"]),
    ],
)
def test_a_path_is_whole_if_it_can_be_and_else_broken_behind_a_slash(columns: int, lines: list[str]) -> None:
    rows = [("acme", "http://127.0.0.1:11343", "~/.config/acme/acme.json"), ("orbit", "-", "-")]
    assert table_lines(("NAME", "URL", "PATH"), rows, columns, droppable=("URL",), paths=("PATH",)) == lines


def test_what_steers_a_terminal_does_not_reach_it() -> None:
    assert "\x1b" not in "".join(table_lines(TITLES, [("a", "b", "\x1b[2J")], 30))


CELLS = st.text("ab -/", max_size=60)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4), st.integers(36, 120))
def test_no_line_of_a_table_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], columns: int) -> None:
    for paths in ((), ("ID",)):
        lines = table_lines(TITLES, rows, columns, paths=paths)
        assert max(map(len, lines)) <= columns
        assert sorted("".join(lines).replace(" ", "")) == sorted(
            "".join(map("".join, [TITLES, *rows])).replace(" ", "")
        )


def test_a_line_is_broken_between_words_and_goes_on_where_it_began() -> None:
    text = "one two three four five six\n  one two three four five six\nhttps://example.com/a/long/address"
    assert wrap(text, None) == text
    broken = "one two three four five\nsix\n  one two three four\n  five six\nhttps://example.com/a/long/address"
    assert wrap(text, 24) == broken
    assert wrap("  label  some words and more of them", 30, hang=7) == "  label  some words and more\n         of them"
