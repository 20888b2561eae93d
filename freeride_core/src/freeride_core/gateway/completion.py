"""A completion: one client's request from its body to the last byte of its answer."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freeride_core.gateway import explain, sse
from freeride_core.gateway.attempt import Attempt, Candidate, PluginFault
from freeride_core.gateway.dialect import ClientError, bad_request
from freeride_core.gateway.exchange import BodyTooLarge, Exchange, HeaderList
from freeride_core.gateway.failover import Walk
from freeride_core.gateway.keepalive import KeepAlive
from freeride_core.gateway.outcome import Outcome, Serves
from freeride_core.gateway.routing import Route, UnknownPreset, Wanted
from freeride_core.gateway.upstream import UpstreamTrouble
from freeride_core.gateway.wire import BadRequest, parse_call, relayed_headers
from freeride_core.provider import Call, ErrorKind, Failure, Operation

if TYPE_CHECKING:
    from freeride_core.gateway.gateway import Gateway

_log = logging.getLogger(__name__)
_DRAIN_S = 1.0
"""How long an upstream may take to end its answer after `[DONE]`, so that its connection can be used again."""


class Completion:
    """Answers one exchange. `run` once."""

    def __init__(self, gateway: Gateway, exchange: Exchange, operation: Operation) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._operation = operation
        self._walk: Walk | None = None
        self._begun = time.monotonic()

    async def run(self) -> None:
        exchange = self._exchange
        try:
            await self._run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not (exchange.is_gone or exchange.is_aborted) or task is None:
                raise
            task.uncancel()
            if exchange.is_aborted and not exchange.is_gone:
                await self._fail(explain.stopping())
            else:
                self._emit("request_failed", code="client_gone")
        except Exception as error:
            # Where it happened, without the exception's words: they may quote a prompt.
            frames = traceback.extract_tb(error.__traceback__)
            _log.error("internal error: %s at %s:%s", type(error).__name__, frames[-1].filename, frames[-1].lineno)
            await self._fail(explain.internal_error())
        finally:
            exchange.unwatch()
            if self._walk is not None:
                await self._walk.close()

    async def _run(self) -> None:
        exchange, gateway = self._exchange, self._gateway
        try:
            body = await exchange.read_body(gateway.settings.max_body)
            call = parse_call(self._operation, body, gateway.now())
        except BodyTooLarge:
            too_large = bad_request(
                "The request body is larger than FREERIDE_MAX_BODY.", code="request_too_large", status=413
            )
            return await exchange.fail(too_large, [(b"connection", b"close")])
        except BadRequest as fault:
            return await exchange.fail(bad_request(fault.message, param=fault.param, code=fault.code))
        model = gateway.roster.redact(call.model) or "auto"  # a client may put anything there, a key too
        self._emit("request_start", model=model, stream=call.stream, operation=call.operation.value)
        exchange.watch()
        route = await self._route(call)
        if isinstance(route, ClientError):
            return await self._fail(route)
        self._walk = walk = gateway.walk(call, route, exchange.request_id)
        outcome = await self._walked(walk, call)
        if not isinstance(outcome, Serves):
            return await self._fail(explain.outcome(outcome, call, gateway.roster, gateway.now()))
        if outcome.served.rest is None:
            await self._pass_body(outcome)
        else:
            await self._pass_stream(walk, outcome)
        return None

    # Where to

    async def _route(self, call: Call) -> Route | ClientError:
        gateway = self._gateway
        force, refusal = self._forced_provider()
        if refusal is not None:
            return refusal
        if not gateway.roster.members:
            return explain.no_usable_keys(gateway.roster)
        try:
            wanted = gateway.router.wanted(call.model, gateway.roster)
        except UnknownPreset:
            return explain.unknown_preset()
        if call.operation is Operation.EMBEDDINGS and wanted.preset is not None:
            return explain.embedding_model_needed(gateway.embedding_models())
        route = self._plan(call, wanted, force)
        if not route.choices and (unknown := gateway.undecided(force)):
            await gateway.catalogs.wait(unknown)
            wanted = gateway.router.wanted(call.model, gateway.roster)
            route = self._plan(call, wanted, force)
            if not route.choices and (unknown := gateway.undecided(force)):
                return explain.catalog_unavailable(unknown)
        if route.choices:
            return route
        embedding_models = gateway.embedding_models() if call.operation is Operation.EMBEDDINGS else None
        return explain.no_route(call, route, gateway.roster, embedding_models)

    def _plan(self, call: Call, wanted: Wanted, force: str | None) -> Route:
        gateway = self._gateway
        return gateway.router.plan(call, wanted, gateway.roster, force, gateway.ledger.traffic.first_event_s)

    def _forced_provider(self) -> tuple[str | None, ClientError | None]:
        raw = self._exchange.headers.get(b"x-freeride-force-provider")
        if raw is None:
            return None, None
        roster = self._gateway.roster
        name = raw.decode("latin-1").strip().lower()
        if name not in roster.registered:
            return None, explain.force_provider_unknown(roster)
        if name not in roster.by_name:
            return None, explain.no_usable_keys(roster, name)
        return name, None

    # The answer

    async def _walked(self, walk: Walk, call: Call) -> Outcome:
        if not call.stream:
            return await walk.run()
        keep_alive = KeepAlive(self._exchange, self._gateway.keep_alive_s)
        try:
            return await walk.run()
        finally:
            await keep_alive.stop()

    async def _pass_body(self, serves: Serves) -> None:
        gateway, candidate = self._gateway, serves.attempt.candidate
        body = serves.served.body
        if gateway.settings.stamp_body:
            body = _stamped(body, candidate.provider.name)
        headers = [(b"content-type", b"application/json"), *self._headers(candidate, serves)]
        self._exchange.unwatch()
        await self._exchange.answer(200, headers, body)
        self._complete(candidate)

    async def _pass_stream(self, walk: Walk, serves: Serves) -> None:
        exchange, candidate = self._exchange, serves.attempt.candidate
        relay = sse.Relay(serves.attempt.find_failure)
        first = relay.feed(serves.served.body)
        if exchange.is_started:
            first = f": provider={candidate.provider.name} model={candidate.model.id}\n\n".encode() + first
        else:
            await exchange.start_stream(self._headers(candidate, serves))
        if first:
            await exchange.write(first)
        failure = relay.failure
        if failure is None and not relay.is_done:
            failure = await self._relay(relay, serves)
        if failure is not None:
            return await self._break_off(walk, serves.attempt, failure)
        exchange.unwatch()
        await exchange.end(b"" if relay.is_done else sse.DONE)
        self._complete(candidate)
        await _drain(serves)
        return None

    async def _relay(self, relay: sse.Relay, serves: Serves) -> Failure | None:
        """Passes the rest on as it comes. What it gives is why the stream did not end cleanly."""
        idle_s = self._gateway.settings.idle_timeout
        loop = asyncio.get_running_loop()
        rest = serves.served.rest
        assert rest is not None
        try:
            async with asyncio.timeout(idle_s) as budget:
                async for chunk in rest:
                    budget.reschedule(None)  # a client that takes its time is not the upstream's silence
                    data = relay.feed(chunk)
                    if data:
                        await self._exchange.write(data)
                    if relay.is_done or relay.failure is not None:
                        return relay.failure
                    budget.reschedule(loop.time() + idle_s)
            cut = Failure(kind=ErrorKind.NETWORK, message="the stream was cut off")
        except TimeoutError:
            cut = Failure(kind=ErrorKind.TIMEOUT, message="the stream fell silent")
        except UpstreamTrouble as trouble:
            cut = trouble.failure
        except PluginFault as fault:
            _log.warning("provider %s: its package failed: %s", serves.attempt.candidate.provider.name, fault)
            cut = Failure(kind=ErrorKind.PROTOCOL, message="the provider's package failed")
        data = relay.end()
        if data:
            await self._exchange.write(data if data.endswith(b"\n\n") else data + b"\n\n")
        # After a finish reason the answer is whole, however its connection ended.
        return relay.failure or (None if relay.is_done or relay.is_finished else cut)

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
        await self._exchange.fail(explain.broken_stream(candidate, failure))

    def _headers(self, candidate: Candidate, serves: Serves) -> HeaderList:
        wire = candidate.provider.wires[self._operation]
        return [*self._who(candidate), *relayed_headers(serves.served.answer.headers, wire.response_headers)]

    def _who(self, candidate: Candidate | None) -> HeaderList:
        if candidate is None or self._walk is None or not self._walk.attempts:
            return []
        return [
            (b"x-freeride-provider", candidate.provider.name.encode()),
            (b"x-freeride-model", candidate.model.id.encode("latin-1", "replace")),
            (b"x-freeride-attempts", str(self._walk.attempts).encode()),
        ]

    async def _fail(self, error: ClientError) -> None:
        self._emit("request_failed", code=error.type if error.more.get("tried") else error.code, tried=_names(error))
        self._exchange.unwatch()
        await self._exchange.fail(error, self._who(self._walk.candidate if self._walk else None))

    def _complete(self, candidate: Candidate) -> None:
        self._emit(
            "request_complete",
            provider=candidate.provider.name,
            model=candidate.model.id,
            attempts=self._walk.attempts if self._walk else 0,
            duration_ms=round((time.monotonic() - self._begun) * 1000),
        )

    def _emit(self, event: str, **fields: object) -> None:
        self._gateway.events.emit(event, self._exchange.request_id, **fields)


def _names(error: ClientError) -> list[str]:
    tried: Sequence[dict[str, object]] = error.more.get("tried", ())
    return list(dict.fromkeys(str(entry["provider"]) for entry in tried))


def _stamped(body: bytes, provider: str) -> bytes:
    """The object with who served as its last member; no other byte is touched."""
    end = body.rfind(b"}")
    return b"".join((body[:end], b',"_freeride_provider":"', provider.encode(), b'"', body[end:]))


async def _drain(serves: Serves) -> None:
    rest = serves.served.rest
    if rest is None:
        return
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for _ in rest:
                pass
    except (TimeoutError, UpstreamTrouble):
        return
