"""The relay: passes a committed stream on to the client as it comes, and tells how it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from freeride_core.answer import ErrorKind, Failure
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.http import sse
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.stream_scanner import StreamScanner
from freeride_core.gateway.http.usage_events import asks_for_usage, without_usage_events
from freeride_core.gateway.walk.outcome import Served
from freeride_core.gateway.walk.plugin_guard import PluginFault

_log = logging.getLogger(__name__)
_DRAIN_S = 1.0
"""How long an upstream may take to end its answer after `[DONE]`, so that its connection can be used again."""


class StreamRelay:
    """Relays one answer. `idle_s` is how long the upstream may be silent between two chunks."""

    __slots__ = ("_exchange", "_idle_s", "_served", "_withholds_usage", "failure", "last", "scanner", "waited_s")

    def __init__(self, exchange: ClientExchange, served: Served, idle_s: float) -> None:
        self._exchange = exchange
        self._served = served
        self._idle_s = idle_s
        self._withholds_usage = not asks_for_usage(served.attempt.call)
        self.scanner = StreamScanner(served.attempt.find_failure, served.attempt.most_choices)
        self.failure: Failure | None = None
        """Why the stream did not end cleanly, or None if it did."""
        self.waited_s = 0.0
        """How long the upstream was silent, where it failed by that."""
        self.last = b""
        """What is still to be sent after `run`."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what the client gets of the chunk now."""
        data = self.scanner.feed(chunk)
        return without_usage_events(data) if self._withholds_usage else data

    async def run(self, first: bytes) -> None:
        """Passes on `first`, the part that was held back until the commit, and the rest as it comes."""
        scanner = self.scanner
        self.failure, self.last = scanner.failure, first
        if self.failure is not None or scanner.is_done:
            return
        if first:
            await self._exchange.write(first)
        self.failure, self.last = await self._pass_on()

    async def _pass_on(self) -> tuple[Failure | None, bytes]:
        scanner, exchange, response, idle_s = self.scanner, self._exchange, self._served.served.reply, self._idle_s
        withholds_usage = self._withholds_usage
        clock = asyncio.get_running_loop().time
        ending_s = min(idle_s, sse.ENDING_S)
        data = b""
        drain: Callable[[], Awaitable[None]] | None = None
        is_ending = scanner.is_finished

        def take(chunk: bytes) -> bool:
            nonlocal data, drain, is_ending
            data = scanner.feed(chunk)
            if withholds_usage and (b"[]" in data or b'"usage"' in data):
                data = without_usage_events(data)
            if scanner.is_done or scanner.failure is not None:
                return False
            drain = exchange.write_now(data) if data else None
            if not scanner.is_finished:
                is_ending = False
                response.expect_by(clock() + idle_s)
            elif not is_ending or sse.looks_like_content(data):
                is_ending = True
                response.expect_by(clock() + ending_s)
            return drain is None

        rest = self._served.served.rest
        assert rest is not None
        response.expect_by(clock() + (ending_s if is_ending else idle_s))
        try:
            while await rest.pass_on(take):
                if drain is None:
                    return scanner.failure, data
                response.expect_by(NEVER)  # a client that takes its time is not the upstream's silence
                await drain()
                drain = None
                response.expect_by(clock() + (ending_s if is_ending else idle_s))
            cut = Failure(kind=ErrorKind.NETWORK, message="the stream was cut off")
        except UpstreamError as trouble:
            cut = trouble.failure
            if cut.kind == ErrorKind.TIMEOUT:
                self.waited_s = idle_s
                cut = Failure(kind=ErrorKind.TIMEOUT, message="the stream fell silent")
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", self._served.attempt.candidate.provider.name, fault)
            cut = Failure(kind=ErrorKind.PROTOCOL, message="the provider's package failed")
        return self._end(cut)

    def _end(self, cut: Failure) -> tuple[Failure | None, bytes]:
        """The upstream's stream is over by `cut`. After a finish reason the answer is whole, however its connection ended."""
        scanner = self.scanner
        data = scanner.end()
        if self._withholds_usage:
            data = without_usage_events(data)
        if data and not data.endswith(b"\n\n"):
            data += b"\n\n"
        return scanner.failure or (None if scanner.is_done or scanner.is_finished else cut), data

    async def drain(self) -> None:
        """Reads what the upstream sends after `[DONE]`, for a second at most, so that its connection can be used again."""
        self._served.served.reply.expect_by(asyncio.get_running_loop().time() + _DRAIN_S)
        rest = self._served.served.rest
        assert rest is not None
        try:
            while await rest.read():
                pass
        except (UpstreamError, PluginFault):
            return
