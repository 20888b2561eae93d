"""Tables for people: aligned columns that fit the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from freeride_core.cli.terminal import columns_of, show
from freeride_core.system.plain_text import printable

_GAP = "  "
_NARROWEST = 10
_READABLE = 28
"""Columns of the terminal that a cell of words needs: a column of the table is left out before another one gets fewer."""


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, droppable: Sequence[str] = ()) -> None:
    """Write aligned columns on stdout. On a terminal that is too narrow the `droppable` ones are left out, first to last, and then
    cells are wrapped. Upstreams choose some of these texts, so nothing in them steers the terminal."""
    for line in table_lines(titles, rows, columns_of(sys.stdout), droppable):
        show(line)


def table_lines(
    titles: Sequence[str], rows: Iterable[Sequence[str]], columns: int | None, droppable: Sequence[str] = ()
) -> list[str]:
    """Return the lines of the table. `columns` None: as wide as its cells are."""
    table = [list(titles), *([printable(cell) for cell in row] for row in rows)]
    if columns is not None:
        for title in droppable:
            needed = [max(_longest_word(column), min(_width(column), _READABLE)) for column in _columns(table)]
            if _total(needed) <= columns:
                break
            at = table[0].index(title)
            for line in table:
                del line[at]
    widths = _fitted(table, columns)
    return [text for line in table for text in _wrapped(line, widths)]


def _fitted(table: Sequence[Sequence[str]], columns: int | None) -> list[int]:
    """The width of each column: that of its cells, or less, first between words and then within them."""
    widths = [_width(column) for column in _columns(table)]
    if columns is None:
        return widths
    for smallest in ([_longest_word(column) for column in _columns(table)], [_NARROWEST] * len(widths)):
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


def _longest_word(column: Sequence[str]) -> int:
    return max(len(word) for cell in column for word in cell.split(" "))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _wrapped(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    """One row, on as many lines as its longest cell needs."""
    import textwrap

    cells = [
        textwrap.wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]
        for cell, width in zip(line, widths, strict=True)
    ]
    height = max(map(len, cells))
    filled = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    return [
        _GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip(*filled, strict=True)
    ]
