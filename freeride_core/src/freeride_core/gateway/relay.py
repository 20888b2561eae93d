"""The relay: passes a committed stream on to the client as it comes, and tells how it ended."""

from __future__ import annotations

import asyncio
import logging

from freeride_core.answer import ErrorKind, Failure
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.http import sse
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.stream_scanner import StreamScanner
from freeride_core.gateway.http.upstream_response import Passage
from freeride_core.gateway.http.usage_events import asks_for_usage, without_usage_events
from freeride_core.gateway.protocols.protocol import AnswerEncoder
from freeride_core.gateway.walk.outcome import Served
from freeride_core.gateway.walk.plugin_guard import PluginFault

_log = logging.getLogger(__name__)
_DRAIN_S = 1.0
"""How long an upstream may take to end its answer after `[DONE]`, so that its connection can be used again."""
_MOST_UNSAID = 8 * 1024 * 1024
"""Bytes that an encoder may keep before it says something."""


class StreamRelay:
    """Relays one answer. `idle_s` is how long the upstream may be silent between two chunks."""

    __slots__ = (
        "_clock",
        "_encoder",
        "_exchange",
        "_idle_s",
        "_is_ending",
        "_keep_alive_s",
        "_said_at",
        "_served",
        "_unsaid",
        "_withholds_usage",
        "failure",
        "last",
        "scanner",
        "waited_s",
    )

    def __init__(self, exchange: ClientExchange, served: Served, idle_s: float, keep_alive_s: float) -> None:
        """An encoder that has nothing to say for `keep_alive_s` seconds is helped out with the protocol's keep-alive."""
        self._exchange = exchange
        self._encoder = exchange.encoder
        self._served = served
        self._clock = asyncio.get_running_loop().time
        self._idle_s = idle_s
        self._is_ending = False
        """The last finish reason has come."""
        self._keep_alive_s = keep_alive_s
        self._said_at = 0.0
        self._unsaid = 0
        """Bytes that the encoder was given since it last said something."""
        self._withholds_usage = exchange.encoder is None and not asks_for_usage(served.attempt.call)
        self.scanner = StreamScanner(served.attempt.find_failure, served.attempt.most_choices)
        self.failure: Failure | None = None
        """Why the stream did not end cleanly, or None if it did."""
        self.waited_s = 0.0
        """How long the upstream was silent, where it failed by that."""
        self.last = b""
        """What is still to be sent after `run`."""

    def begin(self) -> bytes:
        """Return what the client gets of what was held back until the commit."""
        data = self.scanner.feed(self._served.served.body)
        if self._encoder is not None:
            self._said_at = self._clock()
            return self._encoder.begin(self._served.attempt.candidate.model.id) + self._encode(self._encoder, data)
        return without_usage_events(data) if self._withholds_usage else data

    def _encode(self, encoder: AnswerEncoder, data: bytes) -> bytes:
        said = encoder.feed(data)
        if encoder.failure is not None:
            self.scanner.failure = encoder.failure
        attempt, now = self._served.attempt, self._clock()
        if said:
            attempt.let_go(self._unsaid)
            self._unsaid = 0
            self._said_at = now
            return said
        attempt.hold(len(data))
        self._unsaid += len(data)
        if self._unsaid > _MOST_UNSAID:
            self.scanner.failure = Failure(kind=ErrorKind.PROTOCOL, message="a part of the answer is too large")
        if now - self._said_at < self._keep_alive_s:
            return b""
        self._said_at = now
        return self._exchange.protocol.keep_alive

    async def run(self, first: bytes) -> None:
        """Passes on `first`, and the rest as it comes."""
        scanner = self.scanner
        self.failure, self.last = scanner.failure, first
        if self.failure is None and not scanner.is_done:
            if first:
                await self._exchange.send(first)
            self.failure, self.last = await self._pass_on()
        if self.failure is None:
            if self._encoder is not None:
                self.last += self._encoder.end()
                self.failure = self._encoder.failure
            elif not scanner.is_done:
                self.last += sse.DONE

    async def _pass_on(self) -> tuple[Failure | None, bytes]:
        scanner, response = self.scanner, self._served.served.reply
        rest = self._served.served.rest
        assert rest is not None
        self._is_ending = scanner.is_finished
        self._expect_more()
        try:
            while (passage := await rest.pass_on(self._take)) is not Passage.OVER:
                if passage is Passage.ENOUGH:
                    return scanner.failure, self.last
                response.expect_by(NEVER)  # a client that takes its time is not the upstream's silence
                await self._exchange.drain()
                self._expect_more()
            cut = Failure(kind=ErrorKind.NETWORK, message="the stream was cut off")
        except UpstreamError as trouble:
            cut = trouble.failure
            if cut.kind == ErrorKind.TIMEOUT:
                self.waited_s = self._idle_s
                cut = Failure(kind=ErrorKind.TIMEOUT, message="the stream sent nothing for too long")
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", self._served.attempt.candidate.provider.name, fault)
            cut = Failure(kind=ErrorKind.PROTOCOL, message="the provider's package failed")
        return self._end(cut)

    def _take(self, chunk: bytes) -> Passage | None:
        scanner = self.scanner
        data = told = scanner.feed(chunk)
        if self._encoder is not None:
            told = self._encode(self._encoder, data)
        elif self._withholds_usage and (b"[]" in data or b'"usage"' in data):
            data = told = without_usage_events(data)
        if scanner.is_done or scanner.failure is not None:
            self.last = told
            return Passage.ENOUGH
        is_slow = self._exchange.write(told) if told else False
        if not scanner.is_finished:
            self._is_ending = False
            self._expect_more()
        elif not self._is_ending or sse.looks_like_content(data):
            self._is_ending = True
            self._expect_more()
        return Passage.SLOW if is_slow else None

    def _expect_more(self) -> None:
        within_s = min(self._idle_s, sse.ENDING_S) if self._is_ending else self._idle_s
        self._served.served.reply.expect_by(self._clock() + within_s)

    def _end(self, cut: Failure) -> tuple[Failure | None, bytes]:
        """The upstream's stream is over by `cut`. After a finish reason the answer is whole, however its connection ended."""
        scanner = self.scanner
        data = scanner.end()
        if data and not data.endswith(b"\n\n"):
            data += b"\n\n"
        if self._encoder is not None:
            data = self._encode(self._encoder, data)
        elif self._withholds_usage:
            data = without_usage_events(data)
        return scanner.failure or (None if scanner.is_done or scanner.is_finished else cut), data

    async def drain(self) -> None:
        """Reads what the upstream sends after `[DONE]`, for a second at most, so that its connection can be used again."""
        self._served.served.reply.expect_by(self._clock() + _DRAIN_S)
        rest = self._served.served.rest
        assert rest is not None
        try:
            while await rest.read():
                pass
        except (UpstreamError, PluginFault):
            return
