"""The demo's words and signs: a request, an attempt and a provider in one line each."""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from freeride_core.answer import ErrorKind
from freeride_core.demo.ask import Ask, Hop
from freeride_core.demo.environment import ProviderStatus

Piece = tuple[str, str]
"""A text and its style."""

PLAIN, DIM, BOLD, EXAMPLE, GOOD, WAITING, BAD = "", "dim", "bold", "cyan", "green", "yellow", "red"

_SHORTEST_QUOTE = 12
_HANGING = "    "
_FAILURES: Mapping[str, str] = {
    ErrorKind.RATE_LIMIT: "rate limit",
    ErrorKind.QUOTA_EXHAUSTED: "quota used up",
    ErrorKind.AUTH: "key rejected",
    ErrorKind.MODEL_NOT_FOUND: "model gone",
    ErrorKind.UNSUPPORTED: "cannot do this",
    ErrorKind.UNAVAILABLE: "server error",
    ErrorKind.TIMEOUT: "silent",
    ErrorKind.NETWORK: "no connection",
    ErrorKind.PROTOCOL: "broken answer",
}
_COME_BACK = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.QUOTA_EXHAUSTED})


@dataclass(frozen=True, slots=True)
class Signs:
    """The letters that are not letters."""

    then: str = "▸"
    good: str = "✓"
    bad: str = "✗"
    dot: str = "●"
    more: str = "…"


ASCII_SIGNS = Signs(then=">", good="ok", bad="x", dot="*", more="...")


def signs_for(encoding: str) -> Signs:
    """The signs that a terminal of this encoding can show."""
    signs = Signs()
    try:
        "".join((signs.then, signs.good, signs.bad, signs.dot, signs.more)).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII_SIGNS
    return signs


def opening(count: int) -> tuple[str, str]:
    """What this is, and what it is not."""
    return (
        f"One endpoint over {_several(count, 'free LLM tier')}: when one fails, the next one answers.",
        "Everything here is simulated on this machine: no key, no network.",
    )


def lines(ask: Ask, signs: Signs, width: int = sys.maxsize) -> list[list[Piece]]:
    """A request as far as it has come: who was asked, how that went, and the answer. In lines that fit into `width`, as far as
    names do."""
    told: list[list[Piece]] = [[("you", BOLD)]]
    for hop in ask.hops:
        pieces = [(f"{signs.then} ", DIM), *_hop(hop, signs)]
        if length(told[-1]) + 1 + length(pieces) > width:
            told.append([(_HANGING, PLAIN), *pieces])
        else:
            told[-1] += [(" ", PLAIN), *pieces]
    if ask.is_over and not ask.is_answered:
        _say(told, f'{signs.bad} no answer: "{_printable(ask.text)}"', BAD, width)
    elif not (ask.hops and ask.hops[-1].is_good):
        told[-1].append((f" {signs.more}", DIM))
    elif ask.text and ask.stream:
        _say(told, f'"{_printable(ask.text)}"', GOOD, width)
    elif ask.text:
        told[-1] += _quote(f'  "{_printable(ask.text)}"', signs, width - length(told[-1]))
    return told


def length(pieces: Sequence[Piece]) -> int:
    return sum(len(text) for text, _ in pieces)


def summary(asks: Sequence[Ask]) -> str:
    answers = sum(ask.is_answered for ask in asks)
    failed = sum(len(ask.failures) for ask in asks)
    return (
        f"{_several(len(asks), 'request')}, {_several(answers, 'answer')}, {_several(failed, 'failure')} you never saw."
    )


def row(standing: ProviderStatus, now: float) -> tuple[str, str, str]:
    """A provider's state, its style, and the reason. `now` is seconds since the epoch."""
    cooldown = standing.cooldown
    if cooldown is None:
        return "ready", GOOD, ""
    left = span(max(1.0, cooldown.until - now))
    reason = _named(cooldown.kind)
    return (f"down {left}", BAD, reason) if cooldown.is_outage else (f"cooling {left}", WAITING, reason)


def span(seconds: float) -> str:
    """`37 s`, `12 min`, `9 h`: rounded up."""
    if seconds <= 100:
        return f"{math.ceil(seconds)} s"
    if seconds <= 100 * 60:
        return f"{math.ceil(seconds / 60)} min"
    return f"{math.ceil(seconds / 3600)} h"


def _hop(hop: Hop, signs: Signs) -> list[Piece]:
    name = hop.provider if hop.key_index == 0 else f"{hop.provider} (key {hop.key_index + 1})"
    if hop.is_good:
        return [(name, PLAIN), (f" {signs.good}", GOOD), (f" {hop.duration_ms} ms", DIM)]
    if hop.is_failed:
        return [(name, PLAIN), (f" {signs.bad} {_failure(hop)}", WAITING if _kind(hop) in _COME_BACK else BAD)]
    return [(name, BOLD)]


def _kind(hop: Hop) -> str:
    return hop.status.lower()


def _failure(hop: Hop) -> str:
    kind = _kind(hop)
    if kind == ErrorKind.TIMEOUT:
        return f"{_named(kind)} for {hop.duration_ms / 1000:.1f} s"
    if kind in _COME_BACK and hop.retry_after_s is not None:
        return f"{_named(kind)}, back in {span(hop.retry_after_s)}"
    return _named(kind)


def _named(kind: str) -> str:
    return _FAILURES.get(kind, kind.replace("_", " "))


def _quote(quote: str, signs: Signs, room: int) -> list[Piece]:
    """What there is room for."""
    if len(quote) <= room:
        return [(quote, GOOD)]
    if room < _SHORTEST_QUOTE:
        return []
    return [(f'{quote[: room - len(signs.more) - 1]}{signs.more}"', GOOD)]


def _say(told: list[list[Piece]], text: str, style: str, width: int) -> None:
    """Adds all of the text, in as many lines as it takes."""
    taken = length(told[-1]) + 2
    first, *rest = textwrap.wrap("x" * taken + " " + text, max(width, taken + 1))
    if beginning := first[taken:].strip():
        told[-1].append((f"  {beginning}", style))
    told += [[(_HANGING + line, style)] for line in textwrap.wrap(" ".join(rest), width - len(_HANGING))]


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
