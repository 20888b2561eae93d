"""The declarative provider for OpenAI-compatible upstreams: data in, a complete `Provider` out.

Each knob is here because a shipped package needs it. A wire format of its own overrides one `Wire` and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from freeride_core import retry_hint
from freeride_core.complaint import USUAL, Complaint, Reset, Rule, by_status, error_in
from freeride_core.provider import (
    About,
    Answer,
    Call,
    Catalog,
    Credential,
    Failure,
    FreePolicy,
    Key,
    Limit,
    Model,
    Operation,
    Phase,
    Probe,
    Proof,
    Provider,
    Reading,
    Scope,
    UpstreamRequest,
    Wire,
)

__all__ = [
    "QUANTISATION",
    "CompatibleCatalog",
    "CompatibleProbe",
    "CompatibleProvider",
    "CompatibleWire",
    "Reset",
    "Rule",
    "bearer",
    "canonical_of",
]

QUANTISATION = re.compile(
    r"(?:-(?:fp4|fp8|nvfp4|mxfp4|fp16|bf16|int4|int8|awq|gptq|gguf|q[1-8](?:_[a-z0-9]+)*)(?:-fast)?)+$"
)
"""The end of a lower-case name that says how the weights are stored: `-fp8`, `-awq-int4`, `-q4_k_m`. The model behaves alike."""


def canonical_of(model_id: str, makers: Mapping[str, str] = MappingProxyType({})) -> str:
    """The canonical name of a model that nobody has named by hand: in lower case, without quantisation, its maker as
    `makers` spells it. The upstream's own marks, such as a suffix for free variants, are the package's to cut off first."""
    maker, slash, name = QUANTISATION.sub("", model_id.lower()).partition("/")
    return makers.get(maker, maker) + slash + name


def bearer(key: Key, headers: Mapping[str, str], key_header: str = "") -> tuple[tuple[str, str], ...]:
    """The usual request headers: JSON, the key where there is one, as a bearer token unless `key_header` names a place for
    it, and a package's own."""
    place = (key_header, key.secret) if key_header else ("authorization", f"Bearer {key.secret}")
    return (
        *((place,) if key.secret else ()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        *headers.items(),
    )


def _next_utc_midnight(now: float) -> float:
    tomorrow = datetime.fromtimestamp(now, UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), UTC).timestamp()


@dataclass(frozen=True, kw_only=True)
class CompatibleWire(Wire):
    """One operation of an OpenAI-compatible upstream."""

    path: str
    """Appended to the key's base URL: `/chat/completions`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Attribution and the like."""
    key_header: str = ""
    """The header that holds the bare key, such as `x-api-key`; empty: it goes as a bearer token."""
    response_headers: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Parameters that the upstream knows by another name: `{"max_completion_tokens": "max_tokens"}`."""
    dropped: frozenset[str] = frozenset()
    """Parameters that the upstream rejects."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the upstream needs where the client gives none or null; like the client's, clamped by the model."""
    rules: tuple[Rule, ...] = ()
    """What this upstream is known to say, before what all say."""
    reset_headers: tuple[str, ...] = ()
    """Headers that say when a 429 is over, where nothing better does."""
    account_pattern: str | None = None
    """Regular expression with one group: the account's name as it stands in the upstream's error bodies."""

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        return UpstreamRequest(
            method="POST",
            url=key.base_url + self.path,
            headers=bearer(key, self.headers, self.key_header),
            body=call.body_with(self._changes(call, model)),
        )

    def _changes(self, call: Call, model: Model) -> dict[str, bytes | None]:
        changes: dict[str, bytes | None] = {}
        if call.model != model.id or "model" not in call.fields:
            changes["model"] = json.dumps(model.id).encode()
        for name in self.dropped & call.fields.keys():
            changes[name] = None
        for old, new in self.renamed.items():
            if old in call.fields:
                changes[old] = None
                if _is_null(call.fields.get(new)):
                    changes[new] = bytes(call.fields[old])
        for name, value in self.defaults.items():
            if _is_null(changes.get(name, call.fields.get(name))):
                changes[name] = json.dumps(value).encode()
        if model.max_output is not None:
            for name in ("max_tokens", "max_completion_tokens"):
                if _number(changes.get(name, call.fields.get(name))) > model.max_output:
                    changes[name] = str(model.max_output).encode()
        return changes

    def read(self, answer: Answer) -> Reading:
        status = answer.status
        if answer.phase is not Phase.STATUS:
            status = _status_within(answer)
            if status == 0:
                return Reading()
        complaint = Complaint.of(answer)
        account = self._account(answer)
        for rule in (*self.rules, *USUAL):
            if rule.fits(status, complaint, answer):
                return Reading(self._failure(rule, status, complaint, answer), account)
        return Reading(self._failure(Rule(kind=by_status(status)), status, complaint, answer), account)

    def _failure(self, rule: Rule, status: int, complaint: Complaint, answer: Answer) -> Failure:
        wait = retry_hint.of(answer.headers, answer.json, complaint.message, answer.now, self._reset_headers(status))
        retry_at = None if wait is None else answer.now + wait
        if retry_at is None and rule.wait is not None:
            retry_at = (
                _next_utc_midnight(answer.now) if rule.wait is Reset.NEXT_UTC_MIDNIGHT else answer.now + rule.wait
            )
        scope = rule.scope
        if scope is None and status >= 500 and _is_page(answer):
            # An edge's own error page speaks of the whole upstream, not of one model behind it.
            scope = Scope.PROVIDER
        return Failure(
            kind=rule.kind,
            scope=scope,
            retry_at=retry_at,
            message=complaint.message,
            feature=rule.feature,
            param=complaint.param,
        )

    def _reset_headers(self, status: int) -> tuple[str, ...]:
        return self.reset_headers if status == 429 else ()

    def _account(self, answer: Answer) -> str | None:
        if self.account_pattern is None:
            return None
        found = re.search(self.account_pattern, answer.body[:65536].decode("utf-8", "replace"))
        return found[1] if found else None


def _is_null(raw: bytes | msgspec.Raw | None) -> bool:
    return raw is None or bytes(raw) == b"null"


def _number(raw: bytes | msgspec.Raw | None) -> float:
    """0 for whatever is none."""
    try:
        return 0.0 if raw is None else float(bytes(raw))
    except ValueError:
        return 0.0


def _is_page(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


# What the protocol calls things, where an error within a 200 has no number.
_STATUS_BY_WORD = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 402,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "invalid_request_error": 400,
}


def _status_within(answer: Answer) -> int:
    """The status of an error inside a 200; 0 where there is none."""
    body = answer.json
    if isinstance(body, list):
        body = body[0] if body else None
    is_error = answer.event == "error"
    if not isinstance(body, dict):
        return 500 if is_error else 0
    error = error_in(body)
    if not (error or is_error or body.get("object") == "error" or _is_broken(body.get("choices"))):
        return 0
    for place in (error, body):
        if isinstance(place, dict):
            for name in ("status_code", "http_status", "status", "code"):
                value = place.get(name)
                if isinstance(value, (str, int)) and re.fullmatch("[45][0-9]{2}", str(value)):
                    return int(value)
    codes = Complaint.of(answer).codes
    return next((status for word, status in _STATUS_BY_WORD.items() if word in codes), 500)


def _is_broken(choices: Any) -> bool:
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and first.get("finish_reason") == "error"


@dataclass(frozen=True, kw_only=True)
class CompatibleCatalog(Catalog):
    """A dated list, and a live one in the shape that `parse_entry` understands."""

    models: tuple[Model, ...] = ()
    checked: str
    path: str | None = "/models"
    """Appended to the key's base URL; None: no live list."""
    base_suffix: str = ""
    """What the base URL must end in, and what is cut off before `path`, where the list lives beside the API: `/v1`."""
    rows: str = "data"
    """The member of the answer that holds the entries."""
    parse_entry: Callable[[Mapping[str, Any], Mapping[str, Model]], Sequence[Model]] | None = None
    """One entry, and the dated models by id, into models: usually one, none if it is not one of ours. None for the whole: the
    entries' ids only confirm the dated list."""
    headers: Mapping[str, str] = field(default_factory=dict)
    key_header: str = ""
    """As with the wire."""

    def request(self, key: Key) -> UpstreamRequest | None:
        if self.path is None:
            return None
        return _get(key, self.base_suffix, self.path, bearer(key, self.headers, self.key_header))

    def parse(self, answer: Answer) -> tuple[Model, ...]:
        body = answer.json
        rows = body if isinstance(body, list) else body.get(self.rows) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError(f"the catalog answer has no list under {self.rows!r}")
        dated = {model.id: model for model in self.models}
        live: dict[str, Model] = {}
        parse_entry = self.parse_entry or _dated_entry
        for row in rows:
            with contextlib.suppress(*_ODD):  # one odd entry drops no other
                for model in parse_entry(row, dated):
                    live.setdefault(model.id, model)
        return tuple(live.values())


_ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What comes of reading JSON that is not shaped as expected."""


def _dated_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> Sequence[Model]:
    return (dated[row["id"]],)


def _get(key: Key, base_suffix: str, path: str, headers: tuple[tuple[str, str], ...]) -> UpstreamRequest | None:
    """Asks for what lies beside the API; None where the base URL does not end as it must."""
    if not key.base_url.endswith(base_suffix):
        return None
    return UpstreamRequest("GET", key.base_url.removesuffix(base_suffix) + path, headers)


def _is_valid(body: Any) -> Proof:  # noqa: ARG001 - the status has said it
    return Proof(valid=True)


@dataclass(frozen=True, kw_only=True)
class CompatibleProbe(Probe):
    """A GET that answers 200 to a good key."""

    path: str
    base_suffix: str = ""
    """As with the catalog."""
    key_header: str = ""
    """As with the wire."""
    refusals: Mapping[int, str] = field(default_factory=lambda: {401: "", 403: ""})
    """The statuses that a bad key gets, each with a note."""
    describe: Callable[[Any], Proof] = _is_valid
    """What the body of a 200 says."""

    def request(self, key: Key) -> UpstreamRequest | None:
        return _get(key, self.base_suffix, self.path, bearer(key, {}, self.key_header))

    def read(self, answer: Answer) -> Proof:
        if answer.status in self.refusals:
            return Proof(valid=False, note=self.refusals[answer.status])
        if answer.status != 200:
            return Proof(valid=None)
        try:
            return self.describe(answer.json)
        except _ODD:
            return Proof(valid=True)


class CompatibleProvider(Provider):
    """A provider that is all data."""

    def __init__(
        self,
        *,
        api_version: int,
        name: str,
        about: About,
        credentials: tuple[Credential, ...],
        base_url: str,
        free: FreePolicy,
        catalog: Catalog,
        chat: Wire | None = None,
        embeddings: Wire | None = None,
        limits: tuple[Limit, ...] = (),
        probe: Probe | None = None,
        meter: Scope = Scope.ACCOUNT,
        first_byte_timeout: float | None = None,
        free_models_variables: tuple[str, ...] = (),
        former_names: tuple[str, ...] = (),
        rank: int = 100,
    ) -> None:
        self.api_version = api_version
        self.name = name
        self.rank = rank
        self.about = about
        self.credentials = credentials
        self.base_url = base_url
        self.free = free
        self.catalog = catalog
        wires = {Operation.CHAT: chat, Operation.EMBEDDINGS: embeddings}
        self.wires = {operation: wire for operation, wire in wires.items() if wire is not None}
        self.limits = limits
        self.probe = probe
        self.meter = meter
        self.first_byte_timeout = first_byte_timeout
        self.free_models_variables = free_models_variables
        self.former_names = former_names
