"""The demo on a terminal: finished requests scroll up, the running one and the board are redrawn below."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from freeride_core.demo.ask import Ask
from freeride_core.demo.environment import ProviderStatus
from freeride_core.demo.format import BOLD, DIM, EXAMPLE, GOOD, PLAIN, Piece, lines, opening, row, signs_for, summary
from freeride_core.demo.screen import Board, invitation
from freeride_core.events.records import Event
from freeride_core.events.rendering import render

_REFRESHES_S = 15
_INDENT = 2
_STATE_WIDTH = len("cooling 12 min")


class LiveScreen:
    """For a terminal that can move its cursor."""

    def __init__(self, out: TextIO, *, color: bool) -> None:
        self._console = Console(file=out, force_terminal=True, no_color=not color, highlight=False, emoji=False)
        self._color = color
        self._signs = signs_for(out.encoding)
        self._board: Board = list
        self._told = ""
        self._ask: Ask | None = None
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=_REFRESHES_S,
            transient=True,
            vertical_overflow="crop",
        )

    def open(self, names: Sequence[str]) -> None:
        what, what_not = opening(len(names))
        self._print("", (what, BOLD), (what_not, DIM), "")

    def board(self, board: Board) -> AbstractContextManager[object]:
        self._board = board
        return self._live

    def narrate(self, told: str) -> None:
        self._told = told

    def begin(self, ask: Ask) -> None:
        self._ask = ask

    def end(self, ask: Ask) -> None:
        with self._console:  # one write: it moves from below to above without being seen twice
            self._console.print(self._line(ask))
            self._ask = None
            self._live.refresh()

    def sum_up(self, asks: Sequence[Ask]) -> None:
        self._print("", (summary(asks), f"{BOLD} {GOOD}"))

    def offer(self, url: str | None) -> None:
        self._print("", *((given, EXAMPLE if given.startswith(" ") else PLAIN) for given in invitation(url)))

    def watch(self, event: Event) -> None:
        self._console.print(Text.from_ansi(render(event, color=self._color)), soft_wrap=True)

    def _print(self, *lines: str | Piece) -> None:
        """Sentences are wrapped between words; examples are not, so that what is copied is what was meant."""
        for given in lines:
            text, style = (given, PLAIN) if isinstance(given, str) else given
            if not text:
                self._console.print()
            elif style == EXAMPLE:
                self._console.print(Text(" " * _INDENT + text, style), soft_wrap=True)
            else:
                self._console.print(self._indented(Text(text, style)))

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self._ask is not None:
            parts.append(self._line(self._ask))
        parts += [Text(""), self._indented(Text(self._told, style=DIM)), Text(""), self._table()]
        return Group(*parts)

    def _line(self, ask: Ask) -> RenderableType:
        told = lines(ask, self._signs, self._console.width - _INDENT)
        return self._indented(Text("\n").join(Text.assemble(*line) for line in told))

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2, 0, 0))
        for width in (1, None, _STATE_WIDTH, None):
            table.add_column(no_wrap=True, min_width=width)
        asked = self._ask.hops[-1].provider if self._ask is not None and self._ask.hops else ""
        now = time.time()
        for standing in self._board():
            table.add_row(*self._row(standing, asked, now))
        return self._indented(table)

    def _row(self, standing: ProviderStatus, asked: str, now: float) -> list[Text]:
        state, style, reason = row(standing, now)
        name = Text(standing.name, style=BOLD if standing.name == asked else "")
        return [Text(self._signs.dot, style=style), name, Text(state, style=style), Text(reason, style=DIM)]

    def _indented(self, inner: RenderableType) -> RenderableType:
        return Padding(inner, (0, 0, 0, _INDENT), expand=False)
