"""One attempt, as plugins see it: what is sent, what comes back, and what that means."""

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
"""Bytes of a body that is decoded at all: no error or list is as long."""


class ErrorKind(enum.StrEnum):
    """Why an attempt failed. What follows from a kind is decided in one place: `gateway/walk/reaction.py`."""

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
    """What a failure is about, from narrow to wide: which attempts would meet it again."""

    KEY = "key"
    """This credential, every model."""
    ACCOUNT = "account"
    """Every key of the account, every model."""
    ACCOUNT_MODEL = "account_model"
    """This model, for every key of the account."""
    MODEL = "model"
    """This model, whoever asks."""
    PROVIDER = "provider"
    """Everything at this provider."""


class Phase(enum.StrEnum):
    """Where an `Answer` was caught."""

    STATUS = "status"
    """The whole answer; its status is not 200."""
    BODY = "body"
    """The whole body of a 200 that is not a stream."""
    EVENT = "event"
    """One event of a 200 stream; `body` is its data."""


@dataclass(frozen=True, init=False)
class UpstreamRequest:
    """What to send. `url` is absolute and begins with the key's `base_url`."""

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
    """What came back. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    now: float
    """Seconds since the epoch: the only clock a plugin sees."""
    phase: Phase = Phase.STATUS
    event: str = ""
    """The name of a stream's event; empty for the usual unnamed ones."""
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
        """The first 64 KiB of the body as it came, whatever it is."""
        known = self.__dict__
        if "_text" not in known:
            known["_text"] = self.body[:65536].decode("utf-8", "replace")
        return str(known["_text"])

    @property
    def json(self) -> Any:
        """The body as JSON. None where it is none, or has more values than `json_values` allows: building them would cost more
        memory than a hostile upstream may take, and hold up every other request."""
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
    """A kind that this core does not know acts as `next candidate` and cools nothing. It is a word or some, `like_this`: everyone
    gets to see it, so whatever else stands here counts as a fault of the package."""
    scope: Scope | None = None
    """What is affected; None: what is usual for the kind."""
    retry_at: float | None = None
    """When the upstream says that it can be asked again, seconds since the epoch; None: it said nothing usable."""
    message: str = ""
    """The upstream's own words, for the client whose fault it is. Never logged."""
    feature: str | None = None
    """With `unsupported`: the feature that (provider, model) lacks, to be remembered."""
    param: str | None = None
    """With a client's fault: the field at fault, where the upstream named it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer means."""

    failure: Failure | None = None
    account: str | None = None
    """The account that the upstream named in its answer: evidence that keys belong together."""
