"""The hedge: a second candidate, asked beside one that sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from freeride_core.gateway.walk.outcome import Outcome

_USUAL_TIMES = 3
"""How many times as long as usual a model may be silent."""
_SHORTEST_S = 5.0
_LONGEST_S = 15.0
"""Also for a model whose usual time is not known."""
_WHOLE_S = 60.0
"""For an answer that is no stream: nothing is heard of it before it is whole."""


def silence_s(set_s: float | None, usual_s: float | None, *, is_stream: bool) -> float:
    """How long an attempt may be silent before a second one is made beside it. `set_s`: what the user set; `usual_s`: seconds
    that the model usually takes to its first content. None: not known."""
    if set_s is not None:
        return set_s
    if not is_stream:
        return _WHOLE_S
    return _LONGEST_S if usual_s is None else min(max(_USUAL_TIMES * usual_s, _SHORTEST_S), _LONGEST_S)


class Hedge:
    """A second attempt under way beside the one that `main` makes. Use `settle` when that is over, and `close` whatever happens.

    The first attempt stays in the task of the request: one without a hedge pays for a timer, and for nothing else."""

    __slots__ = ("_is_racing", "_main", "_work", "is_decided", "outcome")

    def __init__(self, main: asyncio.Task[Any], second: Coroutine[Any, Any, Outcome | None]) -> None:
        self._main = main
        self._is_racing = True
        self.outcome: Outcome | None = None
        """Of the second attempt."""
        self.is_decided = False
        """One of the two has an outcome for the client: the other one is cancelled."""
        self._work = asyncio.ensure_future(second)
        self._work.add_done_callback(self._finish)

    def _finish(self, work: asyncio.Task[Outcome | None]) -> None:
        if work.cancelled() or work.exception() is not None:  # raised where it is waited for, if the first one fails
            return
        self.outcome = work.result()
        if self.outcome is not None and self._is_racing and not self._main.cancelling():
            self.is_decided = True
            self._main.cancel()

    def has_won(self) -> bool:
        """Ask it once, in `main` when that is cancelled: whether it was for this, and for nothing else."""
        return self.outcome is not None and self._main.uncancel() == 0

    async def settle(self, outcome: Outcome | None) -> Outcome | None:
        """The first attempt is over, with this outcome. Gives what the client gets; None: neither has anything for it."""
        self._is_racing = False
        if outcome is None:
            return await self._work
        if not self._work.done():
            self.is_decided = True
            self._work.cancel()
        return outcome

    def close(self) -> None:
        """Drops what is still under way; the first attempt is not cancelled any more."""
        self._is_racing = False
        self._work.cancel()
