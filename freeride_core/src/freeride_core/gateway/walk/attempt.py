"""One attempt: one request to one upstream, until it is plain whether it serves."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from types import NoneType

import msgspec

from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Reading, UpstreamRequest
from freeride_core.call import Call, Operation
from freeride_core.gateway.http import sse
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.response import MAX_ERROR_BODY, UpstreamResponse, pass_on
from freeride_core.gateway.http.upstreams import Upstreams
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.provider import Decoder, Wire
from freeride_core.settings.resolver import Settings

_log = logging.getLogger(__name__)
_COMMENTS_EXTEND = 4
"""A comment shows that the upstream lives; it may take this many times as long to its first event."""
_FIRST_BYTE_S = 30.0
"""How long a stream may take to its first byte where neither the user nor the package says."""
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


class AttemptFailure(msgspec.Struct):
    """An attempt that failed."""

    failure: Failure
    status: int | None = None
    account: str | None = None
    is_connect: bool = False
    """The upstream was never reached."""


class PluginFault(Exception):
    """A provider's package raised where it should have answered. Its text names the exception's type and no more: the
    exception's own words may quote a prompt or a key. Whatever is raised becomes one: a package's SystemExit would end the
    gateway, and nobody else raises in its code, which never waits."""


class Attempt:
    """Asks one candidate. Use `run` once, and `close` whatever happens."""

    __slots__ = ("_asked_at", "_now", "_reply", "_settings", "_upstreams", "_wire", "call", "candidate", "sent_at")

    def __init__(
        self, call: Call, candidate: Candidate, upstreams: Upstreams, settings: Settings, now: Callable[[], float]
    ) -> None:
        self.call = call
        self.candidate = candidate
        self._wire: Wire = candidate.provider.wires[call.operation]
        self._upstreams = upstreams
        self._settings = settings
        self._now = now
        self._reply: UpstreamResponse | None = None
        self._asked_at = 0.0
        self.sent_at = now()
        """Seconds since the epoch."""

    async def run(self, is_wanted: Callable[[], bool]) -> AttemptSuccess | AttemptFailure:
        """Until the answer is whole (or its stream commits), or has failed. Raises `Withdrawn` if it was not sent."""
        is_stream = self.call.stream
        within_s = self._first_byte_s if is_stream else self._settings.answer_timeout
        self._asked_at = self._upstreams.clock()
        try:
            request = self._prepare()
            if isinstance(request, Failure):
                return AttemptFailure(request)
            reply = self._reply = await self._upstreams.send(request, is_wanted, within_s=within_s)
            if reply.status != 200:
                error = reply.whole(MAX_ERROR_BODY)
                return self._refuse(await self._error_body(reply) if error is None else error, Phase.STATUS)
            if is_stream and not _is_whole(reply):
                return await self._open(reply)
            body = reply.whole()
            return self._judge(self._decode(await reply.body() if body is None else body))
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
            decoder = self._wire.decoder(self.call, self.candidate.model)
            if decoder is not None:
                _ = decoder.decode, decoder.flush  # what lacks them fails here, and not amid a stream
        except BaseException as error:
            raise PluginFault(f"{type(error).__name__} in decoder") from None
        return decoder

    def _decode(self, body: bytes) -> bytes:
        """A whole body in the client's wire format."""
        decoder = self._decoder()
        return body if decoder is None else _guarded(decoder.decode, body) + _guarded(decoder.flush)

    def _prepare(self) -> UpstreamRequest | Failure:
        try:
            refusal = self._wire.refusal(self.call, self.candidate.model)
            request = refusal or self._wire.prepare(self.call, self.candidate.model, self.candidate.key)
        except BaseException as error:
            raise PluginFault(f"{type(error).__name__} in prepare") from None
        if isinstance(request, Failure) or _is_sound(request):
            return request
        raise PluginFault("no sound request from prepare")

    @property
    def _status(self) -> int | None:
        return self._reply.status if self._reply else None

    def close(self) -> None:
        """Gives the connection back, or drops it where the answer was not read to its end."""
        if self._reply is not None:
            self._reply.close()

    def read(self, body: bytes, phase: Phase, event: str = "") -> tuple[Answer, Reading]:
        """What the package says of an answer or a part of one."""
        assert self._reply is not None
        reply = self._reply
        answer = Answer(reply.status, reply.headers, body, self._now(), phase, event, self.call, self.candidate.model)
        try:
            reading = self._wire.read(answer)
        except BaseException as error:
            raise PluginFault(f"{type(error).__name__} in read") from None
        if type(reading) is not Reading or not _is_readable(reading):
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
            return await reply.body(MAX_ERROR_BODY)
        except UpstreamError:
            return b""

    def _refuse(self, body: bytes, phase: Phase) -> AttemptFailure:
        answer, reading = self.read(body, phase)
        failure = reading.failure or Failure(kind=ErrorKind.PROTOCOL, message=f"status {answer.status} says nothing")
        return AttemptFailure(failure, answer.status, reading.account)

    def _judge(self, body: bytes) -> AttemptSuccess | AttemptFailure:
        """A whole 200."""
        answer, reading = self.read(body, Phase.BODY)
        if reading.failure is not None:
            return AttemptFailure(reading.failure, answer.status, reading.account)
        content = answer.json
        if self.call.stream or not isinstance(content, dict):
            return self.broken("the answer is not what was asked for")
        assert self._reply is not None
        if self.call.operation is Operation.EMBEDDINGS:
            return (
                AttemptSuccess(self._reply, body)
                if content.get("data")
                else self.broken("the answer holds no embeddings")
            )
        choices = content.get("choices")
        if not isinstance(choices, list):
            return self.broken("the answer has no choices")
        return AttemptSuccess(self._reply, body, is_empty=_says_nothing(content, choices))

    def broken(self, message: str) -> AttemptFailure:
        return AttemptFailure(Failure(kind=ErrorKind.PROTOCOL, message=message), self._status)

    async def _open(self, reply: UpstreamResponse) -> AttemptSuccess | AttemptFailure:
        """Reads a stream up to its commit."""
        opening = Opening(self)
        stream = AnswerStream(reply, self._decoder())
        while data := await stream.read():
            verdict = opening.feed(data)
            if verdict is not None:
                break
            if opening.is_comments_only:
                reply.expect_by(self._asked_at + _COMMENTS_EXTEND * self._first_byte_s)
            else:
                reply.expect_by(self._upstreams.clock() + self._settings.idle_timeout)
        else:
            verdict = opening.end()
        if isinstance(verdict, AttemptFailure):
            return verdict
        reply.expect_by(NEVER)  # what it says from here on is for its reader to wait for
        return AttemptSuccess(reply, opening.held, stream, is_empty=verdict is EMPTY)


def _is_whole(reply: UpstreamResponse) -> bool:
    """Whether a 200 is plainly no event stream."""
    return reply.headers.get("content-type", "").lower().startswith(("application/json", "text/html"))


def _says_nothing(content: dict[str, object], choices: list[object]) -> bool:
    return (
        not sse.shows_content(choices)
        and sse.finish_of(choices) in ("", "stop")
        and sse.completion_tokens(content) == 0
    )


class AnswerStream:
    """A stream's bytes in the client's own format."""

    __slots__ = ("_decoder", "_is_over", "reply")

    def __init__(self, reply: UpstreamResponse, decoder: Decoder | None) -> None:
        self.reply = reply
        self._decoder = decoder
        self._is_over = False

    async def pass_on(self, take: Callable[[bytes], bool]) -> bool:
        """Reads on for `take` until that says no, which makes this true; false: the stream is over."""
        return await (self.reply.pass_on(take) if self._decoder is None else pass_on(self.read, take))

    async def read(self) -> bytes:
        """What has come since the last time. Waits where that is nothing; empty: the stream is over."""
        if self._decoder is None:
            return await self.reply.read()
        while not self._is_over:
            data = await self.reply.read()
            self._is_over = not data
            if decoded := _guarded(self._decoder.decode, data) if data else _guarded(self._decoder.flush):
                return decoded
        return b""


def _guarded(decode: Callable[..., bytes], *data: bytes) -> bytes:
    try:
        decoded = decode(*data)
    except BaseException as error:
        raise PluginFault(f"{type(error).__name__} in decode") from None
    if type(decoded) is not bytes:
        raise PluginFault("no bytes from decode")
    return decoded


def _is_sound(request: object) -> bool:
    """Whether it is a request that can be sent."""
    return (
        isinstance(request, UpstreamRequest)
        and (
            type(request.url),
            type(request.headers),
            type(request.body),
        )
        == _SENDABLE
    )


_SENDABLE = (str, tuple, bytes)
_MOMENTS = (NoneType, int, float)
_KIND = re.compile("[a-z]+(_[a-z]+){0,3}")
"""A kind that a later core knows is a word. An upstream's own words are none, and a kind is shown to everyone."""


def _is_readable(reading: object) -> bool:
    """Whether it is a reading that can be acted on."""
    failure = reading.failure if isinstance(reading, Reading) else reading
    if failure is None:
        return True
    if not isinstance(failure, Failure) or type(failure.retry_at) not in _MOMENTS:
        return False
    kind: object = failure.kind
    return isinstance(kind, ErrorKind) or (isinstance(kind, str) and _KIND.fullmatch(kind) is not None)


class _Committed:
    """The stream says something."""


class _Empty:
    """The stream has ended without a word."""


COMMITTED = _Committed()
EMPTY = _Empty()
Verdict = _Committed | _Empty | AttemptFailure


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
        data = self._tail + chunk
        start = 0
        for end in sse.block_ends(data):
            verdict = self._weigh(sse.parse(data[start:end]))
            if verdict is not None:
                return verdict
            start = end
        self._tail = data[start:]
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
                return AttemptFailure(reading.failure, answer.status, reading.account)
        return self._attempt.broken("the stream ended before it said anything")

    def _weigh(self, event: sse.StreamEvent) -> Verdict | None:
        if event.data is None:
            return None
        self.is_comments_only = False
        if event.is_done:
            self._is_done = True
            return COMMITTED if self._tokens else EMPTY
        answer, reading = self._attempt.read(event.data, Phase.EVENT, event.name)
        if reading.failure is not None:
            return AttemptFailure(reading.failure, answer.status, reading.account)
        content = answer.json
        if not isinstance(content, dict):
            return self._attempt.broken("an event of the stream is not JSON") if event.data.strip() else None
        choices = content.get("choices")
        self._tokens = self._tokens or sse.completion_tokens(content)
        self._finish = self._finish or sse.finish_of(choices)
        if sse.shows_content(choices) or self._finish not in ("", "stop") or (self._finish and self._tokens):
            return COMMITTED
        return None
