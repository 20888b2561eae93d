"""What OpenRouter is asked: its list and the state of a key, which cost nothing, and probes, which do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from freeride_binder_openclaw.memory import Ceiling
from freeride_binder_openclaw.ranking import FreeModel, rank
from freeride_core import Account, Answer, ErrorKind, Failure, Key, Model, Operation, Phase, Scope, UpstreamRequest
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.gateway.walk.enabled import EnabledProvider
from freeride_core.gateway.walk.reaction import cooled_scope, reaction_to

DAY_SHARE = 0.1
"""How much of a day's free requests may go into probes. The rest is the user's."""
MINUTE_SHARE = 0.25
_PATIENCE_S = 60.0
_USUAL = {"day": 50, "minute": 20}
_WIDE = frozenset({Scope.KEY, Scope.ACCOUNT, Scope.PROVIDER})


class Unreachable(Exception):
    """OpenRouter gave nothing usable. The text is one line for people."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """A day's free requests of one account."""

    limit: int
    remaining: int


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """What a probe showed."""

    kind: str
    """Of the failure; empty: the model answers."""
    is_models_fault: bool
    """Another model might answer; else none would, because it is about the key, the account or the network."""
    retry_at: float | None = None

    @property
    def is_ok(self) -> bool:
        return not self.kind


class OpenRouter:
    """Asked with the user's keys, through the installed provider package, which knows how."""

    def __init__(self, member: EnabledProvider, connect_timeout_s: float, now: Callable[[], float] = time.time) -> None:
        self.member = member
        self._provider = member.provider
        self._now = now
        self._client = httpx.Client(
            timeout=httpx.Timeout(_PATIENCE_S, connect=connect_timeout_s), follow_redirects=False
        )

    def close(self) -> None:
        self._client.close()

    def list_models(self) -> tuple[FreeModel, ...]:
        """The free models now, best first. Costs nothing. Raises `Unreachable`."""
        request = self._provider.catalog.request(self.member.keys[0])
        if request is None:
            raise Unreachable("its base URL has no list of models")
        answer = self._ask(request)
        if answer.status != httpx.codes.OK:
            raise Unreachable(f"its list of models answered {answer.status}")
        try:
            return rank(self._provider, answer, lambda model: self.member.is_free(model, Account()))
        except ValueError:
            raise Unreachable("its list of models is none") from None

    def read_allowance(self, key: Key) -> Allowance | None:
        """What is left of the day. Costs nothing. None: it does not say. Raises `Unreachable`."""
        request = self._provider.probe.request(key) if self._provider.probe else None
        answer = self._ask(request) if request is not None else None
        try:
            day = answer.json["data"]["free_model_daily_requests"] if answer else {}
            return Allowance(int(day["limit"]), int(day["remaining"]))
        except (KeyError, TypeError, ValueError):
            return None

    def ceiling(self, daily_limit: int | None) -> Ceiling:
        """How many probes there may be: stated shares of what the account has."""
        published = _USUAL | {
            limit.window: int(limit.amount) for limit in self._provider.limits if limit.unit == "requests"
        }
        return Ceiling(
            int((published["day"] if daily_limit is None else daily_limit) * DAY_SHARE),
            int(published["minute"] * MINUTE_SHARE),
        )

    def probe(self, model_id: str, key: Key) -> ProbeVerdict:
        """Asks the model for a few words. Costs one request of the day."""
        fields = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
        body = json.dumps(fields, separators=(",", ":")).encode()
        call = parse_call(Operation.CHAT, body, self._now())
        model = Model(id=model_id, canonical=model_id)
        wire = self._provider.wires[Operation.CHAT]
        try:
            answer = self._ask(wire.prepare(call, model, key))
        except Unreachable:
            return ProbeVerdict(ErrorKind.NETWORK, is_models_fault=False)
        except httpx.TimeoutException:
            return ProbeVerdict(ErrorKind.TIMEOUT, is_models_fault=True)
        failure = wire.read(answer).failure
        if failure is None and answer.status == httpx.codes.OK:
            return ProbeVerdict("", is_models_fault=False)
        return self._judged(failure or Failure(kind=ErrorKind.PROTOCOL))

    def _judged(self, failure: Failure) -> ProbeVerdict:
        reaction = reaction_to(failure)
        is_wide = reaction.cools and cooled_scope(failure, reaction, self._provider) in _WIDE
        return ProbeVerdict(str(failure.kind), is_models_fault=not is_wide, retry_at=failure.retry_at)

    def _ask(self, request: UpstreamRequest) -> Answer:
        try:
            answer = self._client.request(
                request.method, request.url, headers=list(request.headers), content=request.body or None
            )
        except httpx.ReadTimeout:
            if request.body:
                raise
            raise Unreachable("OpenRouter does not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Unreachable("OpenRouter cannot be reached") from None
        phase = Phase.BODY if answer.status_code == httpx.codes.OK else Phase.STATUS
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, headers, answer.content, self._now(), phase)
