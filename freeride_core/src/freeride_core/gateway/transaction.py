"""A transaction: one request of a client, from its body to the last byte of the response."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freeride_core.answer import Failure
from freeride_core.call import Call, Operation
from freeride_core.events.records import RequestComplete, RequestStart
from freeride_core.events.usage import ENDING_BYTES
from freeride_core.gateway import explanation
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.client_name import USER_AGENT_MOST
from freeride_core.gateway.http.aside import aside
from freeride_core.gateway.http.budget import NoRoom
from freeride_core.gateway.http.encoding import EncodingFault
from freeride_core.gateway.http.errors import BodyTooLarge
from freeride_core.gateway.http.relayed_headers import relayed_headers
from freeride_core.gateway.http.server_exchange import HeaderList
from freeride_core.gateway.http.upstream_response import AT_ONCE
from freeride_core.gateway.http.via import has_passed
from freeride_core.gateway.protocols.errors import ClientError, bad_request
from freeride_core.gateway.protocols.keep_alive import KeepAlive
from freeride_core.gateway.protocols.protocol import ParsedRequest
from freeride_core.gateway.protocols.request import BadRequest
from freeride_core.gateway.relay import StreamRelay
from freeride_core.gateway.walk.attempt import Attempt
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.outcome import Outcome, Served
from freeride_core.gateway.walk.routing import RoutingPlan, UnknownPreset, Wanted
from freeride_core.gateway.walk.walk import Walk
from freeride_core.ledger.quota.served import ServedResponse
from freeride_core.system.json_values import LARGE

if TYPE_CHECKING:
    from freeride_core.gateway.runtime import Gateway

_log = logging.getLogger(__name__)
_LONG = 64 * 1024
"""Bytes of a request in which an upstream's words are looked for beside the event loop."""
_BROKEN_LAST_S = 60.0
"""How long a provider is put last that broke off: longer than agents wait before they try again."""
_STAMP_MOST = 96
_STAMP = re.compile(rb',"_freeride_provider":"[a-z0-9_-]*"\}(?=\s*\Z)')


class Transaction:
    """Answers one exchange. `run` once."""

    __slots__ = ("_begun", "_exchange", "_gateway", "_walk", "held")

    def __init__(self, gateway: Gateway, exchange: ClientExchange) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._walk: Walk | None = None
        self._begun = time.monotonic()
        self.held = 0
        """Bytes that it has taken from the budget: the request, and an answer that its client has not taken yet."""

    async def run(self) -> None:
        exchange = self._exchange
        self._gateway.exchanges.add(exchange)
        try:
            await self._run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not (exchange.is_gone or exchange.is_aborted) or task is None:
                raise
            task.uncancel()
            if exchange.is_aborted and not exchange.is_gone:
                self._fail(explanation.stopping())
            else:
                self._emit("request_failed", code="client_gone")
        except NoRoom:
            self._fail(explanation.no_room())
        except Exception as error:
            # Where it happened, without the exception's words: they may quote a prompt.
            frames = traceback.extract_tb(error.__traceback__)
            _log.error("internal error: %s at %s:%s", type(error).__name__, frames[-1].filename, frames[-1].lineno)
            self._fail(explanation.internal_error())
        finally:
            self._gateway.exchanges.discard(exchange)
            exchange.unwatch()
            if self._walk is not None:
                self._walk.close()
            if self.held:
                self._gateway.budget.give_back(self.held)

    async def _run(self) -> None:
        exchange, gateway = self._exchange, self._gateway
        try:
            body = exchange.whole_body(gateway.settings.max_body)
            if body is not None and len(body) <= AT_ONCE:
                parsed = exchange.protocol.parse(exchange, body, gateway.now())
            else:
                parsed = await self._receive(body)
        except (BodyTooLarge, EncodingFault, NoRoom) as fault:
            return exchange.turn_away(explanation.unread(fault))
        except BadRequest as fault:
            return exchange.fail(bad_request(fault.message, param=fault.param, code=fault.code))
        call = parsed.call
        exchange.encoder = parsed.encoder
        if parsed.headers:
            exchange.extra_headers = [*exchange.extra_headers, *parsed.headers]
        if parsed.reply is not None:
            return await self._reply(call, parsed.reply)
        if b"via" in exchange.headers:
            call.via = exchange.headers[b"via"]
            if has_passed(call.via, gateway.upstreams.pseudonym):
                gateway.note_loop()
                return exchange.fail(explanation.loop_detected())
        model = gateway.shown(call.model) or "auto"  # a client may put anything there, a key too
        events = gateway.events
        client = gateway.named(exchange.headers.get(b"user-agent", b"")[:USER_AGENT_MOST])
        told = (model, call.stream, call.operation, client, exchange.protocol.event_name)
        events.note(RequestStart(events.now(), exchange.request_id, *told))
        exchange.watch()
        force = exchange.headers.get(b"x-freeride-force-provider")
        route = gateway.router.settled(call, gateway.enabled) if force is None else None
        if route is None or not route.choices:
            found = await self._route(call, force)
            if isinstance(found, ClientError):
                return self._fail(found)
            route = found
        self._walk = walk = gateway.walk(call, route, exchange.request_id)
        return await self._answer(walk, call)

    # The request's body

    async def _receive(self, body: bytes | None) -> ParsedRequest:
        """A request whose body is large, or has not come yet."""
        gateway, budget = self._gateway, self._gateway.budget
        if body is not None:
            self._hold(len(body))
        else:
            budget.begin_wait(self)
            try:
                body = await self._exchange.read_body(gateway.settings.max_body, self._hold)
            finally:
                budget.end_wait(self)
        exchange, parse = self._exchange, self._exchange.protocol.parse
        if len(body) <= LARGE:
            return parse(exchange, body, gateway.now())
        return await aside(parse, exchange, body, gateway.now())

    def _hold(self, size: int) -> None:
        self._gateway.budget.take(size)
        self.held += size

    def give_way(self) -> None:
        """The client takes its time while others need the room: drops it."""
        self._exchange.give_way()

    # Where to

    async def _route(self, call: Call, forced: bytes | None) -> RoutingPlan | ClientError:
        gateway = self._gateway
        force, refusal = self._forced_provider(forced)
        if refusal is not None:
            return refusal
        if not gateway.enabled.members:
            return explanation.no_usable_keys(gateway.enabled)
        try:
            wanted = gateway.router.wanted(call.model, gateway.enabled)
        except UnknownPreset:
            return explanation.unknown_preset(call.model)
        if call.operation is Operation.EMBEDDINGS and wanted.preset is not None:
            return explanation.embedding_model_needed(gateway.embedding_models())
        route = self._plan(call, wanted, force)
        if not route.choices and (unknown := gateway.undecided(force)):
            await gateway.catalogs.wait(unknown)
            wanted = gateway.router.wanted(call.model, gateway.enabled)
            route = self._plan(call, wanted, force)
            if not route.choices and (unknown := gateway.undecided(force)):
                return explanation.catalog_unavailable(unknown)
        if route.choices:
            return route
        named = (gateway.embedding_models(), gateway.chat_models())
        return explanation.no_route(call, route, gateway.enabled, wanted, *named)

    def _plan(self, call: Call, wanted: Wanted, force: str | None) -> RoutingPlan:
        gateway = self._gateway
        return gateway.router.plan(call, wanted, gateway.enabled, force, gateway.ledger.traffic.first_event_s)

    def _forced_provider(self, raw: bytes | None) -> tuple[str | None, ClientError | None]:
        if raw is None:
            return None, None
        enabled = self._gateway.enabled
        name = raw.decode("latin-1").strip().lower()
        if name not in enabled.registered:
            return None, explanation.force_provider_unknown(enabled, name)
        if name not in enabled.by_name:
            return None, explanation.no_usable_keys(enabled, name)
        return name, None

    # The answer

    async def _answer(self, walk: Walk, call: Call) -> None:
        outcome = await (self._walked(walk) if call.stream else walk.run())
        while isinstance(outcome, Served):
            if outcome.served.rest is not None:
                return await self._pass_stream(walk, outcome)
            failure = await self._pass_body(outcome)
            if failure is None:
                return None
            outcome = await walk.resume(outcome, failure)
        return self._fail(await self._explained(outcome, call))

    async def _walked(self, walk: Walk) -> Outcome:
        keep_alive = KeepAlive(self._exchange, self._gateway.keep_alive_s)
        try:
            return await walk.run()
        finally:
            await keep_alive.stop()

    async def _reply(self, call: Call, reply: bytes) -> None:
        """Answers without an upstream, unless the model does not exist."""
        found = await self._route(call, None)
        if isinstance(found, ClientError) and found.status == 404:
            return self._exchange.fail(found)
        return self._exchange.answer(200, [(b"content-type", b"application/json")], reply)

    async def _explained(self, outcome: Outcome, call: Call) -> ClientError:
        told = (outcome, call, self._gateway.enabled, self._gateway.now())
        if len(call.body) <= _LONG:
            return explanation.outcome(*told)
        return await aside(explanation.outcome, *told)  # it looks for the conversation in an upstream's words

    async def _pass_body(self, serves: Served) -> Failure | None:
        """Answers with a whole answer, or says why the client's protocol has no form for it."""
        exchange, candidate, encoder = self._exchange, serves.attempt.candidate, self._exchange.encoder
        body = told = serves.served.body
        if encoder is not None:
            encoder.begin(candidate.model.id)
            told = encoder.whole(body) if len(body) <= LARGE else await aside(encoder.whole, body)
            if encoder.failure is not None:
                return encoder.failure
        if self._gateway.settings.stamp_body:
            told = _stamped(told, candidate.provider.name)
        headers = self._headers(candidate, serves)
        headers.append((b"content-type", b"application/json"))
        exchange.unwatch()
        exchange.answer(200, headers, told)
        self._complete(serves, body)
        if len(told) > AT_ONCE and exchange.is_slow:
            await self._see_off(len(told))
        return None

    async def _see_off(self, size: int) -> None:
        """Holds an answer until its client has taken it; what the upstream's side holds of it is free before that."""
        assert self._walk is not None
        walk, self._walk = self._walk, None
        budget = self._gateway.budget
        walk.close()
        budget.held += size  # it is here, whether there is room for it or not
        self.held += size
        budget.begin_wait(self)
        try:
            await self._exchange.drain()
        finally:
            budget.end_wait(self)

    async def _pass_stream(self, walk: Walk, serves: Served) -> None:
        exchange, candidate = self._exchange, serves.attempt.candidate
        relay = StreamRelay(exchange, serves, self._gateway.settings.idle_timeout, self._gateway.keep_alive_s)
        first = relay.begin()
        if exchange.is_started:
            first = exchange.protocol.late_headers(*candidate.pair) + first
        else:
            exchange.start_stream(self._headers(candidate, serves))
        await relay.run(first)
        if relay.failure is not None:
            if relay.last:
                await exchange.send(relay.last)
            return await self._break_off(walk, serves.attempt, relay.failure, relay.waited_s)
        exchange.unwatch()
        exchange.end(relay.last)
        self._complete(serves, relay.scanner.ending)
        await relay.drain()
        return None

    async def _break_off(self, walk: Walk, attempt: Attempt, failure: Failure, waited_s: float) -> None:
        candidate = attempt.candidate
        walk.consequences.draw(candidate, failure, attempt.sent_at, waited_s=waited_s)
        ledger = self._gateway.ledger
        ledger.put_last(candidate.provider.name, ledger.now() + _BROKEN_LAST_S)
        self._emit(
            "request_mid_stream_error",
            provider=candidate.provider.name,
            model=candidate.model.id,
            kind=str(failure.kind),
        )
        self._exchange.unwatch()
        told = (candidate, failure, walk.call, self._gateway.enabled)
        is_short = len(walk.call.body) <= _LONG
        error = explanation.broken_stream(*told) if is_short else await aside(explanation.broken_stream, *told)
        self._exchange.fail(error)

    def _headers(self, candidate: Candidate, serves: Served) -> HeaderList:
        wire = candidate.provider.wires[serves.attempt.call.operation]
        headers = self._who(candidate)
        effort = serves.attempt.call.effort
        if effort is not None and not effort.is_taken(candidate.model):
            headers.append((b"x-freeride-dropped", effort.field.encode()))
        headers += relayed_headers(serves.served.reply.headers, wire.response_headers)
        return headers

    def _who(self, candidate: Candidate | None) -> HeaderList:
        if candidate is None or self._walk is None or not self._walk.attempts:
            return []
        headers = [*candidate.headers, (b"x-freeride-attempts", b"%d" % self._walk.attempts)]
        name, gateway = self._walk.call.model, self._gateway
        if gateway.enabled.aliases and gateway.router.is_alias(name, gateway.enabled):
            headers.append((b"x-freeride-requested-model", gateway.shown(name).encode("ascii", "replace")))
        return headers

    def _fail(self, error: ClientError) -> None:
        self._emit("request_failed", code=error.type if error.more.get("tried") else error.code, tried=_names(error))
        self._exchange.unwatch()
        self._exchange.fail(error, self._who(self._walk.candidate if self._walk else None))

    def _complete(self, serves: Served, ending: bytes) -> None:
        attempts = self._walk.attempts if self._walk else 0
        duration_ms = round((time.monotonic() - self._begun) * 1000)
        events = self._gateway.events
        told = (*serves.attempt.candidate.pair, attempts, duration_ms, ending[-ENDING_BYTES:])
        complete = RequestComplete(events.now(), self._exchange.request_id, *told)
        events.note(complete)
        if serves.attempt.reservation is not None:
            wire, headers = serves.attempt.wire, serves.served.reply.headers
            served = ServedResponse(serves.attempt.reservation, complete, wire, headers, serves.attempt.sent_at)
            self._gateway.ledger.quotas.note_served(served)

    def _emit(self, event: str, **fields: object) -> None:
        self._gateway.events.emit(event, self._exchange.request_id, **fields)


def _names(error: ClientError) -> list[str]:
    tried: Sequence[dict[str, object]] = error.more.get("tried", ())
    return list(dict.fromkeys(str(entry["provider"]) for entry in tried))


def _stamped(body: bytes, provider: str) -> bytes:
    """The object with who served as its last member; no other byte is touched. Another gateway's word is replaced."""
    end = body.rfind(b"}")
    if b"_freeride_provider" in body[-_STAMP_MOST:] and (found := _STAMP.search(body, len(body) - _STAMP_MOST)):
        end = found.start()
        return b"".join((body[:end], b',"_freeride_provider":"', provider.encode(), b'"', body[found.end() - 1 :]))
    return b"".join((body[:end], b',"_freeride_provider":"', provider.encode(), b'"', body[end:]))
