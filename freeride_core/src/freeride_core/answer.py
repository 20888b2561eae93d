"""One attempt, as plugins see it: the request to the upstream, the response, and its meaning."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from freeride_core.call import Call
from freeride_core.model import Model
from freeride_core.system.json_values import LARGE, PATIENT_MOST, has_too_many_values

_LONGEST = 32 * 1024 * 1024
"""Bytes. A longer body is not decoded: no error or list is so long."""


class ErrorKind(enum.StrEnum):
    """Why an attempt failed. `gateway/walk/reaction.py` alone decides what a kind leads to."""

    RATE_LIMIT = "rate_limit"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTH = "auth"
    MODEL_NOT_FOUND = "model_not_found"
    UNSUPPORTED = "unsupported"
    CONTEXT_LENGTH = "context_length"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    NETWORK = "network"
    PROTOCOL = "protocol"
    BAD_REQUEST = "bad_request"
    CONTENT_FILTER = "content_filter"


class Scope(enum.StrEnum):
    """What a failure affects: the attempts that would fail in the same way."""

    KEY = "key"
    """This key, every model."""
    ACCOUNT = "account"
    """Every key of the account, every model."""
    ACCOUNT_MODEL = "account_model"
    """This model, for every key of the account."""
    MODEL = "model"
    """This model, for every key of every account."""
    PROVIDER = "provider"
    """Everything at this provider."""


class Phase(enum.StrEnum):
    """The part of a response that an `Answer` holds."""

    STATUS = "status"
    """The whole response; its status is not 200."""
    BODY = "body"
    """The whole body of a 200 that is not a stream."""
    EVENT = "event"
    """One event of a 200 stream; `body` is its data."""


@dataclass(frozen=True, init=False)
class UpstreamRequest:
    """The request to send. `url` is absolute and begins with the key's `base_url`."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def __init__(self, method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> None:
        # What a frozen dataclass does for itself takes three times as long, and there is one for every attempt.
        own = self.__dict__
        own["method"] = method
        own["url"] = url
        own["headers"] = headers
        own["body"] = body


@dataclass(frozen=True, init=False)
class Answer:
    """A response of an upstream, or a part of it. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    now: float
    """Seconds since the epoch. A plugin sees no other clock."""
    phase: Phase = Phase.STATUS
    event: str = ""
    """The name of a stream's event; empty if it has none, as is usual."""
    call: Call | None = None
    model: Model | None = None

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        now: float,
        phase: Phase = Phase.STATUS,
        event: str = "",
        call: Call | None = None,
        model: Model | None = None,
    ) -> None:
        # As above: every answer and every first event is one.
        own = self.__dict__
        own["status"] = status
        own["headers"] = headers
        own["body"] = body
        own["now"] = now
        own["phase"] = phase
        own["event"] = event
        own["call"] = call
        own["model"] = model

    @property
    def text(self) -> str:
        """Return the first 64 KiB of the body as text, whatever it is."""
        known = self.__dict__
        if "_text" not in known:
            known["_text"] = self.body[:65536].decode("utf-8", "replace")
        return str(known["_text"])

    @property
    def json(self) -> Any:
        """Return the body, decoded from JSON, or None if it is not JSON or has more values than `json_values` allows.

        Building more would give a hostile upstream too much memory, and delay every other request."""
        known = self.__dict__
        if "_json" not in known:
            known["_json"] = self._decoded()  # functools.cached_property takes a lock for this
        return known["_json"]

    def _decoded(self) -> Any:
        size = len(self.body)
        if size > LARGE and (size > _LONGEST or has_too_many_values(self.body, at_a_glance=self.phase is Phase.EVENT)):
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        if size > PATIENT_MOST:
            return None
        try:
            return json.loads(self.body)  # more patient: lone surrogates, NaN, other encodings
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an attempt failed."""

    kind: ErrorKind | str
    """A kind that this core does not know acts as *next candidate* and cools nothing. It must be lower-case words, `like_this`,
    because clients and events show it. Anything else counts as a fault of the package."""
    scope: Scope | None = None
    """What the failure affects, or None for the usual scope of the kind."""
    retry_at: float | None = None
    """When the upstream can be tried again, in seconds since the epoch, or None if it does not say."""
    message: str = ""
    """The upstream's message, for a client whose request is at fault. Never logged."""
    feature: str | None = None
    """With `unsupported`: the feature that the model lacks at this provider. It is remembered."""
    param: str | None = None
    """The field of the request that is at fault, if the upstream names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What an upstream told about one limit. All but the name are optional."""

    limit_name: str
    """That of a `Limit` of the same package; another one is ignored."""
    limit: float | None = None
    remaining: float | None = None
    used: float | None = None
    reset_at: float | None = None
    """When it is free again, in seconds since the epoch."""
    requested: float | None = None
    """What the refused request was counted as."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a response means."""

    failure: Failure | None = None
    account: str | None = None
    """The account that the upstream names in its response, if any. It shows which keys belong together."""
    quota: tuple[Quota, ...] = ()
    """What the response says of the account's limits. A refusal that names a limit shuts only what that limit is of."""
