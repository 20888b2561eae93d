"""The declarative provider for OpenAI-compatible upstreams: data in, a complete `Provider` out.

Each knob is here because a shipped package needs it. A wire format of its own overrides one `Wire` and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from freeride_core import retry_hint
from freeride_core.complaint import USUAL, Complaint, Reset, Rule, by_status
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
    Provider,
    Reading,
    Scope,
    UpstreamRequest,
    Wire,
)

__all__ = ["CompatibleCatalog", "CompatibleProvider", "CompatibleWire", "Reset", "Rule", "bearer"]


def bearer(key: Key, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The usual request headers: JSON, a bearer token, and a package's own."""
    return (
        ("authorization", f"Bearer {key.secret}"),
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
    response_headers: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Parameters that the upstream knows by another name: `{"max_completion_tokens": "max_tokens"}`."""
    dropped: frozenset[str] = frozenset()
    """Parameters that the upstream rejects."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the upstream needs where the client gives none."""
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
            headers=bearer(key, self.headers),
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
                if new not in call.fields:
                    changes[new] = bytes(call.fields[old])
        if model.max_output is not None and call.output_tokens > model.max_output:
            clamped = str(model.max_output).encode()
            for name in ("max_tokens", "max_completion_tokens"):
                if changes.get(name, call.fields.get(name)) is not None:
                    changes[name] = clamped
        for name, value in self.defaults.items():
            if name not in call.fields and name not in changes:
                changes[name] = json.dumps(value).encode()
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


def _is_page(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").startswith("text/html")


def _status_within(answer: Answer) -> int:
    """The status of an error inside a 200; 0 where there is none."""
    body = answer.json
    if isinstance(body, list):
        body = body[0] if body else None
    if not isinstance(body, dict):
        return 500 if answer.event == "error" else 0
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    error = body.get("error") or choice.get("error")
    if error is None and isinstance(body.get("errors"), list) and body["errors"] and not choice:
        error = body["errors"][0]
    if not error and choice.get("finish_reason") != "error" and answer.event != "error":
        return 0
    places = (error, body) if isinstance(error, dict) else (body,)
    for place in places:
        for name in ("status_code", "http_status", "status", "code"):
            value = place.get(name)
            if isinstance(value, str) and value.isdigit():
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                return value
    return 500


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
    parse_entry: Callable[[Mapping[str, Any], Mapping[str, Model]], Model | None] | None = None
    """One entry, and the dated models by id, into a model; None: not one of ours. None for the whole: the entries' ids only confirm
    the dated list."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, key: Key) -> UpstreamRequest | None:
        if self.path is None or not key.base_url.endswith(self.base_suffix):
            return None
        base = key.base_url[: len(key.base_url) - len(self.base_suffix)]
        return UpstreamRequest("GET", base + self.path, bearer(key, self.headers))

    def parse(self, answer: Answer) -> tuple[Model, ...]:
        body = answer.json
        rows = body if isinstance(body, list) else body.get(self.rows) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError(f"the catalog answer has no list under {self.rows!r}")
        dated = {model.id: model for model in self.models}
        live: dict[str, Model] = {}
        for row in rows:
            model = self._model(row, dated)
            if model is not None:
                live.setdefault(model.id, model)
        return tuple(live.values())

    def _model(self, row: Any, dated: Mapping[str, Model]) -> Model | None:
        if not isinstance(row, dict):
            return None
        if self.parse_entry is None:
            return dated.get(row.get("id", ""))
        try:
            return self.parse_entry(row, dated)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None  # one odd entry never drops the others


class CompatibleProvider(Provider):
    """A provider that is all data."""

    def __init__(
        self,
        *,
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
