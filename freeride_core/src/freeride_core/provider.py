"""What a provider plugin is made of: plain values in, plain values out.

A plugin never opens a socket, reads a clock or writes a file. The core hands it a `Call`, it answers with an
`UpstreamRequest`; the core sends that, hands it the `Answer`, and it replies with a `Reading`. Everything an upstream
does is a value; exceptions are for programming errors and configuration.

Most plugins need none of this by hand: `freeride_core.compatible.provider` builds a `Provider` from data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from freeride_core.answer import Answer, Failure, Reading, Scope, UpstreamRequest
from freeride_core.call import Call, Operation
from freeride_core.model import Model


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
    key_header: str = ""
    """The request header that holds the bare key, such as `api-key`. Empty for a bearer token in `authorization`."""
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
    key_header: str = ""
    """The credential's."""
    account_id: str | None = field(default=None, repr=False)
    base_url: str
    """Scheme, authority and prefix of all of this provider's requests; no trailing slash."""


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
    missing_models_most: int | None = None
    """After this many of its models in a row that are not found, without an answer between them, it is the account that gets none;
    None: however many, each stands for itself."""
    free_models_variables: tuple[str, ...] = ()
    """Historic names of the variable that lists what counts as free."""
    former_names: tuple[str, ...] = ()
    """Names under which older state may know this provider."""
