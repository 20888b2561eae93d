"""One request of a client, as plugins see it."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from freeride_core.system.json_values import PATIENT_MOST

if TYPE_CHECKING:
    from freeride_core.model import Model


class Operation(enum.StrEnum):
    """What a client asks for. A provider supports the operations that it has a wire for."""

    CHAT = "chat.completions"
    EMBEDDINGS = "embeddings"


class Feature(enum.StrEnum):
    """What a request may need and not every model supports."""

    TOOLS = "tools"
    IMAGES = "images"
    JSON_SCHEMA = "json_schema"
    CONTENT_PARTS = "content_parts"
    """Contents of messages as arrays of parts, or an assistant's `content: null`."""


class Effort(NamedTuple):
    """How much a model is to think, as a client of another protocol than chat completions asks for it."""

    level: str
    """A value of `reasoning_effort`: none, low, medium or high."""
    field: str
    """The client's own field, named to it where the model does not take the level."""

    def is_taken(self, model: Model) -> bool:
        return self.level in model.efforts


class Call:
    """One request of a client, decoded once and shallowly.

    `fields` maps each top-level name to its value as raw JSON, byte for byte. `body` is the request as it arrived.
    """

    __slots__ = (
        "_features",
        "_once",
        "_pairs",
        "_prompt_tokens",
        "abilities",
        "body",
        "effort",
        "fields",
        "model",
        "operation",
        "output_tokens",
        "received_at",
        "stream",
        "via",
    )

    def __init__(
        self,
        *,
        operation: Operation,
        model: str,
        stream: bool,
        pairs: Iterable[tuple[bytes, str, msgspec.Raw]],
        body: bytes,
        features: frozenset[str] | Callable[[], frozenset[str]] = frozenset(),
        prompt_tokens: int | Callable[[], int] = 0,
        output_tokens: int = 0,
        fields: Mapping[str, msgspec.Raw] | None = None,
        abilities: frozenset[str] | None = None,
        received_at: float = 0.0,
        once: frozenset[str] = frozenset(),
    ) -> None:
        self.operation = operation
        self.model = model
        """As the client wrote it; empty for null."""
        self.stream = stream
        # With `fields` given, `pairs` are read only to replace a value: most requests are passed on as they are.
        self._pairs = pairs if fields is not None else tuple(pairs)
        self.fields: Mapping[str, msgspec.Raw] = (
            fields if fields is not None else {name: value for _, name, value in self._pairs}
        )
        self.body = body
        self._once = once
        """Names that appear in the body at most once, as top-level members. Their values are found by searching for the name."""
        self._features = features
        self._prompt_tokens = prompt_tokens
        self.abilities: frozenset[str] = self.features - {Feature.CONTENT_PARTS} if abilities is None else abilities
        """The features by which models are chosen."""
        self.output_tokens = output_tokens
        """The most that the client asks for, or 0 if it does not say."""
        self.received_at = received_at
        """Seconds since the epoch."""
        self.via = b""
        """The request's `Via` header."""
        self.effort: Effort | None = None
        """What the wire adds as `reasoning_effort` where the model takes it. Of chat completions it is one of `fields`."""

    @property
    def features(self) -> frozenset[str]:
        """Return the `Feature`s that the request needs."""
        if not isinstance(self._features, frozenset):
            self._features = self._features()
        return self._features

    @property
    def prompt_tokens(self) -> int:
        """Return an estimate that is low rather than high: it must not rule out a model that could answer.

        Each of several inputs is a prompt of its own; the estimate is that of the longest."""
        if not isinstance(self._prompt_tokens, int):
            self._prompt_tokens = self._prompt_tokens()
        return self._prompt_tokens

    def value(self, name: str) -> Any:
        """Return a top-level value, decoded, or None if it is absent.

        Raises ValueError for megabytes that only a slow parser can read."""
        raw = self.fields.get(name)
        if raw is None:
            return None
        try:
            return msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = bytes(raw)
        if len(text) > PATIENT_MOST:
            raise ValueError(f"{name} holds what takes too long to decode")
        return json.loads(text)  # lone surrogates, NaN, numbers without end

    def body_with(self, changes: Mapping[str, bytes | None]) -> bytes:
        """Return the request with some top-level values replaced, added or (None) left out, and all others byte for byte."""
        if not changes:
            return self.body
        if len(changes) == 1:
            [(name, new)] = changes.items()
            if new is not None and name in self._once and name in self.fields:
                return self._spliced(name, new)
        parts: list[bytes | msgspec.Raw] = [b"{"]
        for raw_name, name, value in self._pairs:
            new = changes.get(name, value)
            if new is not None:
                parts += (raw_name, b":", new, b",")
        for name, new in changes.items():
            if new is not None and name not in self.fields:
                parts += (json.dumps(name).encode(), b":", new, b",")
        parts[-1] = b"}" if len(parts) > 1 else b"{}"
        return b"".join(parts)

    def _spliced(self, name: str, new: bytes) -> bytes:
        body, value = self.body, bytes(self.fields[name])
        at = body.index(value, body.index(b'"%b"' % name.encode()) + len(name) + 2)
        return b"".join((body[:at], new, body[at + len(value) :]))
