"""A fault of an upstream, the ways in which it shows, and what upstreams say when they have one."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fake_upstream import CLOSE, DONE, RESET, SSE_HEAD, Script, Step, chunk, completion, framed, reply, stream


class Outcome(StrEnum):
    """What the client sees."""

    ITS_OWN = "its answer, byte for byte"
    COMPLETED = "what it said, and the `[DONE]` that it owed"
    BROKEN_OFF = "what it said, then one error event, and no `[DONE]`"
    REFUSED = "503"
    SECOND = "the second's answer"
    IN_ITS_WORDS = "400, in the upstream's words"


@dataclass(frozen=True)
class FaultTrial:
    """One way in which a fault shows: what the upstream sends, and the part of it that reaches a client if any does."""

    script: Script
    reaches: bytes = b""


@dataclass(frozen=True)
class Cooled:
    """What is not asked for a while afterwards."""

    what: str
    """`model`, `key`, `account`, `account's model` or `provider`."""
    wait_s: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`alone`: nobody else can serve; `beside`: a second provider stands by."""

    name: str
    """What the upstream does, as the end of a sentence about it."""
    is_stream: bool = True
    """What the client asked for."""
    trials: tuple[FaultTrial, ...]
    alone: Outcome
    beside: Outcome
    kind: str | None = None
    """The code of the client's error, and the kind of what is cooled."""
    cooled: Cooled | None = None
    patience: Mapping[str, Any] = field(default_factory=dict)
    """Settings that make the fault show soon."""
    is_garbled: bool = False
    """What reaches the client is no JSON, and its own parser says so."""


# What a good answer is made of

ROLE = chunk({"role": "assistant", "content": ""})
WORDS = [chunk({"content": word}) for word in ("Hel", "lo ", "you")]
STOP = chunk({}, "stop")
SAID = [ROLE, *WORDS, STOP, DONE]
BEGUN = b"".join([ROLE, *WORDS])
FINISHED = BEGUN + STOP
WHOLE = FINISHED + DONE
COMMENT = b": still here\n\n"
COMMENTS: list[Step] = [COMMENT, 0.1]
HALF = WORDS[0][:40]
LARGE = "x" * (8 << 20)
HTML = b"<html><body>Sign in</body></html>"
JSON = json.dumps(completion()).encode()


TARGET = "http://target.invalid/v1"
"""Stands for an address that listens, in a redirect: the test knows it."""


# Trials


def cut(*steps: Step) -> tuple[Script, ...]:
    """A stream whose connection is lost within its body, in each way."""
    within = [SSE_HEAD, *(framed(step) if isinstance(step, bytes) else step for step in steps)]
    announced = SSE_HEAD.replace(b"transfer-encoding: chunked", b"content-length: 100000")
    return ([*within, RESET], [*within, CLOSE], [announced, *steps, CLOSE])


def before(*scripts: Script) -> tuple[FaultTrial, ...]:
    """Nothing of it reaches the client."""
    return tuple(FaultTrial(script) for script in scripts)


def after(said: bytes, *scripts: Script) -> tuple[FaultTrial, ...]:
    return tuple(FaultTrial(script, said) for script in scripts)


def sound(*streams: Iterable[Step]) -> tuple[FaultTrial, ...]:
    """Streams that reach the client as they are."""
    each = [list(steps) for steps in streams]
    return tuple(
        FaultTrial(stream(*steps), b"".join(step for step in steps if isinstance(step, bytes))) for steps in each
    )


def torn(text: bytes, places: Iterable[int]) -> tuple[FaultTrial, ...]:
    """A stream that comes in two reads, with the border at each of these places."""
    return tuple(FaultTrial(stream(text[:place], 0.001, text[place:]), text) for place in places)


def cut_after_each(first: int, last: int) -> Iterable[FaultTrial]:
    """After each event of these numbers."""
    for count in range(first, last + 1):
        yield from after(b"".join(SAID[:count]), *cut(*SAID[:count]))


def spelled(**members: Any) -> bytes:
    """An event as short as it can be."""
    return b"data: " + json.dumps({"choices": [{"index": 0, **members}]}, separators=(",", ":")).encode() + b"\n\n"


def error_event(code: int) -> bytes:
    return b'data: {"error": {"message": "secret words", "code": %d}}\n\n' % code


def labelled(body: Any, content_type: str) -> Script:
    return reply(200, body, content_type=content_type)


def begun(ending: str) -> Script:
    """The beginning of a whole answer that is longer, and what comes instead of the rest."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n"
    return [head + JSON[:60], ending]


def zipped(body: bytes) -> Script:
    """The compressed body, as far as it can be read, without an end."""
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH)
    return [SSE_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n"), framed(packed)]


def own(*bodies: bytes) -> tuple[FaultTrial, ...]:
    """Whole answers that reach the client as they are."""
    return tuple(FaultTrial(reply(200, body), body) for body in bodies)


def redirects() -> tuple[FaultTrial, ...]:
    places = [(status, TARGET) for status in (301, 302, 303, 307, 308)]
    return before(*(reply(status, b"", {"Location": place}) for status, place in [*places, (302, "/elsewhere")]))


def answer(message: dict[str, Any], **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return json.dumps(completion(choices=[choice], **more)).encode()
