"""Carries the state between the event loop and the store: changes out soon, others' changes in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from freeride_core.ledger.store.store import Entry, Store, StoreError

_GATHER_S = 0.05
"""How long a change waits for company."""
_POLL_S = 0.25
_log = logging.getLogger(__name__)


class StateSync:
    """Writes what is put, off the event loop, and hands what other processes wrote to `apply`, in the event loop.

    Of several changes to one entry only the last is written. What cannot be written (disk full, locked) is kept and
    tried again; it is logged once until it works again, and no caller of `put` ever hears of it.
    """

    def __init__(self, store: Store, apply: Callable[[Sequence[Entry]], None]) -> None:
        self._store = store
        self._apply = apply
        self._pending: dict[tuple[str, str], Entry] = {}
        self._in_flight: dict[tuple[str, str], Entry] = {}
        self._is_failing = False
        self._is_wanted = asyncio.Event()
        # One thread of its own: writes stay in order, and no busy pool delays them.
        self._worker = ThreadPoolExecutor(1, "freeride-state")

    def put(self, entry: Entry) -> None:
        """Queues a change. Only from the event loop's thread."""
        self._pending[entry.section, entry.name] = entry
        self._is_wanted.set()

    async def run(self) -> None:
        """Until cancelled: writes within 100 ms, looks for others' changes every 250 ms."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_S):
                    await self._is_wanted.wait()
                await asyncio.sleep(_GATHER_S)
            batch = self._take()
            is_written, changes = await loop.run_in_executor(self._worker, self._exchange, list(batch.values()))
            self._settle(is_written=is_written)
            # An own change that is still on its way out is the newer one.
            if news := [entry for entry in changes if (entry.section, entry.name) not in self._pending]:
                self._apply(news)

    def flush(self) -> None:
        """Writes what is left, once. For shutdown, after `run` is over; blocks for as long as the store does."""
        batch = self._take()
        if batch:
            is_written = self._worker.submit(self._write, list(batch.values())).result()
            self._settle(is_written=is_written)

    def _take(self) -> dict[tuple[str, str], Entry]:
        """What is to be written now, with what a cancelled `run` left half done."""
        self._in_flight = {**self._in_flight, **self._pending}
        self._pending = {}
        self._is_wanted.clear()
        return self._in_flight

    def _settle(self, *, is_written: bool) -> None:
        if not is_written:
            self._pending = {**self._in_flight, **self._pending}
        self._in_flight = {}

    def _exchange(self, entries: Sequence[Entry]) -> tuple[bool, list[Entry]]:
        is_written = self._write(entries)
        try:
            changes = self._store.read_changes()
        except StoreError as error:
            self._complain(error)
            return is_written, []
        self._is_failing = self._is_failing and not is_written
        return is_written, changes

    def _write(self, entries: Sequence[Entry]) -> bool:
        try:
            if entries:
                self._store.write(entries)
        except StoreError as error:
            self._complain(error)
            return False
        return True

    def _complain(self, error: StoreError) -> None:
        if not self._is_failing:
            _log.warning(
                "%s cannot be used: %s; what the gateway learns stays in memory meanwhile", self._store.location, error
            )
        self._is_failing = True
