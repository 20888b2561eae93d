"""Work on large bodies in a thread of its own, so that the event loop does not wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_THREAD = ThreadPoolExecutor(1, "large-bodies")
"""One: a decoder in C keeps the interpreter to itself for up to 30 ms, and with several of them the loop would wait for each."""


async def aside(act: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """What `act` gives, or raises."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, act, *arguments)
