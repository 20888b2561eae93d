"""The opening of a stream: what comes before it commits, held back so that another upstream can still answer."""

from __future__ import annotations

from typing import Protocol

import msgspec

from freeride_core.answer import Answer, Failure, Phase, Quota, Reading
from freeride_core.events.usage import usage_in_body
from freeride_core.gateway.http import sse


class AttemptFailure(msgspec.Struct):
    """An attempt that failed."""

    failure: Failure
    status: int | None = None
    account: str | None = None
    is_connect: bool = False
    """The upstream was never reached."""
    quota: tuple[Quota, ...] = ()
    """What the upstream told of its limits."""


class Reader(Protocol):
    """Reads parts of an answer as the provider's package has it."""

    def read(self, body: bytes, phase: Phase, event: str = "") -> tuple[Answer, Reading]: ...

    def broken(self, message: str) -> AttemptFailure: ...


class _Committed:
    """The stream says something."""


class _Empty:
    """The stream has ended without a word."""


COMMITTED = _Committed()
EMPTY = _Empty()
Verdict = _Committed | _Empty | AttemptFailure


class Opening:
    """Feed it until there is a verdict."""

    def __init__(self, attempt: Reader) -> None:
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
    def is_finished(self) -> bool:
        """A finish reason has come, and no word before it."""
        return bool(self._finish)

    @property
    def held(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, chunk: bytes) -> Verdict | None:
        """None: not plain yet."""
        self._parts.append(chunk)
        self._size += len(chunk)
        data = self._tail + chunk
        start = 0
        for end in sse.block_ends(data, len(self._tail)):
            verdict = self._weigh(sse.parse(data[start:end]))
            if verdict is not None:
                return verdict
            start = end
            if start > sse.MAX_HELD:
                return COMMITTED
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
                return AttemptFailure(reading.failure, answer.status, reading.account, quota=reading.quota)
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
            return AttemptFailure(reading.failure, answer.status, reading.account, quota=reading.quota)
        content = answer.json
        if not isinstance(content, dict):
            return self._attempt.broken("an event of the stream is not JSON") if event.data.strip() else None
        choices = content.get("choices")
        self._tokens = self._tokens or usage_in_body(content).output
        self._finish = self._finish or sse.finish_of(choices)
        if sse.shows_content(choices) or self._finish not in ("", "stop") or (self._finish and self._tokens):
            return COMMITTED
        return None
