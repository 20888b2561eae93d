"""The gateway's own scheduler, in virtual time: its routing, selection, quotas and reactions, and settlement as the walk does it.

What the walk itself does around them is repeated here without sockets: attempts one after the other, and a wait for the place of
one candidate. It leaves out hedging, streams and time-outs, which the scripted upstreams give no reason for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bench.yields import wordings
from bench.yields.answers import UpstreamAnswer
from bench.yields.demand import AgentRequest
from bench.yields.scheduler import Decision, GivingUp, RequestWalk, Sending, ServedModel, Waiting
from freeride_core import Call, Key, Model, Operation, Provider
from freeride_core.answer import ErrorKind
from freeride_core.call import Feature
from freeride_core.compatible.wire import CompatibleWire
from freeride_core.events.records import RequestComplete
from freeride_core.events.usage import Usage
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.consequences import Consequences
from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders
from freeride_core.gateway.walk.opening import AttemptFailure
from freeride_core.gateway.walk.outcome import Tried
from freeride_core.gateway.walk.patience import patience_s
from freeride_core.gateway.walk.reaction import reaction_to
from freeride_core.gateway.walk.routing import Preset, Router, Wanted
from freeride_core.gateway.walk.selection import Selection
from freeride_core.gateway.walk.settlement import settlement_of
from freeride_core.gateway.walk.walk import MAX_ATTEMPTS
from freeride_core.ledger.quota.allowance import AmountSource
from freeride_core.ledger.quota.quotas import QuotaMode
from freeride_core.ledger.quota.reservation import Reservation, Settlement
from freeride_core.ledger.quota.served import ServedResponse
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.slots import Slot
from freeride_core.privacy.redaction import Redactor
from freeride_core.provider import Account
from freeride_core.settings.aliases import Aliases
from freeride_core.settings.keys import fingerprint

_OUTAGES = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.NETWORK})


@dataclass(slots=True)
class _GatewayWalk:
    """What one request of a client knows, besides the ledger."""

    call: Call
    selection: Selection
    consequences: Consequences
    patience_until: float
    tried: dict[tuple[str, str], Tried] = field(default_factory=dict)
    attempts: int = 0
    place: tuple[Candidate, float] | None = None
    """The candidate that it waits for, and until when."""
    reservation: Reservation | None = None
    candidate: Candidate | None = None
    probed: tuple[Slot, ...] = ()
    is_begun: bool = False


class LedgerScheduler:
    """Parts can be switched off, to see what each is worth."""

    def __init__(
        self,
        models: Sequence[ServedModel],
        patience_setting_s: float,
        *,
        reserves: bool = True,
        learns: bool = True,
    ) -> None:
        self._now = 0.0
        self._reserves = reserves
        self._learns = learns
        self._patience_s = patience_s(patience_setting_s, is_stream=True)
        self._served = {(served.provider.name, served.model.id): served for served in models}
        providers = {served.provider.name: served.provider for served in models}
        self._models: dict[str, tuple[Model, ...]] = {
            name: tuple(served.model for served in models if served.provider.name == name) for name in providers
        }
        self.ledger = Ledger(lambda: self._now, lambda _: None)
        limits = {
            name: tuple(limit for limit in provider.limits if limit.unit != "usd" and limit.amount > 0)
            for name, provider in providers.items()
        }
        self.ledger.quotas.follow(limits, QuotaMode.ON)
        self._enabled = _enabled(providers)
        self._router = Router(
            models=lambda name: self._models[name], version=lambda: 1, account=lambda _: Account(can_be_billed=False)
        )
        self._walks: dict[RequestWalk, _GatewayWalk] = {}

    # What the trial asks

    def choose(self, walk: RequestWalk, now: float) -> Decision:
        self._now = now
        own = self._walks.get(walk)
        if own is None:
            own = self._walks[walk] = self._begin(walk.request, now)
        decision = self._choose(own, now)
        if isinstance(decision, GivingUp):
            del self._walks[walk]
        return decision

    def settle(self, walk: RequestWalk, sending: Sending, answer: UpstreamAnswer, now: float) -> None:
        self._now = now
        own = self._walks[walk]
        assert own.candidate is not None
        self.ledger.end_probe(own.probed)
        traffic = self.ledger.traffic.on(own.candidate.key)
        traffic.in_flight -= 1
        traffic.was_good = answer.is_served
        if answer.is_served:
            del self._walks[walk]
            self._serve(own, answer)
        else:
            self._refuse(own, answer, sending.at)
        if not self._learns:
            for allowance in self.ledger.quotas.allowances():
                if allowance.source is AmountSource.LEARNED:
                    allowance.window.amount = allowance.limit.amount

    def withdraw(self, walk: RequestWalk, now: float) -> None:
        """It has never been told of a wait beyond the patience."""

    # What the walk does

    def _begin(self, request: AgentRequest, now: float) -> _GatewayWalk:
        call = _call(request)
        route = self._router.plan(call, Wanted(Preset.AUTO), self._enabled, None, self.ledger.traffic.first_event_s)
        selection, tried = Selection(call, route, self.ledger), dict[tuple[str, str], Tried]()
        consequences = Consequences(call, self.ledger, selection, tried)
        return _GatewayWalk(call, selection, consequences, now + self._patience_s, tried)

    def _choose(self, own: _GatewayWalk, now: float) -> Decision:
        if own.place is not None:
            waited_for, at = own.place
            if now < at:
                return Waiting(at)
            own.place = None
            if own.reservation is not None and own.reservation.is_shut(now):
                self._end(own, Settlement.UNSENT)
                own.selection.take_back(waited_for)
                return self._wait_for_room(own, now)
            if own.selection.is_wanted(waited_for):
                return self._send(own, waited_for, now)
            self._end(own, Settlement.UNSENT)
        candidate = self._following(own)
        if candidate is not None:
            self._book(own)
            return self._send(own, candidate, now)
        return self._wait_for_room(own, now) if own.attempts < MAX_ATTEMPTS else GivingUp()

    def _following(self, own: _GatewayWalk) -> Candidate | None:
        """Return who can be asked at this moment."""
        if not own.is_begun:
            own.is_begun = True
            if (usual := own.selection.usual()) is not None:
                return usual
        if own.attempts >= MAX_ATTEMPTS:
            return None
        is_all_outages = all(entry.last_error in _OUTAGES for entry in own.tried.values())
        return _at_once(own.selection.next(MAX_ATTEMPTS - own.attempts, is_all_outages=is_all_outages))

    def _wait_for_room(self, own: _GatewayWalk, now: float) -> Decision:
        place = own.selection.place()
        if place is None or now + place[1] > own.patience_until:
            return GivingUp()
        candidate, wait_s = place
        own.selection.give_place(candidate, now + wait_s)
        self._book(own)
        own.place = (candidate, now + wait_s)
        return Waiting(now + wait_s)

    def _book(self, own: _GatewayWalk) -> None:
        own.reservation = own.selection.reservation
        if own.reservation is not None and not self._reserves:
            own.reservation.settle(Settlement.UNSENT)

    def _send(self, own: _GatewayWalk, candidate: Candidate, now: float) -> Sending:
        own.candidate = candidate
        own.attempts += 1
        own.probed = self.ledger.begin_probe(candidate.key, candidate.model.id)
        self.ledger.traffic.on(candidate.key).in_flight += 1
        return Sending(self._served[candidate.pair], now, _max_tokens(own, candidate))

    def _serve(self, own: _GatewayWalk, answer: UpstreamAnswer) -> None:
        candidate, ledger, reservation = own.candidate, self.ledger, own.reservation
        assert candidate is not None
        usage = Usage(answer.prompt_tokens, answer.answer_tokens)
        ledger.recover(candidate.key, candidate.model.id)
        if ledger.learned:
            size = own.call.prompt_tokens + own.call.output_tokens
            ledger.learned.note_served(*candidate.pair, own.call.features, size)
        if reservation is None:
            return
        if not self._reserves:
            for share in reservation.claim.meter.shares:
                share.allowance.take(share.used(usage), self._now, self._now)
                share.allowance.accept(self._now)
            return
        complete = RequestComplete(self._now, "", *candidate.pair, own.attempts, 0, usage)
        wire = candidate.provider.wires[Operation.CHAT]
        headers = wordings.headers(answer, candidate.provider.name)
        ledger.quotas.note_served(ServedResponse(reservation, complete, wire, headers, answer.sent_at))
        reservation.close()
        ledger.quotas.settle()

    def _refuse(self, own: _GatewayWalk, answer: UpstreamAnswer, sent_at: float) -> None:
        candidate = own.candidate
        assert candidate is not None
        arrived = wordings.refusal(answer, candidate.provider.name, candidate.model, own.call, self._now)
        reading = candidate.provider.wires[Operation.CHAT].read(arrived)
        failure = reading.failure
        assert failure is not None
        refused = AttemptFailure(failure, arrived.status, reading.account, quota=reading.quota)
        self._end(own, settlement_of(refused))
        waited_s = self._now - sent_at
        cooldown = own.consequences.draw(candidate, failure, sent_at, refused.account, refused.quota, waited_s=waited_s)
        entry = own.tried.setdefault(candidate.pair, Tried(*candidate.pair))
        entry.keys_tried += 1
        entry.last_error = str(failure.kind)
        entry.retry_at = None if cooldown is None else cooldown.until
        if reaction_to(failure).leaves_model:
            own.selection.leave_model(candidate)

    def _end(self, own: _GatewayWalk, settlement: Settlement) -> None:
        if own.reservation is not None:
            own.reservation.settle(settlement)
            own.reservation.close()


def _max_tokens(own: _GatewayWalk, candidate: Candidate) -> int | None:
    """Return what the package sends."""
    model, wire = candidate.model, candidate.provider.wires[Operation.CHAT]
    assert isinstance(wire, CompatibleWire)
    if own.reservation is not None and own.reservation.max_tokens is not None:
        model = dataclasses.replace(model, max_output=own.reservation.max_tokens)
    sent = wire.changes(own.call, model).get("max_tokens", own.call.fields.get("max_tokens"))
    return None if sent is None else int(bytes(sent))


def _call(request: AgentRequest) -> Call:
    fields = {"model": msgspec.Raw(b'"auto"')}
    if request.max_tokens is not None:
        fields["max_tokens"] = msgspec.Raw(b"%d" % request.max_tokens)
    return Call(
        operation=Operation.CHAT,
        model="auto",
        stream=True,
        pairs=(),
        fields=fields,
        body=bytes(request.prompt_bytes),
        features=frozenset({Feature.TOOLS}) if request.tools else frozenset(),
        prompt_tokens=request.low_tokens,
        output_tokens=request.max_tokens or 0,
    )


def _enabled(providers: Mapping[str, Provider]) -> EnabledProviders:
    members = tuple(
        EnabledProvider(provider, (_key(provider),), provider.free)
        for provider in sorted(providers.values(), key=lambda each: (each.rank, each.name))
    )
    return EnabledProviders(members, False, Aliases({}, {}, ()), providers, (), Redactor(()))


def _key(provider: Provider) -> Key:
    return Key(
        provider=provider.name,
        secret="",
        fingerprint=fingerprint(provider.name),
        index=0,
        variable="",
        base_url=provider.base_url,
    )


def _at_once(coroutine: Coroutine[Any, Any, Candidate | None]) -> Candidate | None:
    """Return what a coroutine returns that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: Candidate | None = end.value
        return found
    coroutine.close()
    raise RuntimeError("a selection waits in virtual time")
