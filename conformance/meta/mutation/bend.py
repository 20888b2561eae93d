"""Wires that do one thing otherwise than the package means them to."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from freeride_core.answer import Answer, Phase, Reading, UpstreamRequest
from freeride_core.call import Call
from freeride_core.model import Model
from freeride_core.provider import Key, Wire

Headers = tuple[tuple[str, str], ...]


def _bent(wire: Wire, **methods: Callable[..., Any]) -> Wire:
    """A copy of which some methods are others; they get the original wire first."""
    members = {name: lambda _, *rest, method=method: method(wire, *rest) for name, method in methods.items()}
    other = copy.copy(wire)
    object.__setattr__(other, "__class__", type(f"Bent{type(wire).__name__}", (type(wire),), members))
    return other


def _with_headers(change: Callable[[Headers, Key], Headers]) -> Callable[..., UpstreamRequest]:
    def prepare(wire: Wire, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request = wire.prepare(call, model, key)
        return dataclasses.replace(request, headers=change(request.headers, key))

    return prepare


def _of_body(wire: Wire, call: Call, model: Model, key: Key) -> UpstreamRequest:
    return dataclasses.replace(wire.prepare(call, model, key), body=call.body)


def _reading(change: Callable[[Answer, Reading], Reading]) -> Callable[..., Reading]:
    return lambda wire, answer: change(answer, wire.read(answer))


def _without_hint(_: Answer, reading: Reading) -> Reading:
    failure = reading.failure
    return (
        reading
        if failure is None
        else dataclasses.replace(reading, failure=dataclasses.replace(failure, retry_at=None))
    )


def _without_words(_: Answer, reading: Reading) -> Reading:
    failure = reading.failure
    return (
        reading if failure is None else dataclasses.replace(reading, failure=dataclasses.replace(failure, message=""))
    )


def _blind_in(phase: Phase) -> Callable[[Answer, Reading], Reading]:
    return lambda answer, reading: Reading() if answer.phase is phase else reading


def bends(wire: Wire, call: Call, model: Model) -> Iterator[tuple[str, Wire]]:
    """Each with what is wrong with it."""
    without_key = _with_headers(lambda headers, key: tuple(pair for pair in headers if key.secret not in pair[1]))
    other_scheme = _with_headers(
        lambda headers, key: tuple(
            (name, f"Token {key.secret}" if key.secret in value else value) for name, value in headers
        )
    )
    yield " without the key", _bent(wire, prepare=without_key)
    yield " with another scheme", _bent(wire, prepare=other_scheme)
    yield " sends the body as it came", _bent(wire, prepare=_of_body)
    yield " ignores hints", _bent(wire, read=_reading(_without_hint))
    yield " forgets the upstream's words", _bent(wire, read=_reading(_without_words))
    yield " takes every first event for good", _bent(wire, read=_reading(_blind_in(Phase.EVENT)))
    yield " takes every 200 for good", _bent(wire, read=_reading(_blind_in(Phase.BODY)))
    if wire.decoder(call, model) is not None:
        yield " without its decoder", _bent(wire, decoder=lambda *_: None)
