"""What a provider plugin is made of: plain values in, plain values out.

A plugin never opens a socket, reads a clock or writes a file. The core hands it a `Call`, it answers with an
`UpstreamRequest`; the core sends that, hands it the `Answer`, and it replies with a `Reading`. Everything an upstream
does is a value; exceptions are for programming errors and configuration.

Most plugins need none of this by hand: `freeride_core.compatible` builds a `Provider` from data.
"""

from __future__ import annotations

import enum
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec


class Operation(enum.StrEnum):
    """What a client asks for. A provider can do what it has a wire for."""

    CHAT = "chat.completions"
    EMBEDDINGS = "embeddings"


class ErrorKind(enum.StrEnum):
    """Why an attempt failed. What follows from a kind is decided in one place: `gateway/reaction.py`."""

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


class Feature(enum.StrEnum):
    """What a request may need that not every model can do."""

    TOOLS = "tools"
    IMAGES = "images"
    JSON_SCHEMA = "json_schema"
    CONTENT_PARTS = "content_parts"
    """Message contents given as arrays of parts, or an assistant's `content: null`."""


class Phase(enum.StrEnum):
    """Where an `Answer` was caught."""

    STATUS = "status"
    """The whole answer; its status is not 200."""
    BODY = "body"
    """The whole body of a 200 that is not a stream."""
    EVENT = "event"
    """One event of a 200 stream; `body` is its data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """For people: what this provider is, and what its free tier costs in other coin than money."""

    title: str
    homepage: str
    keys_url: str = ""
    """Where a key is made; empty where none is wanted."""
    free_day: str
    """What a free day gives, in one line: `30 requests/min, 1,000 requests/day per model`."""
    sign_up: str = ""
    """What an account needs: `e-mail`, `phone`, `card`; empty where none is wanted."""
    data_use: str
    """What happens to prompts, in one line."""
    source: str
    """Where these facts come from."""
    checked: str
    """When they were last checked, ISO date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The variables that hold one provider's keys.

    `NAME`, `NAME_2`, `NAME_3`, ... are read, and a JSON array in any of them; an alias counts only where the name
    before it gave nothing. `account_variable` holds the account id where requests need one; it pairs with the
    key of the same suffix or index, else its base value serves all.
    """

    variable: str
    aliases: tuple[str, ...] = ()
    pattern: str | None = None
    """Regular expression that a whole key matches; a mismatch is a hint in `freeride keys`, never a refusal."""
    account_variable: str | None = None
    account_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One credential, ready for use. Its `repr` does not show the secret."""

    provider: str
    secret: str = field(repr=False)
    """Empty where the upstream wants no key."""
    fingerprint: str
    """12 hex digits of a SHA-256: the only form in which a key appears in state, events and listings."""
    index: int
    """0 for the first key of the provider: `k0` in events."""
    variable: str
    """Where it came from: `ACME_API_KEY_2`."""
    account_id: str | None = field(default=None, repr=False)
    base_url: str
    """Scheme, authority and prefix of all of this provider's requests; no trailing slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model as one provider serves it.

    `tier`, the rubric: 1 the best open models of the day (about 100B parameters and more, made for agents);
    2 strong all-rounders (about 20-100B, or smaller with reasoning); 3 small but useful (about 7-20B); 4 the rest and the
    unrated. A capability that is None is unknown: `auto` does not count on it, a request that names the model does.
    """

    id: str
    """The provider's own spelling."""
    canonical: str
    """The same model at two providers has the same canonical name. Quantisations merge, behaviour variants never."""
    operations: frozenset[Operation] = frozenset({Operation.CHAT})
    tier: int = 4
    context: int | None = None
    """Tokens of prompt and answer together."""
    max_output: int | None = None
    """Most tokens of answer that may be asked for; more is clamped."""
    tools: bool | None = None
    vision: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    price: float | None = None
    """The dearest of the model's published prices, USD per token; None: unknown, which is not free."""
    promoted: bool = False
    """The catalog itself marks this entry as free of charge."""
    router: bool = False
    """The upstream's own router over several models: a request for it goes on as `auto`."""
    retires: str | None = None
    """ISO date from which it is not chosen any more."""

    def supports(self, feature: str, *, assume: bool) -> bool:
        """Whether the model can do `feature`; `assume` stands in where nobody has said whether it can use tools or see."""
        if feature == Feature.TOOLS:
            return assume if self.tools is None else self.tools
        if feature == Feature.IMAGES:
            return assume if self.vision is None else self.vision
        return not (feature == Feature.JSON_SCHEMA and self.json_schema is False)


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the account behind a key when the free policy is asked."""

    can_be_billed: bool | None = None
    """None: nobody has said."""


class FreePolicy(Protocol):
    """Says whether an attempt costs nothing. Asked before a candidate exists; silence means no."""

    @property
    def asks_account(self) -> bool:
        """Whether the answer depends on the account: then the provider's probe is asked for its facts."""

    def allows(self, model: Model, account: Account) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One published window of a free tier."""

    unit: str
    """`requests`, `tokens`, `neurons`, `usd`."""
    amount: float
    window: str
    """`minute`, `day`, `month`; the day's zone in `note` where it matters."""
    scope: Scope
    source: str
    checked: str
    note: str = ""


class Call:
    """One request of a client, decoded once and shallowly.

    `fields` maps each top-level name to its value as raw JSON, byte for byte; `body` is the request as it came.
    """

    __slots__ = (
        "_features",
        "_once",
        "_pairs",
        "_prompt_tokens",
        "abilities",
        "body",
        "fields",
        "model",
        "operation",
        "output_tokens",
        "received_at",
        "stream",
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
        """As the client spelled it; empty for null."""
        self.stream = stream
        # With `fields` given, `pairs` can wait until somebody wants to replace a value: most requests go as they came.
        self._pairs = pairs if fields is not None else tuple(pairs)
        self.fields: Mapping[str, msgspec.Raw] = (
            fields if fields is not None else {name: value for _, name, value in self._pairs}
        )
        self.body = body
        self._once = once
        """Names that stand in the body at most once, as members of its own: their values are found by looking for the name."""
        self._features = features
        self._prompt_tokens = prompt_tokens
        self.abilities: frozenset[str] = self.features - {Feature.CONTENT_PARTS} if abilities is None else abilities
        """Those of the features that models are chosen by."""
        self.output_tokens = output_tokens
        """What the client asked for at most; 0: it did not say."""
        self.received_at = received_at
        """Seconds since the epoch."""

    @property
    def features(self) -> frozenset[str]:
        """The `Feature`s that the request needs."""
        if not isinstance(self._features, frozenset):
            self._features = self._features()
        return self._features

    @property
    def prompt_tokens(self) -> int:
        """An estimate, rather low than high: a wrong guess must not rule out a model that could answer."""
        if not isinstance(self._prompt_tokens, int):
            self._prompt_tokens = self._prompt_tokens()
        return self._prompt_tokens

    def value(self, name: str) -> Any:
        """A top-level value, decoded; None where it is absent."""
        raw = self.fields.get(name)
        return None if raw is None else json.loads(bytes(raw))

    def body_with(self, changes: Mapping[str, bytes | None]) -> bytes:
        """The request with some top-level values replaced, added, or (None) left out; all others byte for byte."""
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
        """The body as JSON; None where it is none."""
        known = self.__dict__
        if "_json" not in known:
            known["_json"] = self._decoded()  # functools.cached_property takes a lock for this
        return known["_json"]

    def _decoded(self) -> Any:
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
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


class Decoder(Protocol):
    """Turns the body of a 200, streamed or whole, into the client's wire format, like httpx's content decoders.

    That format is OpenAI's: a `chat.completion`, or events with a `chat.completion.chunk` each and `data: [DONE]` at the
    end; both say when they were `created`, for which there is `Call.received_at`. It is fed pieces cut anywhere, and its
    output must not depend on where. What it does not understand, such as an error, it passes on: `Wire.read` looks at
    what comes out. It invents no end: an upstream that stops midway has neither a finish reason nor `[DONE]`.
    """

    def decode(self, data: bytes) -> bytes:
        """What can be said so far; often nothing."""

    def flush(self) -> bytes:
        """The rest, once the upstream's body has ended, be it midway. Not called where the connection broke."""


class Wire(ABC):
    """How one operation is spoken with one upstream."""

    response_headers: tuple[str, ...] = ()
    """Lower-case names of upstream headers that the client may see besides rate limits and request ids."""

    def refusal(self, call: Call, model: Model) -> Failure | None:  # noqa: ARG002 - the base class ignores it
        """Why the upstream has no words for the call: then it is not asked, and the failure counts as if it had said so itself.
        None: it has."""
        return None

    @abstractmethod
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        """The request that asks `model` with `key`."""

    @abstractmethod
    def read(self, answer: Answer) -> Reading:
        """What `answer` means. Also sees the bodies and the stream events of a 200, after the decoder: errors hide there."""

    def decoder(self, call: Call, model: Model) -> Decoder | None:  # noqa: ARG002 - the base class ignores it
        """For one answer of status 200 by `model`; None: its bytes pass through as they come. `call.stream` says what was asked
        for."""
        return None


class Catalog(ABC):
    """What a provider serves: the package's own dated list, and optionally the upstream's live one."""

    models: tuple[Model, ...] = ()
    checked: str
    """When `models` was last compared with the upstream, ISO date."""
    fresh_s: float | None = None
    """Seconds for which the live list is taken to be complete; None: some hours, as most lists seldom change."""

    def request(self, key: Key) -> UpstreamRequest | None:  # noqa: ARG002 - the base class ignores it
        """Asks for the live list; None: there is none, or it cannot be derived from the key's base URL."""
        return None

    def parse(self, answer: Answer) -> tuple[Model, ...]:  # noqa: ARG002 - the base class ignores it
        """The live list; ValueError if the answer is not one. One odd entry never drops the others."""
        return ()


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe showed."""

    valid: bool | None
    """None: the answer says nothing about the key."""
    account: Account = Account()
    note: str = ""
    """For people: `38 of 50 free requests left today`. Holds no secret."""


class Probe(ABC):
    """A request that proves a key or shows its quota, and spends none."""

    @abstractmethod
    def request(self, key: Key) -> UpstreamRequest | None:
        """None: it cannot be derived from the key's base URL."""

    @abstractmethod
    def read(self, answer: Answer) -> Proof: ...


class Provider:
    """One upstream. Subclass it, or build a `CompatibleProvider` from data."""

    api_version: int
    """The version of the contract that the package was written for. Stated by the package and never inherited: only so can
    a later core tell which promises it was given."""

    name: str
    """The one string: entry point, header value, settings name. Lower-case letters, digits and underscores."""
    rank: int = 100
    """Where the provider stands when the user sets no order: by rank, then by name."""
    about: About
    credentials: tuple[Credential, ...]
    """First wins where several give keys. Empty: the upstream wants no key, and is used only where the user asks for it, by
    `FREERIDE_<NAME>_BASE_URL` or by its name in `FREERIDE_PROVIDERS`."""
    base_url: str
    """No trailing slash; `{account}` stands for the key's account id."""
    free: FreePolicy
    limits: tuple[Limit, ...] = ()
    catalog: Catalog
    wires: Mapping[Operation, Wire]
    probe: Probe | None = None
    meter: Scope = Scope.ACCOUNT
    """What a 429 without further words is about."""
    first_byte_timeout: float | None = None
    """Seconds, where this upstream needs more patience than the default."""
    free_models_variables: tuple[str, ...] = ()
    """Historic names of the variable that lists what counts as free."""
    former_names: tuple[str, ...] = ()
    """Names under which older state may know this provider."""
