"""One attempt: one request to one upstream, until it is plain whether it serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

from freeride_core.gateway import sse
from freeride_core.gateway.upstream import MAX_ERROR_BODY, UpstreamAnswer, Upstreams, UpstreamTrouble
from freeride_core.provider import (
    Answer,
    Call,
    Decoder,
    ErrorKind,
    Failure,
    Key,
    Model,
    Operation,
    Phase,
    Provider,
    Reading,
    UpstreamRequest,
    Wire,
)

_log = logging.getLogger(__name__)
_COMMENTS_EXTEND = 4
"""A comment shows that the upstream lives; it may take this many times as long to its first event."""
_ERROR_BODY_S = 5.0
"""How long an upstream may take to say what is wrong, once its status has."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who is asked."""

    provider: Provider
    model: Model
    key: Key

    @property
    def pair(self) -> tuple[str, str]:
        return self.provider.name, self.model.id


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of one attempt, seconds."""

    first_byte_s: float
    answer_s: float
    idle_s: float


@dataclass(slots=True)
class Served:
    """An answer that can go to the client."""

    answer: UpstreamAnswer
    body: bytes = b""
    """The whole body, or what a stream said up to its commit."""
    rest: AsyncIterator[bytes] | None = None
    """What a committed stream says from here on, decoded; None: this is not a stream."""
    is_empty: bool = False
    """It says nothing; the walk may look for a better one."""


@dataclass(slots=True)
class Refused:
    """An attempt that failed."""

    failure: Failure
    status: int | None = None
    account: str | None = None
    is_connect: bool = False
    """The upstream was never reached."""


class PluginFault(Exception):
    """A provider's package raised where it should have answered. Its text names the exception's type and no more: the
    exception's own words may quote a prompt or a key."""


class Attempt:
    """Asks one candidate. Use `run` once, and `close` whatever happens."""

    def __init__(
        self, call: Call, candidate: Candidate, upstreams: Upstreams, patience: Patience, now: Callable[[], float]
    ) -> None:
        self.call = call
        self.candidate = candidate
        self._wire: Wire = candidate.provider.wires[call.operation]
        self._upstreams = upstreams
        self._patience = patience
        self._now = now
        self._answer: UpstreamAnswer | None = None
        self._chunks: AsyncGenerator[bytes] | None = None
        self.sent_at = now()
        """Seconds since the epoch."""

    async def run(self, is_wanted: Callable[[], bool]) -> Served | Refused:
        """Until the answer is whole (or its stream commits), or has failed. Raises `Withdrawn` if it was not sent."""
        first = self._patience.first_byte_s if self.call.stream else self._patience.answer_s
        try:
            request = self._prepare()
            if isinstance(request, Failure):
                return Refused(request)
            async with asyncio.timeout(first) as budget:
                self._answer = answer = await self._upstreams.send(request, is_wanted)
                if answer.status != 200:
                    return self._refuse(await _error_body(answer), Phase.STATUS)
                if self.call.stream and not _is_whole(answer):
                    return await self._open(answer, budget)
                return self._judge(self._decode(await answer.body()))
        except TimeoutError:
            return Refused(Failure(kind=ErrorKind.TIMEOUT, message="no answer in time"), self._status)
        except UpstreamTrouble as trouble:
            return Refused(trouble.failure, self._status, is_connect=trouble.is_connect)
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", self.candidate.provider.name, fault)
            return Refused(Failure(kind=ErrorKind.PROTOCOL, message="the provider's package failed"), self._status)

    def _decoder(self) -> Decoder | None:
        try:
            return self._wire.decoder(self.call, self.candidate.model)
        except Exception as error:
            raise PluginFault(f"{type(error).__name__} in decoder") from None

    def _decode(self, body: bytes) -> bytes:
        """A whole body in the client's wire format."""
        decoder = self._decoder()
        return body if decoder is None else _guarded(decoder.decode, body) + _guarded(decoder.flush)

    def _prepare(self) -> UpstreamRequest | Failure:
        try:
            refusal = self._wire.refusal(self.call, self.candidate.model)
            return refusal or self._wire.prepare(self.call, self.candidate.model, self.candidate.key)
        except Exception as error:
            raise PluginFault(f"{type(error).__name__} in prepare") from None

    @property
    def _status(self) -> int | None:
        return self._answer.status if self._answer else None

    async def close(self) -> None:
        """Gives the connection back, or drops it where the answer was not read to its end."""
        if self._chunks is not None:
            await self._chunks.aclose()
        if self._answer is not None:
            await self._answer.close()

    def read(self, body: bytes, phase: Phase, event: str = "") -> tuple[Answer, Reading]:
        """What the package says of an answer or a part of one."""
        assert self._answer is not None
        answer = Answer(
            status=self._answer.status,
            headers=self._answer.headers,
            body=body,
            now=self._now(),
            phase=phase,
            event=event,
            call=self.call,
            model=self.candidate.model,
        )
        try:
            return answer, self._wire.read(answer)
        except Exception as error:
            raise PluginFault(f"{type(error).__name__} in read") from None

    def find_failure(self, event: sse.Event) -> Failure | None:
        """What an event of a committed stream says has failed."""
        try:
            return self.read(event.data or b"", Phase.EVENT, event.name)[1].failure
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", self.candidate.provider.name, fault)
            return None

    def _refuse(self, body: bytes, phase: Phase) -> Refused:
        answer, reading = self.read(body, phase)
        failure = reading.failure or Failure(kind=ErrorKind.PROTOCOL, message=f"status {answer.status} says nothing")
        return Refused(failure, answer.status, reading.account)

    def _judge(self, body: bytes) -> Served | Refused:
        """A whole 200."""
        answer, reading = self.read(body, Phase.BODY)
        if reading.failure is not None:
            return Refused(reading.failure, answer.status, reading.account)
        content = answer.json
        if self.call.stream or not isinstance(content, dict):
            return self.broken("the answer is not what was asked for")
        assert self._answer is not None
        if self.call.operation is Operation.EMBEDDINGS:
            return Served(self._answer, body) if content.get("data") else self.broken("the answer holds no embeddings")
        choices = content.get("choices")
        if not isinstance(choices, list):
            return self.broken("the answer has no choices")
        return Served(self._answer, body, is_empty=_says_nothing(content, choices))

    def broken(self, message: str) -> Refused:
        return Refused(Failure(kind=ErrorKind.PROTOCOL, message=message), self._status)

    async def _open(self, answer: UpstreamAnswer, budget: asyncio.Timeout) -> Served | Refused:
        """Reads a stream up to its commit."""
        loop = asyncio.get_running_loop()
        first_due = budget.when()
        sent_at = loop.time() if first_due is None else first_due - self._patience.first_byte_s
        opening = Opening(self)
        self._chunks = _decoded(answer.chunks(), self._decoder())
        async for chunk in self._chunks:
            verdict = opening.feed(chunk)
            if verdict is None and opening.is_comments_only:
                budget.reschedule(sent_at + _COMMENTS_EXTEND * self._patience.first_byte_s)
            elif verdict is None:
                budget.reschedule(loop.time() + self._patience.idle_s)
            else:
                break
        else:
            verdict = opening.end()
        if isinstance(verdict, Refused):
            return verdict
        return Served(answer, opening.held, self._chunks, is_empty=verdict is EMPTY)


async def _error_body(answer: UpstreamAnswer) -> bytes:
    """What an error says; where that does not come, its status has said enough."""
    try:
        async with asyncio.timeout(_ERROR_BODY_S):
            return await answer.body(MAX_ERROR_BODY)
    except (UpstreamTrouble, TimeoutError):
        return b""


def _is_whole(answer: UpstreamAnswer) -> bool:
    """Whether a 200 is plainly no event stream."""
    return answer.headers.get("content-type", "").lower().startswith(("application/json", "text/html"))


def _says_nothing(content: dict[str, object], choices: list[object]) -> bool:
    return (
        not sse.shows_content(choices)
        and sse.finish_of(choices) in ("", "stop")
        and sse.completion_tokens(content) == 0
    )


async def _decoded(chunks: AsyncIterator[bytes], decoder: Decoder | None) -> AsyncGenerator[bytes]:
    if decoder is None:
        async for chunk in chunks:
            yield chunk
        return
    async for chunk in chunks:
        if decoded := _guarded(decoder.decode, chunk):
            yield decoded
    if decoded := _guarded(decoder.flush):
        yield decoded


def _guarded(decode: Callable[..., bytes], *data: bytes) -> bytes:
    try:
        return decode(*data)
    except Exception as error:
        raise PluginFault(f"{type(error).__name__} in decode") from None


class _Committed:
    """The stream says something."""


class _Empty:
    """The stream has ended without a word."""


COMMITTED = _Committed()
EMPTY = _Empty()
Verdict = _Committed | _Empty | Refused


class Opening:
    """The part of a stream before its commit: held back, so that another upstream can still serve."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""
        self._is_done = False
        self._finish = ""
        self._tokens = 0
        self.is_comments_only = True
        """Nothing but comments has come so far."""

    @property
    def held(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, chunk: bytes) -> Verdict | None:
        """None: not plain yet."""
        self._parts.append(chunk)
        self._size += len(chunk)
        blocks, self._tail = sse.split(self._tail + chunk)
        for block in blocks:
            verdict = self._weigh(sse.parse(block))
            if verdict is not None:
                return verdict
        if self._tail and not self._tail.startswith(b":"):
            self.is_comments_only = False
        return COMMITTED if self._size > sse.MAX_HELD else None

    def end(self) -> Verdict:
        """The upstream's stream is over."""
        if self._tail.strip():
            verdict = self._weigh(sse.parse(self._tail))
            if verdict is not None:
                return verdict
        if self._is_done or self._finish:
            return COMMITTED if self._tokens else EMPTY
        if self.held.lstrip()[:1] in (b"{", b"[", b"<"):  # no stream at all; what it is may say why
            answer, reading = self._attempt.read(self.held, Phase.BODY)
            if reading.failure is not None:
                return Refused(reading.failure, answer.status, reading.account)
        return self._attempt.broken("the stream ended before it said anything")

    def _weigh(self, event: sse.Event) -> Verdict | None:
        if event.data is None:
            return None
        self.is_comments_only = False
        if event.is_done:
            self._is_done = True
            return COMMITTED if self._tokens else EMPTY
        answer, reading = self._attempt.read(event.data, Phase.EVENT, event.name)
        if reading.failure is not None:
            return Refused(reading.failure, answer.status, reading.account)
        content = answer.json
        if not isinstance(content, dict):
            return self._attempt.broken("an event of the stream is not JSON") if event.data.strip() else None
        choices = content.get("choices")
        self._tokens = self._tokens or sse.completion_tokens(content)
        self._finish = self._finish or sse.finish_of(choices)
        if sse.shows_content(choices) or self._finish not in ("", "stop") or (self._finish and self._tokens):
            return COMMITTED
        return None
