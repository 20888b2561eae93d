"""The events themselves: one record a kind, with the members that docs/events.md lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from freeride_core.events.usage import Usage, usage_in_ending

Event = Mapping[str, Any]


class EventRecord(msgspec.Struct, gc=False, tag_field="type", omit_defaults=True):
    """An event of the kinds that every request has, which costs its request little; a mapping is made of it off the path."""

    ts: float
    request_id: str


class RequestStart(EventRecord, gc=False, tag="request_start"):
    model: str
    stream: bool
    operation: str
    client: str = ""
    """The products that the client names in its User-Agent, without keys, or empty if it names none."""
    protocol: str = ""
    """The client's protocol; empty if the operation says it."""


class ProviderAttempt(EventRecord, gc=False, tag="provider_attempt"):
    provider: str
    key_index: int
    model: str
    operation: str
    hedge: bool = False


class ProviderResponse(EventRecord, gc=False, tag="provider_response"):
    provider: str
    key_index: int
    model: str
    duration_ms: int
    status: str
    retry_after_s: int | None = None
    first_chunk: bool = False
    hedge: bool = False


class RequestComplete(EventRecord, gc=False, tag="request_complete"):
    provider: str
    model: str
    attempts: int
    duration_ms: int
    usage: Usage | bytes | None = None
    """Tokens, or None if the upstream reported none. Until the bus is drained: the end of the answer, to be read off the path."""

    def finish(self) -> None:
        """Reads the usage out of the answer's end."""
        if isinstance(self.usage, bytes):
            usage = usage_in_ending(self.usage)
            self.usage = None if usage == Usage() else usage

    @property
    def usage_read(self) -> Usage:
        """The usage of a finished event; all 0 if the upstream reported none."""
        return self.usage if isinstance(self.usage, Usage) else Usage()


def as_mapping(event: Event | EventRecord) -> Event:
    """As observers see it."""
    mapping: Event = msgspec.to_builtins(event) if isinstance(event, EventRecord) else event
    return mapping
