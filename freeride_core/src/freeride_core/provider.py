"""What a provider plugin is made of: plain values in, plain values out.

A plugin never opens a socket, reads a clock or writes a file. The core passes it a `Call`, and it returns an
`UpstreamRequest`. The core sends that, passes the `Answer` back, and the plugin returns a `Reading`. Everything that an upstream
does is a value. Exceptions are for programming errors and configuration.

Most plugins write none of this by hand: `freeride_core.compatible.provider` builds a `Provider` from data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from freeride_core.answer import Answer, Failure, Quota, Reading, Scope, UpstreamRequest
from freeride_core.call import Call, Operation
from freeride_core.limit import Limit
from freeride_core.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """For people: what this provider is, and what its free tier costs other than money."""

    title: str
    homepage: str
    keys_url: str = ""
    """Where to create a key; empty if none is needed."""
    free_day: str
    """The free tier in one line: `30 requests/min, 1,000 requests/day per model`."""
    sign_up: str = ""
    """What an account needs: `e-mail`, `phone`, `card`; empty if no account is needed."""
    data_use: str
    """What happens to prompts, in one line."""
    source: str
    """Where these facts come from."""
    checked: str
    """When they were last checked, ISO date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The variables that hold one provider's keys.

    `NAME`, `NAME_2`, `NAME_3` and so on are read, and a JSON array in any of them. An alias counts only if the names before it
    are empty. `account_variable` holds the account id if requests need one. It belongs to the key with the same suffix or
    index; a single one serves all keys.
    """

    variable: str
    aliases: tuple[str, ...] = ()
    pattern: str | None = None
    """A regular expression that a whole key matches. A mismatch alone is a hint, never a refusal. A key that begins as
    another installed provider's pattern says is not sent."""
    key_header: str = ""
    """The request header that holds the bare key, such as `api-key`. Empty for a bearer token in `authorization`."""
    account_variable: str | None = None
    account_help: str = ""
    """Where a user finds the account id, in a few words: `on the right of the dashboard's overview`."""
    account_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One credential, ready for use. Its `repr` does not show the secret."""

    provider: str
    secret: str = field(repr=False)
    """Empty if the upstream needs no key."""
    fingerprint: str
    """12 hex digits of a SHA-256. A key appears in state, events and listings in this form only."""
    index: int
    """0 for the first key of the provider: `k0` in events."""
    variable: str
    """The variable that holds it: `ACME_API_KEY_2`."""
    key_header: str = ""
    """The credential's."""
    account_id: str | None = field(default=None, repr=False)
    base_url: str
    """Scheme, authority and prefix of all of this provider's requests, without a trailing slash."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of a key's account when the free policy decides."""

    can_be_billed: bool | None = None
    """None if it is unknown."""


class FreePolicy(Protocol):
    """Decides whether an attempt costs nothing, before a candidate exists. Anything unknown costs something."""

    @property
    def asks_account(self) -> bool:
        """Whether the decision depends on the account. The provider's probe then finds out about it."""

    def allows(self, model: Model, account: Account) -> bool: ...


class Decoder(Protocol):
    """Turns the body of a 200, streamed or whole, into the client's format, like httpx's content decoders.

    That format is OpenAI's: a `chat.completion`, or events with a `chat.completion.chunk` each and `data: [DONE]` at the
    end. Both have a `created` time, for which there is `Call.received_at`. Input arrives in arbitrary chunks, and the output must
    not depend on their boundaries. A decoder passes on what it does not understand, such as an error, because `Wire.read`
    sees its output. It never adds an end: a stream that breaks has neither a finish reason nor `[DONE]`.
    """

    def decode(self, data: bytes) -> bytes:
        """Return what is complete so far, often nothing."""

    def flush(self) -> bytes:
        """Return the rest after the end of the upstream's body, complete or not. Not called if the connection broke."""


class Wire(ABC):
    """How one upstream is asked for one operation."""

    response_headers: tuple[str, ...] = ()
    """Lower-case names of the upstream's headers that clients may see, besides rate limits and request ids."""

    def refusal(self, call: Call, model: Model) -> Failure | None:  # noqa: ARG002 - the base class ignores it
        """Return why the upstream cannot express the call, or None if it can.

        A failure counts as if the upstream had returned it, without a request."""
        return None

    @abstractmethod
    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        """Return the request that asks `model` with `key`."""

    @abstractmethod
    def read(self, answer: Answer) -> Reading:
        """Return what `answer` means. Also called with bodies and stream events of a 200, after the decoder: errors hide
        there."""

    def quota(self, headers: Mapping[str, str], now: float) -> tuple[Quota, ...]:  # noqa: ARG002 - the base class ignores them
        """Return what the headers of a good response say of limits. Names are lower-case; `now` is when it came."""
        return ()

    def decoder(self, call: Call, model: Model) -> Decoder | None:  # noqa: ARG002 - the base class ignores it
        """Return a decoder for one response of status 200 by `model`, or None to pass its bytes through.

        `call.stream` says whether a stream was requested."""
        return None


class Catalog(ABC):
    """The models of a provider: the package's dated list, and optionally the upstream's live one."""

    models: tuple[Model, ...] = ()
    checked: str
    """The ISO date on which `models` was last compared with the upstream."""
    fresh_s: float | None = None
    """Seconds for which the live list counts as complete, or None for some hours, because most lists seldom change."""

    def request(self, key: Key) -> UpstreamRequest | None:  # noqa: ARG002 - the base class ignores it
        """Return the request for the live list, or None if there is no list, or no way to derive its URL from the key's base
        URL."""
        return None

    def parse(self, answer: Answer) -> tuple[Model, ...]:  # noqa: ARG002 - the base class ignores it
        """Return the live list. An odd entry never drops the others. Raises ValueError if the response is not a list."""
        return ()


@dataclass(frozen=True, slots=True)
class Proof:
    """What a probe showed."""

    valid: bool | None
    """None if the response says nothing about the key."""
    account: Account = Account()
    note: str = ""
    """For people: `38 of 50 free requests left today`. Holds no secret."""
    quota: tuple[Quota, ...] = ()
    """What the response says of the account's limits."""


class Probe(ABC):
    """A request that proves a key or shows its quota, and uses none of it."""

    @abstractmethod
    def request(self, key: Key) -> UpstreamRequest | None:
        """Return the request, or None if its URL cannot be derived from the key's base URL."""

    @abstractmethod
    def read(self, answer: Answer) -> Proof: ...


class Provider:
    """One upstream. Subclass it, or build a `CompatibleProvider` from data."""

    api_version: int
    """The version of the contract that the package was written for. The package states it and never inherits it, so that
    a later core knows which promises it was given."""

    name: str
    """The provider's name everywhere: entry point, header value, settings. Lower-case letters, digits and underscores."""
    rank: int = 100
    """The order of providers if the user sets none: by rank, lowest first, then by name."""
    about: About
    credentials: tuple[Credential, ...]
    """The first that gives keys is used. Empty if the upstream needs no key. It is then used only if the user asks for it,
    with `FREERIDE_<NAME>_BASE_URL` or in `FREERIDE_PROVIDERS`."""
    base_url: str
    """Without a trailing slash; `{account}` is replaced by the key's account id."""
    free: FreePolicy
    limits: tuple[Limit, ...] = ()
    catalog: Catalog
    wires: Mapping[Operation, Wire]
    probe: Probe | None = None
    meter: Scope = Scope.ACCOUNT
    """What a 429 affects if it does not say."""
    first_byte_timeout: float | None = None
    """Seconds, if this upstream needs a longer timeout than the default."""
    missing_models_most: int | None = None
    """The number of its models in a row that are not found, without a success between them, after which the account is
    cooled. None if only the models are."""
    free_models_variables: tuple[str, ...] = ()
    """Older names of the variable that lists the free models."""
    former_names: tuple[str, ...] = ()
    """The provider's names in older state."""
