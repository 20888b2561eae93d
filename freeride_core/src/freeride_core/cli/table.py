"""Tables for people: aligned columns that fit the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from freeride_core.cli.terminal import columns_of, show
from freeride_core.system.plain_text import printable

_GAP = "  "
_NARROWEST = 10
_READABLE = 28
"""Columns of the terminal that a cell of words needs: a column is left out before another one gets fewer."""


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
    widths = _widths(table)
    for title in droppable:
        if columns is None or _total([min(width, _READABLE) for width in widths]) <= columns:
            break
        at = table[0].index(title)
        for line in table:
            del line[at]
        widths = _widths(table)
    while columns is not None and _total(widths) > columns and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return [text for line in table for text in _wrapped(line, widths)]


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(*table, strict=True)]


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
