"""The walk: attempt, read, note it in the ledger, next; until one candidate answers or none is left."""

from __future__ import annotations

import http
import math
import time

from freeride_core.answer import ErrorKind, Failure, Scope
from freeride_core.call import Call
from freeride_core.events.bus import EventBus
from freeride_core.events.records import ProviderAttempt, ProviderResponse
from freeride_core.gateway.http.errors import Withdrawn
from freeride_core.gateway.http.upstreams import Upstreams
from freeride_core.gateway.walk.attempt import Attempt, AttemptSuccess
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.opening import AttemptFailure
from freeride_core.gateway.walk.outcome import Exhausted, Faulted, Outcome, Served, Tried
from freeride_core.gateway.walk.reaction import TABLE, Reaction, cooldown_s, cooled_scope, reaction_to
from freeride_core.gateway.walk.routing import RoutingPlan
from freeride_core.gateway.walk.selection import Selection
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.traffic import KeyTraffic
from freeride_core.settings.resolver import Settings

MAX_ATTEMPTS = 16
MAX_EMPTY = 2
"""Answers without a word that are passed over in one request."""
_OUTAGES = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.NETWORK})
_NO_USE_WAITING = frozenset(
    {ErrorKind.UNSUPPORTED, ErrorKind.CONTEXT_LENGTH, ErrorKind.TOO_LARGE, ErrorKind.MODEL_NOT_FOUND}
)
_NONSENSE = frozenset({ErrorKind.PROTOCOL, ErrorKind.UNSUPPORTED})
"""What costs an attempt in every request, and is no outage."""
_REFUSING_LAST_S = 60.0
"""How long a provider is put last that refuses request after request."""
_KNOWN = frozenset(http.HTTPStatus)
_NEVER_SHOWN = frozenset({401, 402, 403, 429})
"""Statuses on which agents bench their key; the key they know is ours, and it is fine."""


class Walk:
    """All attempts of one request. `run` once; `close` whatever happens."""

    __slots__ = (
        "_attempt",
        "_began",
        "_busy",
        "_empty",
        "_events",
        "_faults",
        "_is_anyone_reached",
        "_ledger",
        "_offline",
        "_selection",
        "_settings",
        "_tried",
        "_upstreams",
        "attempts",
        "call",
        "candidate",
        "request_id",
    )

    def __init__(
        self,
        call: Call,
        route: RoutingPlan,
        request_id: str,
        *,
        ledger: Ledger,
        upstreams: Upstreams,
        settings: Settings,
        events: EventBus,
    ) -> None:
        self.call = call
        self.request_id = request_id
        self.candidate: Candidate | None = None
        """Who is, or was last, asked."""
        self.attempts = 0
        self._ledger = ledger
        self._upstreams = upstreams
        self._settings = settings
        self._events = events
        self._selection = Selection(call, route, ledger)
        self._tried: dict[tuple[str, str], Tried] = {}
        self._faults: list[Faulted] = []
        self._offline: list[tuple[Candidate, Failure, float]] = []
        self._is_anyone_reached = False
        self._attempt: Attempt | None = None
        self._busy: KeyTraffic | None = None
        self._empty: list[Served] = []
        self._began = time.monotonic()

    async def run(self) -> Outcome:
        usual = self._selection.usual()
        if usual is not None and (outcome := await self._try(usual)) is not None:
            return outcome
        until = self._began + self._settings.total_timeout
        while self.attempts < MAX_ATTEMPTS and time.monotonic() < until:
            is_all_outages = all(entry.last_error in _OUTAGES for entry in self._tried.values())
            candidate = await self._selection.next(MAX_ATTEMPTS - self.attempts, is_all_outages=is_all_outages)
            if candidate is None:
                break
            outcome = await self._try(candidate)
            if outcome is not None:
                return outcome
        if self._empty:
            self.candidate = self._empty[0].attempt.candidate
            return self._empty[0]
        return self._exhausted()

    def close(self) -> None:
        """Drops whatever is still open upstream."""
        self._release()
        if self._attempt is not None:
            self._attempt.close()
        for empty in self._empty:
            empty.attempt.close()

    async def _try(self, candidate: Candidate) -> Outcome | None:
        """One attempt. None: it failed, and the walk goes on."""
        key, (name, model_id) = candidate.key, candidate.pair
        self.candidate = candidate
        self.attempts += 1
        ledger = self._ledger
        attempt = self._attempt = Attempt(self.call, candidate, self._upstreams, self._settings, ledger.now)
        sent_at, started = attempt.sent_at, time.monotonic()
        self._events.note(ProviderAttempt(sent_at, self.request_id, name, key.index, model_id, self.call.operation))
        probed = ledger.begin_probe(key, model_id)
        traffic = self._busy = ledger.traffic.begin(key)
        is_good: bool | None = None
        try:
            result = await attempt.run(lambda: self._selection.is_wanted(candidate))
            is_good = isinstance(result, AttemptSuccess)
        except Withdrawn:
            self.attempts -= 1
            self._respond(candidate, time.monotonic() - started, "WITHDRAWN")
            self._release()
            return None
        finally:
            if probed:
                ledger.end_probe(probed)
            ledger.traffic.read(traffic, is_good=is_good)
        took_s = time.monotonic() - started
        if isinstance(result, AttemptSuccess):
            ledger.traffic.note_first_event(name, model_id, took_s, sent_at)
            outcome = self._serve(attempt, result, took_s)
        else:
            # Noted before anything is waited for: nobody may send to a slot whose failure has been read.
            outcome = self._refuse(candidate, result, sent_at, took_s)
            attempt.close()
            self._attempt = None
        if not isinstance(outcome, Served):
            self._release()
        return outcome

    def _release(self) -> None:
        """The key is not asked by this walk any more."""
        if self._busy is not None:
            self._busy.in_flight -= 1
            self._busy = None

    def _serve(self, attempt: Attempt, served: AttemptSuccess, took_s: float) -> Outcome | None:
        candidate = attempt.candidate
        self._is_anyone_reached = True
        if self._offline:
            self._reach()
        if served.is_empty and len(self._empty) < MAX_EMPTY:
            refused = AttemptFailure(Failure(kind=ErrorKind.PROTOCOL, message="the answer says nothing"), 200)
            self._count(candidate, refused, self.react(candidate, refused.failure, attempt.sent_at))
            self._respond(candidate, took_s, "EMPTY")
            self._empty.append(Served(served, attempt))
            self._attempt = None
            return None
        self._ledger.recover(candidate.key, candidate.model.id)
        self._respond(candidate, took_s, "OK")
        return Served(served, attempt)

    def _refuse(self, candidate: Candidate, refused: AttemptFailure, sent_at: float, took_s: float) -> Outcome | None:
        failure = refused.failure
        if refused.is_connect:
            # Whether it is the upstream or this machine that is offline shows only when somebody else answers.
            self._offline.append((candidate, failure, sent_at))
            self._selection.leave_provider(candidate)
            cooldown = self._reach() if self._is_anyone_reached else None
        else:
            self._reach()
            cooldown = self.react(candidate, failure, sent_at, refused.account)
        self._count(candidate, refused, cooldown)
        self._respond(candidate, took_s, str(failure.kind), cooldown)
        reaction = reaction_to(failure)
        if reaction.is_final:
            status = refused.status or reaction.answers
            is_fit = 400 <= status < 500 and status in _KNOWN and status not in _NEVER_SHOWN
            return Faulted(failure, status if is_fit else reaction.answers, candidate)
        if reaction.leaves_model:
            self._selection.leave_model(candidate)
            self._faults.append(Faulted(failure, reaction.answers, candidate))
        return None

    def react(
        self, candidate: Candidate, failure: Failure, sent_at: float, account: str | None = None
    ) -> Cooldown | None:
        """Notes in the ledger what a failure means, also for one in the middle of a stream."""
        (name, model_id), key = candidate.pair, candidate.key
        reaction = reaction_to(failure)
        now = self._ledger.now()
        if failure.kind in _NONSENSE and self._ledger.nonsense.note(name, model_id, failure.kind):
            if failure.kind == ErrorKind.PROTOCOL:
                reaction = TABLE[ErrorKind.UNAVAILABLE]
            else:
                self._ledger.put_last(name, now + _REFUSING_LAST_S)
        if account is not None:
            self._ledger.accounts.link(key, account)
        if reaction.remembers_feature and failure.feature in self.call.features:
            self._ledger.learned.note_missing(name, model_id, str(failure.feature), now)
        if reaction.remembers_size and b'"data:' not in self.call.body:  # an inline file's size is not in the estimate
            tokens = self.call.prompt_tokens + self.call.output_tokens
            self._ledger.learned.note_too_big(name, model_id, tokens, str(failure.kind), now)
        if failure.kind == ErrorKind.CONTEXT_LENGTH:
            self._selection.outgrow(candidate)
        if not reaction.cools:
            return None
        scope = cooled_scope(failure, reaction, candidate.provider)
        if scope in (Scope.KEY, Scope.ACCOUNT):
            self._selection.shake(candidate)
        cooldown = self._cool(candidate, failure, reaction, scope, sent_at)
        if reaction.is_outage and scope is not Scope.PROVIDER and self._ledger.note_outage(key, model_id):
            self._cool(candidate, failure, reaction, Scope.PROVIDER, sent_at)
        return cooldown

    def _cool(
        self, candidate: Candidate, failure: Failure, reaction: Reaction, scope: Scope, sent_at: float
    ) -> Cooldown:
        now = self._ledger.now()
        return self._ledger.cool(
            candidate.key,
            candidate.model.id,
            scope,
            kind=str(failure.kind),
            wait_s=lambda strikes: cooldown_s(failure, reaction, scope, strikes, now),
            is_outage=reaction.is_outage,
            sent_at=sent_at,
        )

    def _reach(self) -> Cooldown | None:
        """Somebody answered, so this machine is not offline: whoever could not be reached is down. Gives the last cooldown."""
        self._is_anyone_reached = True
        cooldown: Cooldown | None = None
        for candidate, failure, sent_at in self._offline:
            cooldown = self._cool(candidate, failure, reaction_to(failure), Scope.PROVIDER, sent_at)
        self._offline.clear()
        return cooldown

    def _count(self, candidate: Candidate, refused: AttemptFailure, cooldown: Cooldown | None) -> None:
        entry = self._tried.setdefault(candidate.pair, Tried(*candidate.pair))
        entry.keys_tried += 1
        entry.last_error = str(refused.failure.kind)
        entry.status = refused.status
        entry.reason = refused.failure.message if refused.is_connect else ""
        entry.retry_at = cooldown.until if cooldown is not None else None

    def _exhausted(self) -> Outcome:
        retry_at: float | None = None
        for choice, kind, until in self._selection.cooling():
            pair = (choice.member.provider.name, choice.model.id)
            entry = self._tried.setdefault(pair, Tried(*pair, last_error=kind, retry_at=until))
            if entry.retry_at is not None and entry.keys_tried == 0:
                entry.retry_at = min(entry.retry_at, until)
            retry_at = until if retry_at is None else min(retry_at, until)
        if not self._tried and (ruled_out := self._selection.ruled_out()) is not None:
            return ruled_out
        if self._faults and all(entry.last_error in _NO_USE_WAITING for entry in self._tried.values()):
            return self._faults[0]
        return Exhausted(tuple(self._tried.values()), retry_at)

    def _respond(self, candidate: Candidate, took_s: float, status: str, cooldown: Cooldown | None = None) -> None:
        (name, model_id), events = candidate.pair, self._events
        duration_ms = round(took_s * 1000)
        retry_after_s = None if cooldown is None else max(0, math.ceil(cooldown.until - self._ledger.now()))
        is_first_chunk = status == "OK" and self.call.stream
        response = ProviderResponse(
            events.now(),
            self.request_id,
            name,
            candidate.key.index,
            model_id,
            duration_ms,
            status.upper(),
            retry_after_s,
            is_first_chunk,
        )
        events.note(response)
