"""The demo as plain lines, or as JSON for a script. `live` is for terminals."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TextIO

from freeride_core.demo.ask import Ask
from freeride_core.demo.environment import ProviderStatus
from freeride_core.demo.format import lines, opening, signs_for, summary
from freeride_core.events.records import Event
from freeride_core.events.rendering import render

Board = Callable[[], Sequence[ProviderStatus]]


class Screen(Protocol):
    """What a story needs of a screen."""

    def open(self, names: Sequence[str]) -> None:
        """Says what this is, before anything has started."""

    def board(self, board: Board) -> AbstractContextManager[object]:
        """Show the providers' state while the context lasts."""

    def narrate(self, told: str) -> None:
        """Says what is about to happen."""

    def begin(self, ask: Ask) -> None:
        """Shows a request from now on, as it changes."""

    def end(self, ask: Ask) -> None:
        """It will not change any more."""

    def sum_up(self, asks: Sequence[Ask]) -> None:
        """The story is over."""

    def offer(self, url: str | None) -> None:
        """Show how to go on. The URL is None if no gateway stays."""

    def watch(self, event: Event) -> None:
        """An event of the gateway that stays, about a request that is not the story's."""


class PlainScreen:
    """Lines without colours and without cursor movement."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._signs = signs_for(out.encoding)

    def open(self, names: Sequence[str]) -> None:
        self._print(*opening(len(names)), f"Providers: {', '.join(names)}", "")

    def board(self, board: Board) -> AbstractContextManager[object]:  # noqa: ARG002 - the lines say it all
        return nullcontext()

    def narrate(self, told: str) -> None:
        """The lines speak for themselves."""

    def begin(self, ask: Ask) -> None:
        """A line is printed once, when it is complete."""

    def end(self, ask: Ask) -> None:
        self._print(*("".join(text for text, _ in line) for line in lines(ask, self._signs)))

    def sum_up(self, asks: Sequence[Ask]) -> None:
        self._print("", summary(asks))

    def offer(self, url: str | None) -> None:
        self._print("", *invitation(url))

    def watch(self, event: Event) -> None:
        self._print(render(event))

    def _print(self, *lines: str) -> None:
        self._out.write("".join(f"{line}\n" for line in lines))
        self._out.flush()


class JsonScreen:
    """A JSON object for each request, and one at the end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._total: dict[str, int] = {}

    def open(self, names: Sequence[str]) -> None:
        """Nothing but JSON is printed."""

    def board(self, board: Board) -> AbstractContextManager[object]:  # noqa: ARG002 - a script has no eyes
        return nullcontext()

    def narrate(self, told: str) -> None:
        """Nothing but JSON is printed."""

    def begin(self, ask: Ask) -> None:
        """A line is printed once, when it is complete."""

    def end(self, ask: Ask) -> None:
        self._print(
            {
                "ask": ask.number,
                "status": ask.status,
                "provider": ask.provider,
                "attempts": ask.attempts,
                "failures": [
                    {"provider": hop.provider, "error": hop.status.lower(), "retry_after_s": hop.retry_after_s}
                    for hop in ask.failures
                ],
                "ms": ask.duration_ms,
                "text": ask.text,
            }
        )

    def sum_up(self, asks: Sequence[Ask]) -> None:
        self._total = {
            "requests": len(asks),
            "answers": sum(ask.is_answered for ask in asks),
            "failures": sum(len(ask.failures) for ask in asks),
        }

    def offer(self, url: str | None) -> None:
        self._print(self._total | {"url": url})

    def watch(self, event: Event) -> None:
        """Nothing but JSON of the story is printed."""

    def _print(self, row: object) -> None:
        self._out.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._out.flush()


def invitation(url: str | None) -> list[str]:
    """How to go on, in lines of at most 80 columns."""
    real = "With your own free keys: freeride init, then freeride serve."
    if url is None:
        return [real]
    return [
        "Now yours, with full quotas again. For any OpenAI-compatible agent:",
        f"  OPENAI_BASE_URL={url}/v1",
        f"  OPENAI_API_BASE={url}/v1",
        "  OPENAI_API_KEY=any",
        f"  curl {url}/v1/chat/completions \\",
        "    -H content-type:application/json \\",
        """    -d '{"model":"auto","messages":[{"role":"user","content":"Hi"}]}'""",
        f"{real} Ctrl-C to stop.",
        "",
    ]
