"""`freeride quota`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from freeride_core.cli.table import row_lines
from freeride_core.cli.terminal import columns_of, fail, show, where_to_get_keys, wrap
from freeride_core.system.plain_text import printable

if TYPE_CHECKING:
    from freeride_core.cli.snapshot import Snapshot
    from freeride_core.ledger.quota.board import Board, BoardKey

_EVERY_S = 1.0
_GAP = "  "
_MODEL_ENDS = "/ "
"""Behind which the name of a model can be broken."""
_BAR, _SHORTEST_BAR = 10, 4
_MODELS, _AGAIN = 14, 10
"""Columns that these two need at least: their texts can be wrapped."""


def quota(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Redraw it every second, until Ctrl-C.")] = False,
) -> None:
    """Show what is left of each free tier, and when there is more. No provider is asked, and no gateway needs to run.

    Exit codes: 0 there is a key, 1 there is no key."""
    from freeride_core.cli.snapshot import read_snapshot

    if watch and as_json:
        raise typer.BadParameter("--watch is for people: leave out --json, or --watch")
    if watch and not sys.stdout.isatty():
        fail("--watch redraws a terminal, and this is not one: leave it out, or use --json")
    snapshot = read_snapshot()
    if as_json:
        typer.echo(json.dumps(snapshot.board().members(), indent=2))
    elif watch:
        _watch(snapshot)
    elif snapshot.enabled.members:
        for line in board_lines(snapshot.board(), columns_of(sys.stdout), sys.stdout.encoding):
            show(line)
    if not snapshot.enabled.members:
        fail(where_to_get_keys(snapshot.enabled.registered.values(), snapshot.settings.home))


def _watch(snapshot: Snapshot) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from freeride_core.cli.snapshot import take_snapshot

    console = Console(highlight=False, emoji=False)
    try:
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                lines = board_lines(snapshot.board(), console.width, console.encoding)
                live.update(Text("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)
                time.sleep(_EVERY_S)
                snapshot, _ = take_snapshot(snapshot.settings, snapshot.enabled)
    except KeyboardInterrupt:
        return


def board_lines(board: Board, columns: int | None, encoding: str) -> Iterator[str]:
    """Yield the board as lines for people. `columns` None: as wide as it is."""
    from freeride_core.cli.quota_text import LEGEND
    from freeride_core.ledger.quota.quotas import QuotaMode

    if board.mode is QuotaMode.OFF:
        yield from _said("Nothing is counted, because FREERIDE_QUOTA is off.", columns)
        return
    if board.rows:
        yield from _table(board, columns, encoding)
        yield ""
        yield from _said(LEGEND, columns)
    if board.unlimited:
        names = ", ".join(board.unlimited)
        yield from _said(f"No limits are known of {names}: requests go there until they are refused.", columns)
    if not board.rows and not board.unlimited:
        yield from _said("No free models are known yet. The first start of `freeride serve` loads the lists.", columns)
    if board.mode is QuotaMode.WATCH:
        yield from _said("FREERIDE_QUOTA is watch: requests are counted, and none is held back.", columns)


def _said(sentence: str, columns: int | None) -> list[str]:
    return wrap(sentence, columns).split("\n")


def _table(board: Board, columns: int | None, encoding: str) -> Iterator[str]:
    """Yield a line for each account, and below it one for each of its limits."""
    from freeride_core.cli.quota_text import bar, free_again, left_of, models_of

    cells = [
        [printable(models_of(row, board.rows)), row.name, "", left_of(row), free_again(row, board.at)]
        for row in board.rows
    ]
    titles = ["MODELS", "LIMIT", "", "LEFT", "FREE AGAIN"]
    widths = _fitted([max(map(len, column)) for column in zip(titles, *cells, strict=True)], columns)
    yield from _indented(titles, widths)
    owner: tuple[object, ...] = ()
    for row, line in zip(board.rows, cells, strict=True):
        if (row.provider, row.keys) != owner:
            owner = (row.provider, row.keys)
            yield from _said(f"{row.provider} ({', '.join(map(_key_name, row.keys))})", columns)
        line[2] = bar(row, widths[2], encoding)
        yield from _indented(line, widths)


def _fitted(widths: list[int], columns: int | None) -> list[int]:
    """Return the width of each column. Without room for a bar that can be read, there is no bar."""
    models, name, _, left, again = widths
    if columns is None:
        return [models, name, _BAR, left, again]
    room = columns - name - left - len(_GAP) * len(widths)
    again = min(again, max(_AGAIN, room // 3))
    bar = min(_BAR, room - again - _MODELS)
    bar = 0 if bar < _SHORTEST_BAR else bar
    return [max(1, min(models, room - again - bar)), name, bar, left, again]


def _indented(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    shown = [at for at, width in enumerate(widths) if width]
    marks = [_MODEL_ENDS if at == 0 else " " for at in shown]
    for text in row_lines([line[at] for at in shown], [widths[at] for at in shown], marks):
        yield f"{_GAP}{text}"


def _key_name(key: BoardKey) -> str:
    return f"{key.variable} k{key.index}" if key.index else key.variable
