"""docs/failover.svg: `freeride demo` in a terminal, recorded by
`python -m uv run --with pyte python scripts/docs/record_demo.py`.

The demo's output goes through a terminal emulator. Every stretch of time in which a row does not change becomes one group of
the picture, shown for as long as the row stayed. The picture first shows the finished story for a while, so that a still of its
first moment tells it. Then it plays once. A viewer without animations shows the end only.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pyte  # type: ignore[import-not-found]

PICTURE = Path(__file__).parents[2] / "docs" / "failover.svg"
COLUMNS, ROWS = 100, 28
_CELL_W, _CELL_H, _MARGIN = 8.4, 19, 16
_STILL_S = 3.0
"""How long the finished story is shown before it plays."""
_LEAD_S = 0.6
"""How long the picture shows an empty terminal first."""
_COLORS = {"default": "#d6deeb", "green": "#7bd88f", "brown": "#fce566", "red": "#fc618d", "cyan": "#5ad4e6"}
_DIM = "#7f8c9a"
_FONT = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'

Look = tuple[str, bool]
"""Colour and whether it is bold."""
Row = tuple[tuple[str, Look], ...]
"""A row's text in pieces of one look each."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A row as it stood from one moment to another, seconds since the start. The last one has no end."""

    number: int
    row: Row
    start_s: float
    end_s: float | None


class _Screen(pyte.Screen):  # type: ignore[misc]
    """pyte knows no dim letters; they are noted as a colour."""

    def select_graphic_rendition(self, *attributes: int, **more: bool) -> None:
        super().select_graphic_rendition(*attributes, **more)
        if 2 in attributes:
            self.cursor.attrs = self.cursor.attrs._replace(fg=_DIM)


def record() -> list[tuple[float, list[Row]]]:
    """The demo's screen after each change."""
    start = time.monotonic()
    child, terminal = pty.fork()
    if child == 0:
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(sys.stdout.fileno(), termios.TIOCSWINSZ, size)
        environ = {**os.environ, "TERM": "xterm-256color", "FREERIDE_HOME": tempfile.mkdtemp(), "PYTHONUTF8": "1"}
        os.execvpe("freeride", ["freeride", "demo", "--once"], environ)
    screen = _Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    frames: list[tuple[float, list[Row]]] = []
    while True:
        try:
            written = os.read(terminal, 65536)
        except OSError:  # the demo has left
            break
        if not written:
            break
        stream.feed(written)
        frames.append((time.monotonic() - start, [_row(screen, number) for number in range(ROWS)]))
    os.waitpid(child, 0)
    return frames


def _row(screen: pyte.Screen, number: int) -> Row:
    pieces: list[tuple[str, Look]] = []
    for column in range(COLUMNS):
        cell = screen.buffer[number][column]
        look = (cell.fg, bool(cell.bold))
        if pieces and pieces[-1][1] == look:
            pieces[-1] = (pieces[-1][0] + cell.data, look)
        else:
            pieces.append((cell.data, look))
    return tuple(pieces)


def stretches(frames: list[tuple[float, list[Row]]]) -> Iterator[Stretch]:
    """Yield all rows through time, without the moments between two writes of one redrawing."""
    first_s = frames[0][0]
    settled = [
        (when - first_s + _LEAD_S, rows)
        for (when, rows), following in zip(frames, [*frames[1:], None], strict=True)
        if following is None or following[0] - when > 0.01
    ]
    for number in range(ROWS):
        since, row = settled[0][0], settled[0][1][number]
        for when, rows in settled[1:]:
            if rows[number] != row:
                yield Stretch(number, row, since, when)
                since, row = when, rows[number]
        yield Stretch(number, row, since, None)


def draw(film: list[Stretch]) -> str:
    """The picture, which needs nothing but itself."""
    seen = [stretch for stretch in film if any(text.strip() for text, _ in stretch.row)]
    rows = max(stretch.number for stretch in seen) + 1
    width, height = COLUMNS * _CELL_W + 2 * _MARGIN, rows * _CELL_H + 2 * _MARGIN + 24
    body = "\n".join(map(_group, seen))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="freeride demo, filmed">
<style>
text {{ font: 14px {_FONT}; white-space: pre; fill: {_COLORS["default"]} }}
.b {{ font-weight: bold }} .d {{ fill: {_DIM} }} .g {{ fill: {_COLORS["green"]} }} .y {{ fill: {_COLORS["brown"]} }}
.r {{ fill: {_COLORS["red"]} }} .c {{ fill: {_COLORS["cyan"]} }}
.was {{ visibility: hidden; animation: seen linear }} .is {{ animation: unseen linear }}
@keyframes seen {{ from, to {{ visibility: visible }} }}
@keyframes unseen {{ from, to {{ visibility: hidden }} }}
@media (prefers-reduced-motion: reduce) {{ .was, .is {{ animation: none }} }}
</style>
<rect width="100%" height="100%" rx="10" fill="#1b2129"/>
<g fill="#414b57"><circle cx="22" cy="20" r="6"/><circle cx="42" cy="20" r="6"/><circle cx="62" cy="20" r="6"/></g>
<text x="84" y="25" class="d">freeride demo</text>
{body}
</svg>
"""


def _group(stretch: Stretch) -> str:
    if stretch.end_s is None:
        kind, timing = "is", f"animation-duration:{stretch.start_s:.2f}s;animation-delay:{_STILL_S:.2f}s"
    else:
        lasting = stretch.end_s - stretch.start_s
        kind, timing = "was", f"animation-duration:{lasting:.2f}s;animation-delay:{_STILL_S + stretch.start_s:.2f}s"
    return f'<g class="{kind}" style="{timing}">{"".join(_texts(stretch))}</g>'


def _texts(stretch: Stretch) -> Iterator[str]:
    column = 0
    y = _MARGIN + 24 + (stretch.number + 0.75) * _CELL_H
    for text, look in stretch.row:
        shown = text.strip()
        if shown:
            at = column + len(text) - len(text.lstrip())
            x = _MARGIN + at * _CELL_W
            yield (
                f'<text x="{x:.1f}" y="{y:.0f}" textLength="{len(shown) * _CELL_W:.1f}"{_class(look)}>{escape(shown)}</text>'
            )
        column += len(text)


def _class(look: Look) -> str:
    color, is_bold = look
    letters = {_DIM: "d", "green": "g", "brown": "y", "red": "r", "cyan": "c"}.get(color, "")
    names = " ".join(filter(None, (letters, "b" if is_bold else "")))
    return f' class="{names}"' if names else ""


if __name__ == "__main__":
    PICTURE.write_text(draw(list(stretches(record()))), "utf-8", newline="\n")
