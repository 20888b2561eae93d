"""A completion: one client's request from its body to the last byte of its answer."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from freeride_core.answer import ErrorKind, Failure
from freeride_core.call import Call, Operation
from freeride_core.events.bus import RequestComplete, RequestStart
from freeride_core.gateway import explanation
from freeride_core.gateway.client import BodyTooLarge, ClientExchange, HeaderList
from freeride_core.gateway.http import sse
from freeride_core.gateway.http.deadline import NEVER
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.protocols.errors import ClientError, bad_request
from freeride_core.gateway.protocols.keep_alive import KeepAlive
from freeride_core.gateway.protocols.request import BadRequest, parse_call, relayed_headers
from freeride_core.gateway.walk.attempt import Attempt, PluginFault
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.outcome import Outcome, Served
from freeride_core.gateway.walk.routing import RoutingPlan, UnknownPreset, Wanted
from freeride_core.gateway.walk.walk import Walk

if TYPE_CHECKING:
    from freeride_core.gateway.runtime import Gateway

_log = logging.getLogger(__name__)
_DRAIN_S = 1.0
"""How long an upstream may take to end its answer after `[DONE]`, so that its connection can be used again."""


class Transaction:
    """Answers one exchange. `run` once."""

    __slots__ = ("_begun", "_exchange", "_gateway", "_operation", "_walk")

    def __init__(self, gateway: Gateway, exchange: ClientExchange, operation: Operation) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._operation = operation
        self._walk: Walk | None = None
        self._begun = time.monotonic()

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
                await self._fail(explanation.stopping())
            else:
                self._emit("request_failed", code="client_gone")
        except Exception as error:
            # Where it happened, without the exception's words: they may quote a prompt.
            frames = traceback.extract_tb(error.__traceback__)
            _log.error("internal error: %s at %s:%s", type(error).__name__, frames[-1].filename, frames[-1].lineno)
            await self._fail(explanation.internal_error())
        finally:
            self._gateway.exchanges.discard(exchange)
            exchange.unwatch()
            if self._walk is not None:
                self._walk.close()

    async def _run(self) -> None:
        exchange, gateway = self._exchange, self._gateway
        try:
            limit = gateway.settings.max_body
            body = exchange.whole_body(limit)
            if body is None:
                body = await exchange.read_body(limit)
            call = parse_call(self._operation, body, gateway.now())
        except BodyTooLarge:
            too_large = bad_request(
                "The request body is larger than FREERIDE_MAX_BODY.", code="request_too_large", status=413
            )
            return await exchange.fail(too_large, [(b"connection", b"close")])
        except BadRequest as fault:
            return await exchange.fail(bad_request(fault.message, param=fault.param, code=fault.code))
        model = gateway.shown(call.model) or "auto"  # a client may put anything there, a key too
        events = gateway.events
        events.note(RequestStart(events.now(), exchange.request_id, model, call.stream, call.operation))
        exchange.watch()
        force = exchange.headers.get(b"x-freeride-force-provider")
        route = gateway.router.settled(call, gateway.roster) if force is None else None
        if route is None or not route.choices:
            found = await self._route(call, force)
            if isinstance(found, ClientError):
                return await self._fail(found)
            route = found
        self._walk = walk = gateway.walk(call, route, exchange.request_id)
        outcome = await (self._walked(walk) if call.stream else walk.run())
        if not isinstance(outcome, Served):
            return await self._fail(explanation.outcome(outcome, call, gateway.roster, gateway.now()))
        if outcome.served.rest is None:
            await self._pass_body(outcome)
        else:
            await self._pass_stream(walk, outcome)
        return None

    # Where to

    async def _route(self, call: Call, forced: bytes | None) -> RoutingPlan | ClientError:
        gateway = self._gateway
        force, refusal = self._forced_provider(forced)
        if refusal is not None:
            return refusal
        if not gateway.roster.members:
            return explanation.no_usable_keys(gateway.roster)
        try:
            wanted = gateway.router.wanted(call.model, gateway.roster)
        except UnknownPreset:
            return explanation.unknown_preset()
        if call.operation is Operation.EMBEDDINGS and wanted.preset is not None:
            return explanation.embedding_model_needed(gateway.embedding_models())
        route = self._plan(call, wanted, force)
        if not route.choices and (unknown := gateway.undecided(force)):
            await gateway.catalogs.wait(unknown)
            wanted = gateway.router.wanted(call.model, gateway.roster)
            route = self._plan(call, wanted, force)
            if not route.choices and (unknown := gateway.undecided(force)):
                return explanation.catalog_unavailable(unknown)
        if route.choices:
            return route
        embedding_models = gateway.embedding_models() if call.operation is Operation.EMBEDDINGS else None
        return explanation.no_route(call, route, gateway.roster, embedding_models)

    def _plan(self, call: Call, wanted: Wanted, force: str | None) -> RoutingPlan:
        gateway = self._gateway
        return gateway.router.plan(call, wanted, gateway.roster, force, gateway.ledger.traffic.first_event_s)

    def _forced_provider(self, raw: bytes | None) -> tuple[str | None, ClientError | None]:
        if raw is None:
            return None, None
        roster = self._gateway.roster
        name = raw.decode("latin-1").strip().lower()
        if name not in roster.registered:
            return None, explanation.force_provider_unknown(roster)
        if name not in roster.by_name:
            return None, explanation.no_usable_keys(roster, name)
        return name, None

    # The answer

    async def _walked(self, walk: Walk) -> Outcome:
        keep_alive = KeepAlive(self._exchange, self._gateway.keep_alive_s)
        try:
            return await walk.run()
        finally:
            await keep_alive.stop()

    async def _pass_body(self, serves: Served) -> None:
        gateway, candidate = self._gateway, serves.attempt.candidate
        body = serves.served.body
        if gateway.settings.stamp_body:
            body = _stamped(body, candidate.provider.name)
        headers = self._headers(candidate, serves)
        headers.append((b"content-type", b"application/json"))
        self._exchange.unwatch()
        await self._exchange.answer(200, headers, body)
        self._complete(candidate, body)

    async def _pass_stream(self, walk: Walk, serves: Served) -> None:
        exchange, candidate = self._exchange, serves.attempt.candidate
        relay = sse.StreamScanner(serves.attempt.find_failure)
        first = relay.feed(serves.served.body)
        if exchange.is_started:
            first = f": provider={candidate.provider.name} model={candidate.model.id}\n\n".encode() + first
        else:
            await exchange.start_stream(self._headers(candidate, serves))
        failure, last = relay.failure, first
        if failure is None and not relay.is_done:
            if first:
                await exchange.write(first)
            failure, last = await self._relay(relay, serves)
        if failure is not None:
            if last:
                await exchange.write(last)
            return await self._break_off(walk, serves.attempt, failure)
        exchange.unwatch()
        await exchange.end(last if relay.is_done else last + sse.DONE)
        self._complete(candidate, relay.ending)
        await _drain(serves)
        return None

    async def _relay(self, relay: sse.StreamScanner, serves: Served) -> tuple[Failure | None, bytes]:
        """Passes the rest on as it comes. What it gives is why the stream did not end cleanly, and what is still to be sent."""
        idle_s = self._gateway.settings.idle_timeout
        exchange, reply = self._exchange, serves.served.reply
        clock = asyncio.get_running_loop().time
        data = b""
        drain: Callable[[], Awaitable[None]] | None = None

        def take(chunk: bytes) -> bool:
            nonlocal data, drain
            data = relay.feed(chunk)
            if relay.is_done or relay.failure is not None:
                return False
            drain = exchange.write_now(data) if data else None
            reply.expect_by(clock() + idle_s)
            return drain is None

        assert serves.served.rest is not None
        reply.expect_by(clock() + idle_s)
        try:
            while await serves.served.rest.pass_on(take):
                if drain is None:
                    return relay.failure, data
                reply.expect_by(NEVER)  # a client that takes its time is not the upstream's silence
                await drain()
                drain = None
                reply.expect_by(clock() + idle_s)
            cut = Failure(kind=ErrorKind.NETWORK, message="the stream was cut off")
        except UpstreamError as trouble:
            is_silence = trouble.failure.kind == ErrorKind.TIMEOUT
            cut = Failure(kind=ErrorKind.TIMEOUT, message="the stream fell silent") if is_silence else trouble.failure
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", serves.attempt.candidate.provider.name, fault)
            cut = Failure(kind=ErrorKind.PROTOCOL, message="the provider's package failed")
        data = relay.end()
        if data and not data.endswith(b"\n\n"):
            data += b"\n\n"
        # After a finish reason the answer is whole, however its connection ended.
        return relay.failure or (None if relay.is_done or relay.is_finished else cut), data

    async def _break_off(self, walk: Walk, attempt: Attempt, failure: Failure) -> None:
        candidate = attempt.candidate
        walk.react(candidate, failure, attempt.sent_at)
        self._emit(
            "request_mid_stream_error",
            provider=candidate.provider.name,
            model=candidate.model.id,
            kind=str(failure.kind),
        )
        self._exchange.unwatch()
        await self._exchange.fail(explanation.broken_stream(candidate, failure))

    def _headers(self, candidate: Candidate, serves: Served) -> HeaderList:
        wire = candidate.provider.wires[self._operation]
        headers = self._who(candidate)
        headers += relayed_headers(serves.served.reply.headers, wire.response_headers)
        return headers

    def _who(self, candidate: Candidate | None) -> HeaderList:
        if candidate is None or self._walk is None or not self._walk.attempts:
            return []
        return [*candidate.headers, (b"x-freeride-attempts", b"%d" % self._walk.attempts)]

    async def _fail(self, error: ClientError) -> None:
        self._emit("request_failed", code=error.type if error.more.get("tried") else error.code, tried=_names(error))
        self._exchange.unwatch()
        await self._exchange.fail(error, self._who(self._walk.candidate if self._walk else None))

    def _complete(self, candidate: Candidate, ending: bytes) -> None:
        attempts = self._walk.attempts if self._walk else 0
        duration_ms = round((time.monotonic() - self._begun) * 1000)
        if (tally := self._gateway.tally) is not None:
            tally.note(ending)
        events = self._gateway.events
        events.note(RequestComplete(events.now(), self._exchange.request_id, *candidate.pair, attempts, duration_ms))

    def _emit(self, event: str, **fields: object) -> None:
        self._gateway.events.emit(event, self._exchange.request_id, **fields)


def _names(error: ClientError) -> list[str]:
    tried: Sequence[dict[str, object]] = error.more.get("tried", ())
    return list(dict.fromkeys(str(entry["provider"]) for entry in tried))


def _stamped(body: bytes, provider: str) -> bytes:
    """The object with who served as its last member; no other byte is touched."""
    end = body.rfind(b"}")
    return b"".join((body[:end], b',"_freeride_provider":"', provider.encode(), b'"', body[end:]))


async def _drain(serves: Served) -> None:
    rest = serves.served.rest
    if rest is None:
        return
    serves.served.reply.expect_by(asyncio.get_running_loop().time() + _DRAIN_S)
    try:
        while await rest.read():
            pass
    except (UpstreamError, PluginFault):
        return
