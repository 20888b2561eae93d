"""One attempt: one request to one upstream, until it is plain whether it serves."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable

import msgspec

from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Reading, UpstreamRequest
from freeride_core.call import Call, Operation
from freeride_core.events.usage import usage_in_body
from freeride_core.gateway.http import sse
from freeride_core.gateway.http.aside import aside
from freeride_core.gateway.http.budget import NoRoom
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError, Withdrawn
from freeride_core.gateway.http.upstream_response import (
    AT_ONCE,
    MAX_BODY,
    MAX_ERROR_BODY,
    Passage,
    Take,
    UpstreamResponse,
    pass_on,
)
from freeride_core.gateway.http.upstreams import Upstreams
from freeride_core.gateway.http.via import passed_by
from freeride_core.gateway.walk import vectors
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.opening import EMPTY, AttemptFailure, Opening
from freeride_core.gateway.walk.outline import outline_of
from freeride_core.gateway.walk.plugin_guard import PluginFault, decode_guarded, is_actionable, is_sendable
from freeride_core.ledger.quota.reservation import Reservation, Settlement
from freeride_core.provider import Decoder, Wire
from freeride_core.settings.resolver import Settings
from freeride_core.system.json_values import LARGE

_log = logging.getLogger(__name__)
_LIVING_EXTENDS = 4
"""A comment, a role or an empty delta shows that the upstream lives: it may take this many times as long to its first word."""
_FIRST_BYTE_S = 30.0
"""How long a stream may take to its first byte where neither the user nor the package says."""
_MOST_CHOICES = 1000
_MAX_EVENT = 8 * 1024 * 1024
"""Bytes that a package's decoder may keep before it says something."""
_ERROR_BODY_S = 5.0
"""How long an upstream may take to say what is wrong, once its status has."""


class AttemptSuccess(msgspec.Struct):
    """An answer that can go to the client."""

    reply: UpstreamResponse
    body: bytes = b""
    """The whole body, or what a stream said up to its commit."""
    rest: AnswerStream | None = None
    """What a committed stream says from here on; None: this is not a stream."""
    is_empty: bool = False
    """It says nothing; the walk may look for a better one."""


class Attempt:
    """Asks one candidate. Use `run` once, and `close` whatever happens."""

    __slots__ = (
        "_asked_at",
        "_most_s",
        "_now",
        "_reply",
        "_settings",
        "_upstreams",
        "call",
        "candidate",
        "held",
        "is_kept_warm",
        "reservation",
        "sent_at",
        "wire",
    )

    def __init__(
        self,
        call: Call,
        candidate: Candidate,
        upstreams: Upstreams,
        settings: Settings,
        now: Callable[[], float],
        most_s: float = NEVER,
    ) -> None:
        """`most_s`: how long it may take to its first content, or to its whole answer, whatever the settings say."""
        self.call = call
        self.candidate = candidate
        self.wire: Wire = candidate.provider.wires[call.operation]
        self._upstreams = upstreams
        self._settings = settings
        self.held = 0
        """Bytes that it has taken from the budget."""
        self._now = now
        self._reply: UpstreamResponse | None = None
        self._asked_at = 0.0
        self._most_s = most_s
        self.reservation: Reservation | None = None
        """What it takes of the quota, or None if that is not counted."""
        self.is_kept_warm = False
        """Comments have come, and nothing else."""
        self.sent_at = now()
        """Seconds since the epoch."""

    async def run(self, is_wanted: Callable[[], bool]) -> AttemptSuccess | AttemptFailure:
        """Until the answer is whole (or its stream commits), or has failed. Raises `Withdrawn` if it was not sent, and `NoRoom`
        where there is no room for the answer."""
        is_stream = self.call.stream
        within_s = min(self._first_byte_s if is_stream else self._settings.answer_timeout, self._most_s)
        self._asked_at = self._upstreams.clock()
        try:
            if len(self.call.body) > LARGE:
                request = await aside(self._prepare)
                if not is_wanted():  # others have had a turn meanwhile
                    raise Withdrawn
            else:
                request = self._prepare()
            if isinstance(request, Failure):
                return AttemptFailure(request)
            reply = self._reply = await self._upstreams.send(request, is_wanted, within_s=within_s)
            if reply.status != 200:
                error = reply.whole(MAX_ERROR_BODY)
                if error is None:
                    error = await self._error_body(reply)
                return self._refuse(error) if len(error) <= LARGE else await aside(self._refuse, error)
            if is_stream and not _is_whole(reply):
                return await self._open(reply)
            body = reply.whole()
            if body is not None and len(body) <= AT_ONCE:
                return self._judge(body)
            if body is None:
                body = await reply.body(MAX_BODY, self.hold)
            else:
                self.hold(len(body))
            return self._judge(body) if len(body) <= LARGE else await aside(self._judge, body)
        except UpstreamError as trouble:
            return AttemptFailure(trouble.failure, self._status, is_connect=trouble.is_connect)
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", self.candidate.provider.name, fault)
            return AttemptFailure(
                Failure(kind=ErrorKind.PROTOCOL, message="the provider's package failed"), self._status
            )

    @property
    def _first_byte_s(self) -> float:
        return self._settings.first_byte_timeout or self.candidate.provider.first_byte_timeout or _FIRST_BYTE_S

    def _decoder(self) -> Decoder | None:
        try:
            decoder = self.wire.decoder(self.call, self.candidate.model)
            if decoder is not None:
                _ = decoder.decode, decoder.flush  # what lacks them fails here, and not in the middle of a stream
        except BaseException as error:
            raise PluginFault(f"{type(error).__name__} in decoder") from None
        return decoder

    def _decode(self, body: bytes) -> bytes:
        """A whole body in the client's wire format."""
        decoder = self._decoder()
        return body if decoder is None else decode_guarded(decoder.decode, body) + decode_guarded(decoder.flush)

    def _prepare(self) -> UpstreamRequest | Failure:
        try:
            model = self.candidate.model
            if self.reservation is not None and self.reservation.max_tokens is not None:
                model = dataclasses.replace(model, max_output=self.reservation.max_tokens)
            refusal = self.wire.refusal(self.call, model)
            request = refusal or self.wire.prepare(self.call, model, self.candidate.key)
        except BaseException as error:
            raise PluginFault(f"{type(error).__name__} in prepare") from None
        if isinstance(request, Failure):
            return request
        if is_sendable(request):
            if self.candidate.is_redirected:
                return passed_by(request, self.call.via, self._upstreams.pseudonym)
            return request
        raise PluginFault("no sound request from prepare")

    @property
    def _status(self) -> int | None:
        return self._reply.status if self._reply else None

    def hold(self, size: int) -> None:
        """Counts bytes of the answer that are kept. Raises `NoRoom`."""
        self._upstreams.budget.take(size)
        self.held += size

    def let_go(self, size: int) -> None:
        """They are kept no longer."""
        self._upstreams.budget.give_back(size)
        self.held -= size

    def settle(self, end: Settlement) -> None:
        """It has failed: what it reserved counts as far as the upstream counts it."""
        if self.reservation is not None:
            self.reservation.settle(end)

    def close(self) -> None:
        """Gives the connection back, or drops it where the answer was not read to its end."""
        if self.held:
            self.let_go(self.held)
        if self._reply is not None:
            self._reply.close()
        if self.reservation is not None:
            self.reservation.close()

    def read(self, body: bytes, phase: Phase, event: str = "") -> tuple[Answer, Reading]:
        """What the package says of an answer or a part of one."""
        assert self._reply is not None
        reply = self._reply
        answer = Answer(reply.status, reply.headers, body, self._now(), phase, event, self.call, self.candidate.model)
        try:
            reading = self.wire.read(answer)
        except BaseException as error:
            raise PluginFault(f"{type(error).__name__} in read") from None
        if type(reading) is not Reading or not is_actionable(reading):
            raise PluginFault("no sound reading from read")
        return answer, reading

    def find_failure(self, event: sse.StreamEvent) -> Failure | None:
        """What an event of a committed stream says has failed."""
        try:
            return self.read(event.data or b"", Phase.EVENT, event.name)[1].failure
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", self.candidate.provider.name, fault)
            return None

    async def _error_body(self, reply: UpstreamResponse) -> bytes:
        """What an error says; where that does not come, its status has said enough."""
        reply.expect_by(self._upstreams.clock() + _ERROR_BODY_S)
        try:
            return await reply.body(MAX_ERROR_BODY, self.hold)
        except (UpstreamError, NoRoom):
            return b""

    def _refuse(self, body: bytes) -> AttemptFailure:
        answer, reading = self.read(body, Phase.STATUS)
        failure = reading.failure or Failure(kind=ErrorKind.PROTOCOL, message=f"status {answer.status} says nothing")
        return AttemptFailure(failure, answer.status, reading.account, quota=reading.quota)

    def _judge(self, raw: bytes) -> AttemptSuccess | AttemptFailure:
        """A whole 200."""
        body = self._decode(raw)
        answer, reading = self.read(body, Phase.BODY)
        if reading.failure is not None:
            return AttemptFailure(reading.failure, answer.status, reading.account, quota=reading.quota)
        if self.call.operation is Operation.EMBEDDINGS:
            fault = vectors.fault_of(self.call, body)
            assert self._reply is not None
            return AttemptSuccess(self._reply, body) if fault is None else self.broken(fault)
        is_large = len(body) > LARGE
        content: object = None if not is_large else outline_of(body, self.most_choices)
        if content is None:
            content = answer.json
        if self.call.stream or not isinstance(content, dict):
            return self.broken("the answer is not what was asked for")
        assert self._reply is not None
        choices = content.get("choices")
        if not isinstance(choices, list):
            return self.broken("the answer has no choices")
        if len(choices) > 1 and len(choices) > self.most_choices:
            return self.broken("the answer has more choices than were asked for")
        return AttemptSuccess(self._reply, body, is_empty=not choices if is_large else _says_nothing(content, choices))

    @property
    def most_choices(self) -> int:
        """How many choices the client asked for."""
        raw = self.call.fields.get("n")
        if raw is None or (text := bytes(raw)) == b"null":
            return 1
        return int(text) if text.isdigit() and len(text) < 4 else _MOST_CHOICES

    def broken(self, message: str) -> AttemptFailure:
        return AttemptFailure(Failure(kind=ErrorKind.PROTOCOL, message=message), self._status)

    async def _open(self, reply: UpstreamResponse) -> AttemptSuccess | AttemptFailure:
        """Reads a stream up to its commit."""
        opening = Opening(self)
        stream = AnswerStream(reply, self._decoder(), self)
        ends_by = NEVER
        try:
            while data := await stream.read():
                verdict = opening.feed(data)
                if verdict is not None:
                    break
                if ends_by == NEVER and opening.is_finished and self.most_choices == 1:
                    ends_by = self._upstreams.clock() + sse.ENDING_S
                reply.expect_by(min(self._content_due(opening), ends_by))
            else:
                verdict = opening.end()
        except UpstreamError:
            if not opening.is_finished:
                raise
            verdict = opening.end()  # after a finish reason the answer is whole, however its connection ended
        if isinstance(verdict, AttemptFailure):
            return verdict
        reply.expect_by(NEVER)  # what it says from here on is for its reader to wait for
        return AttemptSuccess(reply, opening.held, stream, is_empty=verdict is EMPTY)

    def _content_due(self, opening: Opening) -> float:
        """When content has to come, now that something else has."""
        due = self._asked_at + min(_LIVING_EXTENDS * self._first_byte_s, self._most_s)
        self.is_kept_warm = opening.is_comments_only
        return due if self.is_kept_warm else min(due, self._upstreams.clock() + self._settings.idle_timeout)


def _is_whole(reply: UpstreamResponse) -> bool:
    """Whether a 200 is plainly no event stream."""
    return reply.headers.get("content-type", "").lower().startswith(("application/json", "text/html"))


def _says_nothing(content: dict[str, object], choices: list[object]) -> bool:
    return (
        not sse.shows_content(choices) and sse.finish_of(choices) in ("", "stop") and usage_in_body(content).output == 0
    )


class AnswerStream:
    """A stream's bytes in the client's own format."""

    __slots__ = ("_attempt", "_decoder", "_is_over", "_kept", "reply")

    def __init__(self, reply: UpstreamResponse, decoder: Decoder | None, attempt: Attempt) -> None:
        self.reply = reply
        self._decoder = decoder
        self._attempt = attempt
        self._is_over = False
        self._kept = 0
        """Bytes that the decoder was given since it last said something."""

    async def pass_on(self, take: Take) -> Passage:
        """As that of `UpstreamResponse`."""
        return await (self.reply.pass_on(take) if self._decoder is None else pass_on(self.read, take))

    async def read(self) -> bytes:
        """What has come since the last time. Waits where that is nothing; empty: the stream is over."""
        if self._decoder is None:
            return await self.reply.read()
        while not self._is_over:
            data = await self.reply.read()
            self._is_over = not data
            decoded = decode_guarded(self._decoder.decode, data) if data else decode_guarded(self._decoder.flush)
            if len(data) >= AT_ONCE:  # more may be waiting
                await asyncio.sleep(0)
            if decoded:
                self._attempt.let_go(self._kept)
                self._kept = 0
                return decoded
            self._attempt.hold(len(data))
            self._kept += len(data)
            if self._kept > _MAX_EVENT:
                raise UpstreamError(ErrorKind.PROTOCOL, f"an event of the stream is larger than {_MAX_EVENT} bytes")
        return b""
