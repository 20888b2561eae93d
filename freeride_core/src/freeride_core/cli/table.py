"""Tables for people: aligned columns that fit the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

from freeride_core.cli.terminal import columns_of, show
from freeride_core.system.plain_text import printable

_GAP = "  "
_NARROWEST = 10
_READABLE = 28
"""Columns of the terminal that a cell of words needs: a column of the table is left out before another one gets fewer."""


def show_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, droppable: Sequence[str] = (), paths: Sequence[str] = ()
) -> None:
    """Write aligned columns on stdout, at most as wide as the terminal.

    If they are wider, the `droppable` ones are left out, first to last, and then cells are wrapped, those of `paths` behind a
    slash. Upstreams choose some of these texts, so control characters are escaped."""
    for line in table_lines(titles, rows, columns_of(sys.stdout), droppable, paths):
        show(line)


def table_lines(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    columns: int | None,
    droppable: Sequence[str] = (),
    paths: Sequence[str] = (),
) -> list[str]:
    """Return the lines of the table, at most `columns` wide unless that is None."""
    table = [list(titles), *([printable(cell) for cell in row] for row in rows)]
    marks = ["/ " if title in paths else " " for title in titles]
    if columns is not None:
        for title in droppable:
            needed = [max(_longest_word(column, " "), min(_width(column), _READABLE)) for column in _columns(table)]
            if _total(needed) <= columns:
                break
            at = table[0].index(title)
            for line in (*table, marks):
                del line[at]
    widths = _fitted(table, columns, marks)
    return [text for line in table for text in row_lines(line, widths, marks)]


def _fitted(table: Sequence[Sequence[str]], columns: int | None, marks: Sequence[str]) -> list[int]:
    """Return the width of each column: that of its cells, or less, first between words and then within them."""
    widths = [_width(column) for column in _columns(table)]
    if columns is None:
        return widths
    words = [_longest_word(column, ends) for column, ends in zip(_columns(table), marks, strict=True)]
    for smallest in (words, [_NARROWEST] * len(widths)):
        while _total(widths) > columns:
            wide = [at for at, width in enumerate(widths) if width > smallest[at]]
            if not wide:
                break
            widths[max(wide, key=lambda at: widths[at])] -= 1
    return widths


def _columns(table: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    return list(zip(*table, strict=True))


def _width(column: Sequence[str]) -> int:
    return max(map(len, column))


def _longest_word(column: Sequence[str], ends: str) -> int:
    return max(len(word.rstrip(" ")) for cell in column for word in _words(cell, ends))


def _words(cell: str, ends: str) -> list[str]:
    """Return the pieces between which the cell can be broken, each with the character that ends it."""
    return re.findall(rf"[^{ends}]*[{ends}]|[^{ends}]+", cell) or [""]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def row_lines(line: Sequence[str], widths: Sequence[int], marks: Sequence[str]) -> list[str]:
    """Return one row, on as many lines as its longest cell needs. `marks`: behind which characters each cell can be broken."""
    cells = [_broken(cell, width, ends) for cell, width, ends in zip(line, widths, marks, strict=True)]
    height = max(map(len, cells))
    filled = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    return [
        _GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip(*filled, strict=True)
    ]


def _broken(cell: str, width: int, ends: str) -> list[str]:
    """Return the cell as lines of at most `width`."""
    if len(cell) <= width:
        return [cell]
    lines = [""]
    for word in _words(cell, ends):
        if lines[-1] and len((lines[-1] + word).rstrip(" ")) > width:
            lines.append("")
        lines[-1] += word
        while len(lines[-1].rstrip(" ")) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [text for line in lines if (text := line.strip(" "))] or [""]
