"""A provider's `simulator.toml`: how its upstream was seen to behave, as data.

`read_profile` gives a checked `Profile` or a `ProfileError` that names every mistake and its place.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from freeride_core.answer import ErrorKind, Scope
from freeride_core.call import Feature
from freeride_core.compatible.midnight import Midnight
from freeride_core.simulator import standard

REQUIRED_CASES = ("rate-limited", "bad-key", "unknown-model", "server-error")
"""Every profile says how its upstream does these."""
Avoidable = Literal["context-length", "rate-limited"]
"""Cases that some upstreams cannot have, whatever happens."""
CHAT, EMBEDDINGS, MODELS = "chat.completions", "embeddings", "models"
GOOD = ("chat", "chat-stream", EMBEDDINGS, MODELS)
"""Names for the good answers, valid wherever a case can be named."""


class ProfileTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Facts(ProfileTable, frozen=True, kw_only=True):
    """What an entry of the catalog says of its model; what is left out is not checked."""

    context: int | None = None
    max_output: int | None = None
    tools: bool | None = None
    vision: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    efforts: tuple[str, ...] | None = None
    """Values of `reasoning_effort` that the model takes; any other is refused. None: whatever comes is taken."""
    price: float | None = None
    promoted: bool | None = None
    retires: str | None = None
    unknown: tuple[str, ...] = ()
    """Names of facts that it leaves open."""


class Listing(ProfileTable, frozen=True, kw_only=True):
    """The catalog."""

    path: str
    body: str
    headers: dict[str, str] = {}
    public: bool = False
    """Whether it answers bad keys too."""
    unlisted: tuple[str, ...] = ()
    """Ids that are answered although the list does not show them; `*` is a wildcard."""
    paid: tuple[str, ...] = ()
    """Ids of the list that are not free: nothing may ever ask for them."""
    prices: tuple[str, ...] = ()
    """Where an entry says what the model costs, such as `pricing.prompt`; `*` stands for every member, of lists too."""
    marks: tuple[str, ...] = ()
    """Where an entry says that the model is free of charge whatever its price."""
    unfit: tuple[str, ...] = ()
    """Ids of the list that are not to be read as models: they do not chat, are switched off, or are another host's."""
    facts: dict[str, Facts] = {}
    """How some of the list's models must be read, by id."""


class Requests(ProfileTable, frozen=True, kw_only=True):
    """What chat requests look like when they arrive."""

    path: str | None = None
    """`{model}` stands for the model if it is part of the path. None for the path below the base path that OpenAI has."""
    stream_path: str | None = None
    """None for the same one, if the body says whether to stream."""
    left_out: tuple[str, ...] = ()
    """Top-level parameters that must not arrive, because the upstream refuses them or they can cost money."""
    messages_left_out: tuple[str, ...] = ()
    """Members of messages, of their tool calls and of the functions that these name that must not arrive: they are refused."""
    reasoning_needed: str = ""
    """The member in which a turn with tool calls must say what was thought, or empty if no turn must."""
    renamed: dict[str, str] = {}
    """Parameters that arrive under another name."""
    added: tuple[str, ...] = ()
    """Parameters that arrive although no client gave them."""
    headers: dict[str, str] = {}
    """Headers that arrive with every request because the upstream wants them, besides the key's and those of JSON."""
    tools_left_out: tuple[str, ...] = ()
    """Types of tools that must not arrive, because the upstream runs them itself and they can cost money."""


class Page(ProfileTable, frozen=True, kw_only=True):
    """A further GET: what a probe asks."""

    path: str
    body: str
    status: int = 200
    headers: dict[str, str] = {}
    public: bool = False


class GoodAnswer(ProfileTable, frozen=True, kw_only=True):
    """A good answer that is not streamed; the headers are those of all good answers."""

    body: str
    tool_call_body: str | None = None
    headers: dict[str, str] = {}
    delay_ms: float = 0


class StreamTemplate(ProfileTable, frozen=True, kw_only=True):
    """The upstream's SSE dialect, as templates of event data in the order in which they are sent."""

    before: tuple[str, ...] = ()
    """Raw blocks: comments."""
    role: str | None = None
    reasoning: str | None = None
    text: str
    tool_call: tuple[str, ...] = ()
    finish: str
    usage: str | None = None
    usage_always: bool = False
    after: tuple[str, ...] = ()
    done: bool = True
    """Whether `[DONE]` ends it."""
    chunk_delay_ms: float = 15


class Embeddings(ProfileTable, frozen=True, kw_only=True):
    path: str
    body: str = standard.EMBEDDINGS
    models: tuple[str, ...]
    dimensions: int = 8
    left_out: tuple[str, ...] = ()
    """Top-level parameters that must not arrive, as with chat requests."""
    added: tuple[str, ...] = ()
    """Parameters that arrive although no client gave them, as with chat requests."""


class PlayedQuota(ProfileTable, frozen=True, kw_only=True):
    """A window that depletes."""

    name: str
    unit: Literal["requests", "tokens", "neurons"]
    amount: float
    window: Literal["minute", "day"]
    kind: Literal["fixed", "day", "leaky"]
    """When it is full again: a while after its first request, at midnight, or bit by bit."""
    zone: str = "UTC"
    """Whose midnight ends a day."""
    scope: Literal["key", "account", "account_model", "model"]
    case: str
    """What is answered when it is used up."""
    operation: Literal["chat.completions", "embeddings"] | None = None
    """None if both share it."""
    per_prompt_token: float = 1.0
    per_answer_token: float = 1.0
    too_large: str | None = None
    """What is answered to a request that can never fit. Where it is given, the upstream admits by reservation."""
    reserve: int = 0
    """Answer tokens reserved for a request that does not say how many it wants."""


class Match(ProfileTable, frozen=True, kw_only=True):
    """Regular expressions; all that are given must be found."""

    key: str | None = None
    model: str | None = None
    text: str | None = None
    body: str | None = None

    def fits(self, key: str, model: str, text: str, body: str) -> bool:
        pairs = ((self.key, key), (self.model, model), (self.text, text), (self.body, body))
        return all(pattern is None or re.search(pattern, value, re.DOTALL) for pattern, value in pairs)


class Expectation(ProfileTable, frozen=True, kw_only=True):
    """How the package must read a case."""

    kind: ErrorKind
    scope: Scope | None = None
    """None for what is usual for the kind."""
    retry_after: float | str | None = None
    """Seconds, or a day's end: `midnight UTC`, `midnight America/Los_Angeles`, or None if the upstream says nothing."""
    feature: Feature | None = None
    account: str | None = None
    """The account that the upstream names in it, where the package reads that."""
    limit: str | None = None
    """The name of the `Limit` that a refusal is about, where the package reads that."""

    def wait_s(self, now: float) -> float | None:
        """Seconds to wait. ValueError: it is no time."""
        if not isinstance(self.retry_after, str):
            return self.retry_after
        word, _, zone = self.retry_after.partition(" ")
        if word != "midnight":
            raise ValueError(f"{self.retry_after!r} is neither seconds nor 'midnight' with a time zone")
        return Midnight(zone).after(now) - now


class Case(ProfileTable, frozen=True, kw_only=True):
    """One thing that the upstream was seen, or is documented, to answer."""

    name: str
    operation: Literal["chat.completions", "embeddings", "models"] = "chat.completions"
    match: Match | None = None
    status: int = 200
    headers: dict[str, str] = {}
    body: str | None = None
    sse: tuple[str, ...] | None = None
    play: Literal["hang", "reset", "close", "silence"] | None = None
    expect: Expectation | None = None
    """None for a good answer."""
    source: str
    date: datetime.date | None = None
    """None for the profile's `checked`."""
    confidence: Literal["seen live", "documented", "community", "guess"]
    divergence: str | None = None
    """Why the expectation is known not to hold."""


class ProbeAnswer(ProfileTable, frozen=True, kw_only=True):
    """What the upstream was seen, or is documented, to answer a probe, and what that proves."""

    status: int = 200
    body: str
    valid: bool | None = None
    """Whether the key is good, or None if that is left open."""
    can_be_billed: bool | None = None
    """Whether the key's account can be billed, or None if that is left open."""
    source: str
    date: datetime.date | None = None
    """None for the profile's `checked`."""
    confidence: Literal["seen live", "documented", "community", "guess"]


class Profile(ProfileTable, frozen=True, kw_only=True):
    """One simulated upstream."""

    provider: str
    checked: datetime.date
    base_path: str
    key_variable: str = ""
    good_key: str = ""
    """Empty, like its variable, where the upstream wants no key."""
    key_header: str = ""
    """The header in which the upstream looks for the bare key. Empty for a bearer token in `authorization`."""
    account_variable: str | None = None
    account: str | None = None
    default_model: str
    catalog: Listing
    request: Requests = Requests()
    pages: tuple[Page, ...] = msgspec.field(default=(), name="route")
    answer: GoodAnswer = GoodAnswer(body=standard.BODY, tool_call_body=standard.TOOL_CALL_BODY)
    stream: StreamTemplate = StreamTemplate(
        role=standard.ROLE,
        text=standard.TEXT,
        tool_call=standard.TOOL_CALL,
        finish=standard.FINISH,
        usage=standard.USAGE,
    )
    embeddings: Embeddings | None = None
    quotas: tuple[PlayedQuota, ...] = msgspec.field(default=(), name="quota")
    cases: tuple[Case, ...] = msgspec.field(default=(), name="case")
    proofs: tuple[ProbeAnswer, ...] = msgspec.field(default=(), name="proof")
    never: dict[Avoidable, str] = {}
    """What this upstream does not answer, whatever happens, and why."""

    @property
    def chat_path(self) -> str:
        """Where chat requests arrive; `{model}` stands for the model."""
        return self.request.path or self.base_path + "/chat/completions"

    @property
    def required_cases(self) -> tuple[str, ...]:
        """The cases that it must have."""
        return tuple(name for name in REQUIRED_CASES if name not in self.never and (name != "bad-key" or self.good_key))

    def case(self, name: str) -> Case | None:
        """Return the case of that name, or None if there is no such case."""
        return next((case for case in self.cases if case.name == name), None)

    def chat_models(self) -> frozenset[str]:
        """Ids and patterns that the chat route knows."""
        return frozenset({self.default_model, *self.catalog.unlisted, *listed_ids(self.catalog.body)})

    def embedding_models(self) -> frozenset[str]:
        return frozenset(self.embeddings.models if self.embeddings else ())


def is_known(model: str, known: Iterable[str]) -> bool:
    """Whether `model` is one of `known`, where `*` is a wildcard."""
    return any(model == pattern or ("*" in pattern and fnmatchcase(model, pattern)) for pattern in known)


def listed_ids(catalog: str) -> frozenset[str]:
    """The ids and names in a catalog's rows."""
    # A placeholder can be in the place of a number or of a text; 0 reads as either.
    body = json.loads(re.sub(r"\{\{[^{}]*\}\}", "0", catalog))
    rows = body
    if isinstance(body, dict):
        rows = next((body[name] for name in ("data", "result", "models") if isinstance(body.get(name), list)), [])
    return frozenset(
        row[name]
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
        for name in ("id", "name")
        if isinstance(row.get(name), str) and row[name]
    )


class ProfileError(ValueError):
    """A profile with mistakes, each with its place."""

    def __init__(self, place: str, mistakes: Iterable[str]) -> None:
        self.place = place
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"{place}: {mistake}" for mistake in self.mistakes))
