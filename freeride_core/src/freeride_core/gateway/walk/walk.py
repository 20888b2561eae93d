"""The walk: attempt, read, note it in the ledger, next; until one candidate answers or none is left."""

from __future__ import annotations

import asyncio
import http
import math
import time
from typing import Any

from freeride_core.answer import ErrorKind, Failure, Scope
from freeride_core.call import Call, Operation
from freeride_core.events.bus import EventBus
from freeride_core.events.records import ProviderAttempt, ProviderResponse
from freeride_core.gateway.http.errors import Withdrawn
from freeride_core.gateway.http.upstreams import Upstreams
from freeride_core.gateway.walk.attempt import Attempt, AttemptSuccess
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.consequences import Consequences
from freeride_core.gateway.walk.hedge import Hedge, silence_s
from freeride_core.gateway.walk.opening import AttemptFailure
from freeride_core.gateway.walk.outcome import Exhausted, Faulted, Outcome, Served, Tried
from freeride_core.gateway.walk.patience import patience_s
from freeride_core.gateway.walk.reaction import (
    reaction_to,
)
from freeride_core.gateway.walk.routing import RoutingPlan
from freeride_core.gateway.walk.selection import Selection
from freeride_core.gateway.walk.settlement import settlement_of
from freeride_core.gateway.walk.time_share import time_share_s
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.quota.reservation import Settlement
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.traffic import KeyTraffic
from freeride_core.settings.resolver import Settings

MAX_ATTEMPTS = 16
MAX_EMPTY = 2
"""Answers without a word that are passed over in one request."""
_OUTAGES = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.NETWORK})
_WARM_LAST_S = 60.0
"""How long a provider is put last that sent nothing but comments until another one answered."""
_NO_USE_WAITING = frozenset(
    {ErrorKind.UNSUPPORTED, ErrorKind.CONTEXT_LENGTH, ErrorKind.TOO_LARGE, ErrorKind.MODEL_NOT_FOUND}
)
_KNOWN = frozenset(http.HTTPStatus)
_NEVER_SHOWN = frozenset({401, 402, 403, 429})
"""Statuses on which agents bench their key; the key they know is ours, and it is fine."""


class Walk:
    """All attempts of one request. `run` once; `close` whatever happens."""

    __slots__ = (
        "_can_hedge",
        "_empty",
        "_events",
        "_faults",
        "_hedge",
        "_is_anyone_reached",
        "_ledger",
        "_offline",
        "_open",
        "_patience_until",
        "_selection",
        "_settings",
        "_tried",
        "_until",
        "_upstreams",
        "attempts",
        "call",
        "candidate",
        "consequences",
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
        self.consequences = Consequences(call, ledger, self._selection, self._tried)
        self._faults: list[Faulted] = []
        self._offline: list[tuple[Candidate, Failure, float, float]] = []
        self._is_anyone_reached = False
        self._open: list[tuple[Attempt, KeyTraffic]] = []
        """Attempts that have an answer, with the traffic that they are part of."""
        self._hedge: Hedge | None = None
        self._can_hedge = len(route.providers) > 1 and call.operation is Operation.CHAT and settings.hedge != 0
        self._empty: list[Served] = []
        now = time.monotonic()
        self._until = now + settings.total_timeout
        self._patience_until = now + patience_s(settings.patience, is_stream=call.stream)

    async def run(self) -> Outcome:
        usual = self._selection.usual()
        if usual is not None and (outcome := await self._try(usual)) is not None:
            return outcome
        while self.attempts < MAX_ATTEMPTS and time.monotonic() < self._until:
            is_all_outages = all(entry.last_error in _OUTAGES for entry in self._tried.values())
            candidate = await self._selection.next(MAX_ATTEMPTS - self.attempts, is_all_outages=is_all_outages)
            if candidate is None and (candidate := await self._wait_for_room()) is None:
                break
            outcome = await self._try(candidate)
            if outcome is not None:
                return outcome
        if self._empty:
            self.candidate = self._empty[0].attempt.candidate
            return self._empty[0]
        return self._exhausted()

    async def resume(self, serves: Served, failure: Failure) -> Outcome:
        """Go on after an answer that served has turned out to be a failure."""
        attempt = serves.attempt
        outcome = self._refuse(attempt.candidate, AttemptFailure(failure), attempt.sent_at, 0.0, is_hedge=False)
        return outcome or await self.run()

    def close(self) -> None:
        """Drops whatever is still open upstream."""
        if self._hedge is not None:
            self._hedge.close()
        for attempt, traffic in self._open:
            traffic.in_flight -= 1
            attempt.close()
        self._open.clear()

    async def _try(self, candidate: Candidate, *, is_hedge: bool = False) -> Outcome | None:
        """Make one attempt, and another beside it if that sends nothing. Return None if they failed: the walk goes on."""
        key, (name, model_id) = candidate.key, candidate.pair
        self.candidate = candidate
        self.attempts += 1
        ledger, started, operation = self._ledger, time.monotonic(), self.call.operation
        is_last = not self._selection.has_other(candidate)
        most_s = time_share_s(self._until - started, is_stream=self.call.stream, is_last=is_last)
        attempt = Attempt(self.call, candidate, self._upstreams, self._settings, ledger.now, most_s)
        attempt.reservation, sent_at = self._selection.reservation, attempt.sent_at
        self._events.note(ProviderAttempt(sent_at, self.request_id, name, key.index, model_id, operation, is_hedge))
        probed = ledger.begin_probe(key, model_id)
        traffic = ledger.traffic.begin(key)
        timer = self._arm(candidate) if self._can_hedge else None
        result: AttemptSuccess | AttemptFailure | None = None
        is_good: bool | None = None
        try:
            result = await attempt.run(lambda: self._selection.is_wanted(candidate))
            if not (is_good := isinstance(result, AttemptSuccess)):
                attempt.settle(settlement_of(result))
        except Withdrawn:
            self.attempts -= 1
            attempt.settle(Settlement.UNSENT)
            self._respond(candidate, time.monotonic() - started, "WITHDRAWN", is_hedge=is_hedge)
        except BaseException as error:
            hedge = self._hedge
            if isinstance(error, asyncio.CancelledError) and hedge is not None and hedge.is_decided:
                is_good = self._lose(attempt, time.monotonic() - started, is_hedge=is_hedge)
                if not is_hedge and hedge.has_won():
                    return hedge.outcome
            elif hedge is not None and not is_hedge:
                hedge.close()
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if probed:
                ledger.end_probe(probed)
            ledger.traffic.read(traffic, is_good=is_good)
            if is_good:
                self._open.append((attempt, traffic))
            else:
                traffic.in_flight -= 1
                attempt.close()
        took_s = time.monotonic() - started
        outcome: Outcome | None = None
        if isinstance(result, AttemptSuccess):
            ledger.traffic.note_first_event(name, model_id, took_s, sent_at)
            outcome = self._serve(attempt, result, took_s, is_hedge=is_hedge)
        elif result is not None:
            # Noted before anything is waited for: no request may be sent to a slot whose failure has been read.
            outcome = self._refuse(candidate, result, sent_at, took_s, is_hedge=is_hedge)
        return outcome if self._hedge is None or is_hedge else await self._hedge.settle(outcome)

    async def _wait_for_room(self) -> Candidate | None:
        """Wait for the candidate that has room soonest, first come, first served, or return None if that takes too long."""
        while (place := self._selection.place()) is not None:
            candidate, wait_s = place
            quotas, now = self._ledger.quotas, self._ledger.now()
            ends_at = min(self._patience_until, self._until)
            if time.monotonic() + wait_s > ends_at or not quotas.begin_wait(len(self.call.body)):
                return None
            reservation = self._selection.give_place(candidate, now + wait_s)
            self._events.emit("request_wait", self.request_id, provider=candidate.pair[0], wait_s=round(wait_s, 1))
            is_there = False
            try:
                await asyncio.sleep(wait_s)
                is_there = reservation is None or not reservation.is_shut(self._ledger.now())
            finally:
                quotas.end_wait(len(self.call.body))
                if not is_there and reservation is not None:
                    reservation.settle(Settlement.UNSENT)
            if is_there:
                return candidate
            self._selection.take_back(candidate)
        return None

    def _arm(self, candidate: Candidate) -> asyncio.TimerHandle:
        """What asks a second candidate once the first one has been silent for long."""
        main = asyncio.current_task()
        assert main is not None
        usual_s = self._ledger.traffic.first_event_s(*candidate.pair)
        after_s = silence_s(self._settings.hedge, usual_s, is_stream=self.call.stream)
        return main.get_loop().call_later(after_s, self._begin_hedge, main, candidate)

    def _begin_hedge(self, main: asyncio.Task[Any], candidate: Candidate) -> None:
        if self.attempts >= MAX_ATTEMPTS or time.monotonic() >= self._until:
            return
        if (other := self._selection.beside(candidate)) is not None:
            self._can_hedge = False
            self._hedge = Hedge(main, self._try(other, is_hedge=True))

    def _lose(self, attempt: Attempt, took_s: float, *, is_hedge: bool) -> bool | None:
        """Another candidate serves. Whether it counts as good; None: it had no time to be either."""
        candidate = attempt.candidate
        cooldown: Cooldown | None = None
        usual_s = self._ledger.traffic.first_event_s(*candidate.pair)
        is_silent = took_s >= silence_s(self._settings.hedge, usual_s, is_stream=self.call.stream)
        if is_silent and attempt.is_kept_warm:
            self._ledger.put_last(candidate.provider.name, self._ledger.now() + _WARM_LAST_S)
        elif is_silent:
            silent = AttemptFailure(Failure(kind=ErrorKind.TIMEOUT, message="another provider was quicker"))
            cooldown = self.consequences.draw(candidate, silent.failure, attempt.sent_at, waited_s=took_s)
            self._count(candidate, silent, cooldown)
        self._respond(candidate, took_s, "CANCELLED", cooldown, is_hedge=is_hedge)
        return False if is_silent else None

    def _serve(self, attempt: Attempt, served: AttemptSuccess, took_s: float, *, is_hedge: bool) -> Outcome | None:
        candidate = attempt.candidate
        self._is_anyone_reached = True
        if self._offline:
            self._reach()
        if served.is_empty and len(self._empty) < MAX_EMPTY:
            refused = AttemptFailure(Failure(kind=ErrorKind.PROTOCOL, message="the answer says nothing"), 200)
            self._count(candidate, refused, self.consequences.draw(candidate, refused.failure, attempt.sent_at))
            self._respond(candidate, took_s, "EMPTY", is_hedge=is_hedge)
            self._empty.append(Served(served, attempt))
            return None
        ledger = self._ledger
        ledger.recover(candidate.key, candidate.model.id)
        if ledger.learned:
            size = self.call.prompt_tokens + self.call.output_tokens
            ledger.learned.note_served(*candidate.pair, self.call.features, size)
        self._respond(candidate, took_s, "OK", is_hedge=is_hedge)
        return Served(served, attempt)

    def _refuse(
        self, candidate: Candidate, refused: AttemptFailure, sent_at: float, took_s: float, *, is_hedge: bool
    ) -> Outcome | None:
        failure = refused.failure
        if refused.is_connect:
            # Whether it is the upstream or this machine that is offline shows only when another one answers.
            self._offline.append((candidate, failure, sent_at, took_s))
            self._selection.leave_provider(candidate)
            cooldown = self._reach() if self._is_anyone_reached else None
        else:
            self._reach()
            told = (refused.account, refused.quota)
            cooldown = self.consequences.draw(candidate, failure, sent_at, *told, waited_s=took_s)
        self._count(candidate, refused, cooldown)
        self._respond(candidate, took_s, str(failure.kind), cooldown, is_hedge=is_hedge)
        reaction = reaction_to(failure)
        if reaction.is_final:
            status = refused.status or reaction.answers
            is_fit = 400 <= status < 500 and status in _KNOWN and status not in _NEVER_SHOWN
            return Faulted(failure, status if is_fit else reaction.answers, candidate)
        if reaction.leaves_model:
            self._selection.leave_model(candidate)
            self._faults.append(Faulted(failure, reaction.answers, candidate))
        return None

    def _reach(self) -> Cooldown | None:
        """One answered, so this machine is not offline, and what could not be reached is down. Return the last cooldown."""
        self._is_anyone_reached = True
        cooldown: Cooldown | None = None
        for candidate, failure, sent_at, took_s in self._offline:
            cooldown = self.consequences.cool(candidate, failure, reaction_to(failure), Scope.PROVIDER, sent_at, took_s)
        self._offline.clear()
        return cooldown

    def _count(self, candidate: Candidate, refused: AttemptFailure, cooldown: Cooldown | None) -> None:
        entry = self._tried.setdefault(candidate.pair, Tried(*candidate.pair))
        entry.keys_tried += 1
        entry.last_error = str(refused.failure.kind)
        entry.status = refused.status
        entry.reason = refused.failure.message if refused.is_connect else ""
        entry.retry_at = cooldown.until if cooldown is not None else None
        entry.is_of_account = refused.failure.scope is Scope.ACCOUNT

    def _exhausted(self) -> Outcome:
        retry_at: float | None = None
        for choice, state, cooldown in self._selection.cooling():
            pair, until = (choice.member.provider.name, choice.model.id), cooldown.until
            is_of_account = state.slot is not None and state.slot.is_of_account
            resting = Tried(*pair, last_error=cooldown.kind, retry_at=until, is_of_account=is_of_account)
            entry = self._tried.setdefault(pair, resting)
            if entry.retry_at is not None and entry.keys_tried == 0:
                entry.retry_at = min(entry.retry_at, until)
            retry_at = until if retry_at is None else min(retry_at, until)
        for entry in self._tried.values():
            if entry.retry_at is not None:
                retry_at = entry.retry_at if retry_at is None else min(retry_at, entry.retry_at)
        if self._faults and all(entry.last_error in _NO_USE_WAITING for entry in self._tried.values()):
            return self._faults[0]
        return Exhausted(tuple(self._tried.values()), retry_at)

    def _respond(
        self,
        candidate: Candidate,
        took_s: float,
        status: str,
        cooldown: Cooldown | None = None,
        *,
        is_hedge: bool,
    ) -> None:
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
            is_hedge,
        )
        events.note(response)
