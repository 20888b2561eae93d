"""The declarative wire for OpenAI-compatible upstreams: from data to requests, and from answers to readings.

Each knob is here because a shipped package needs it. A wire format of its own overrides one `Wire` and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import msgspec

from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Quota, Reading, Scope, UpstreamRequest
from freeride_core.call import Call
from freeride_core.compatible import retry_after
from freeride_core.compatible.errors import UpstreamErrorBody, error_in, is_page
from freeride_core.compatible.history import KEEP, HistoryRules
from freeride_core.compatible.quota_headers import QuotaHeaders
from freeride_core.compatible.quota_texts import QuotaText
from freeride_core.compatible.rules import Rule
from freeride_core.compatible.usual_rules import USUAL, by_status
from freeride_core.model import Model
from freeride_core.provider import Key, Wire
from freeride_core.system.json_values import LARGE


def bearer(key: Key, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the usual request headers: the key if there is one, those of JSON, and `headers`.

    The key is a bearer token unless its credential names a `key_header`."""
    place = (key.key_header, key.secret) if key.key_header else ("authorization", f"Bearer {key.secret}")
    return (
        *((place,) if key.secret else ()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        *headers.items(),
    )


_GOOD = Reading()
_OF_LIMITS = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.QUOTA_EXHAUSTED, ErrorKind.TOO_LARGE})
"""The kinds of error that may tell numbers of a limit."""
_SAYINGS_MOST = 64
_SHORT = 2048
"""Bytes of an error that may come again word for word."""


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
    messages_drop: frozenset[str] = frozenset()
    """Members of messages and of their tool calls that the upstream refuses, such as `annotations`."""
    reasoning: str = KEEP
    """What becomes of the reasoning that clients send back: `keep` as it came, `drop`, or `require NAME`, under which turns with
    tool calls then have it."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that the upstream needs where the client gives none or null; like the client's, clamped by the model."""
    rules: tuple[Rule, ...] = ()
    """What this upstream is known to say, before what all say."""
    reset_headers: tuple[str, ...] = ()
    """Headers that say when a 429 is over, where nothing better does."""
    quota_headers: tuple[QuotaHeaders, ...] = ()
    """The headers of good responses that say what is left of a limit."""
    quota_texts: tuple[QuotaText, ...] = ()
    """How the upstream's errors say in numbers what of a limit is used."""
    account_pattern: str | None = None
    """Regular expression with one group: the account's name in the upstream's error bodies."""

    @cached_property
    def _history(self) -> HistoryRules | None:
        return HistoryRules.of(self.messages_drop, self.reasoning)

    @cached_property
    def _rules(self) -> dict[int, tuple[Rule, ...]]:
        """Those that can hold for a status, sorted out once for each."""
        return {}

    @cached_property
    def _bearers(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """The headers, made once for each key."""
        return {}

    @cached_property
    def _sayings(self) -> dict[tuple[object, ...], tuple[Rule, UpstreamErrorBody, str | None]]:
        return {}

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        headers = self._bearers.get(key.secret)
        if headers is None:
            headers = self._bearers[key.secret] = bearer(key, self.headers)
        return UpstreamRequest("POST", key.base_url + self.path, headers, call.body_with(self.changes(call, model)))

    def changes(self, call: Call, model: Model) -> dict[str, bytes | None]:
        """The top-level values that are replaced, added, or (None) left out; all others reach the upstream byte for byte. The place
        to override where a request must differ in a way that no field describes: add to what this gives."""
        changes: dict[str, bytes | None] = {}
        if call.model != model.id or "model" not in call.fields:
            changes["model"] = _quoted(model.id)
        if not self.dropped.isdisjoint(call.fields):
            for name in self.dropped & call.fields.keys():
                changes[name] = None
        if self._history is not None and "messages" in call.fields:
            messages = self._history.changed(call.fields["messages"])
            if messages is not None:
                changes["messages"] = messages
        if self.renamed:
            self._rename(call, changes)
        if call.effort is not None and call.effort.is_taken(model):
            changes["reasoning_effort"] = _quoted(call.effort.level)
        for name, value in self.defaults.items():
            if _is_null(changes.get(name, call.fields.get(name))):
                changes[name] = json.dumps(value).encode()
        if model.max_output is not None:
            _clamp(call, changes, model.max_output)
        return changes

    def _rename(self, call: Call, changes: dict[str, bytes | None]) -> None:
        for old, new in self.renamed.items():
            if old in call.fields:
                changes[old] = None
                if _is_null(call.fields.get(new)):
                    changes[new] = bytes(call.fields[old])

    def read(self, answer: Answer) -> Reading:
        status = answer.status
        if answer.phase is not Phase.STATUS:
            status = _status_within(answer)
            if status == 0:
                return _GOOD
        if status == _UNSAID:
            # Its words alone say what it is, as those of a 400 do; where they do not, the upstream is in trouble.
            status = 400 if self._understood(400, answer)[0].is_specific else 500
        rule, complaint, account = self._understood(status, answer)
        failure = self._failure(rule, status, complaint, answer)
        return Reading(failure, account, self._quota(rule, answer, failure))

    def _understood(self, status: int, answer: Answer) -> tuple[Rule, UpstreamErrorBody, str | None]:
        """Return the rule, the error and the account of a response. A failing upstream repeats itself, so errors are cached."""
        rules = self._rules.get(status)
        if rules is None:
            rules = self._rules[status] = tuple(rule for rule in (*self.rules, *USUAL) if rule.concerns(status))
        saying = (status, answer.body, *[rule.header in answer.headers for rule in rules if rule.header is not None])
        understood = self._sayings.get(saying)
        if understood is None:
            complaint = UpstreamErrorBody.of(answer)
            usual = Rule(kind=by_status(status))
            rule = next((rule for rule in rules if rule.fits(status, complaint, answer)), usual)
            understood = (rule, complaint, self._account(answer))
            if len(answer.body) <= _SHORT:
                if len(self._sayings) >= _SAYINGS_MOST:
                    self._sayings.clear()
                self._sayings[saying] = understood
        return understood

    def _failure(self, rule: Rule, status: int, complaint: UpstreamErrorBody, answer: Answer) -> Failure:
        hint = retry_after.of(answer, complaint.message, self._reset_headers(status))
        scope = rule.scope
        if scope is None and (status >= 500 or status == 403) and is_page(answer):
            # An edge's own page speaks of the whole upstream, not of one model behind it.
            scope = Scope.PROVIDER
        return Failure(
            kind=rule.kind,
            scope=scope,
            retry_at=rule.retry_at(answer.now, hint),
            message=complaint.message,
            feature=rule.feature,
            param=complaint.param,
        )

    def quota(self, headers: Mapping[str, str], now: float) -> tuple[Quota, ...]:
        found = (each.quota_in(headers, now) for each in self.quota_headers)
        return tuple(quota for quota in found if quota is not None)

    def _quota(self, rule: Rule, answer: Answer, failure: Failure) -> tuple[Quota, ...]:
        """Return what an error says of limits: of each that it tells numbers of, and of the one that it is about."""
        # Another error may repeat the client's own words, which could be taken for numbers.
        texts = self.quota_texts if failure.kind in _OF_LIMITS else ()
        read = (text.quota_in(answer.text, failure.retry_at, rule.limit) for text in texts)
        found = tuple(quota for quota in read if quota is not None)
        if not rule.limit or any(quota.limit_name == rule.limit for quota in found):
            return found
        return (*found, Quota(limit_name=rule.limit, remaining=0, reset_at=failure.retry_at))

    def _reset_headers(self, status: int) -> tuple[str, ...]:
        return self.reset_headers if status == 429 else ()

    def _account(self, answer: Answer) -> str | None:
        if self.account_pattern is None:
            return None
        found = re.search(self.account_pattern, answer.text)
        return found[1] if found else None


@lru_cache(maxsize=1024)
def _quoted(name: str) -> bytes:
    return json.dumps(name).encode()


def _is_null(raw: bytes | msgspec.Raw | None) -> bool:
    return raw is None or bytes(raw) == b"null"


def _number(raw: bytes | msgspec.Raw | None) -> float:
    """Return the number, or 0 if it is not one."""
    try:
        return 0.0 if raw is None else float(bytes(raw))
    except ValueError:
        return 0.0


_ESCAPED_LETTER = re.compile(rb"\\u00[67]")
"""A name may be spelled with these."""

_UNSAID = -1
# What the protocol calls things, where an error within a 200 has no number.
_STATUS_BY_WORD = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 402,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "invalid_request_error": 400,
}


def _clamp(call: Call, changes: dict[str, bytes | None], most: int) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        if (name in call.fields or name in changes) and _number(changes.get(name, call.fields.get(name))) > most:
            changes[name] = str(most).encode()


def _status_within(answer: Answer) -> int:
    """Return the status of an error inside a 200: 0 without an error, `_UNSAID` if the error has no number."""
    text = answer.body
    # In a large body the second look would take long, and no error is one.
    if (
        answer.event != "error"
        and b'"error' not in text
        and not (len(text) <= LARGE and b"\\u00" in text and _ESCAPED_LETTER.search(text))
    ):
        return 0  # nothing of what follows can be there
    body = answer.json
    if isinstance(body, list):
        body = body[0] if body else None
    is_error = answer.event == "error"
    if not isinstance(body, dict):
        return _UNSAID if is_error else 0
    error = error_in(body)
    if not (error or is_error or body.get("object") == "error" or _is_broken(body.get("choices"))):
        return 0
    for place in (error, body):
        if isinstance(place, dict):
            for name in ("status_code", "http_status", "status", "code"):
                value = place.get(name)
                if isinstance(value, (str, int)) and re.fullmatch("[45][0-9]{2}", str(value)):
                    return int(value)
    codes = UpstreamErrorBody.of(answer).codes
    return next((status for word, status in _STATUS_BY_WORD.items() if word in codes), _UNSAID)


def _is_broken(choices: Any) -> bool:
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and first.get("finish_reason") == "error"
