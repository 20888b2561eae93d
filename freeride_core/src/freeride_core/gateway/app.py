"""The ASGI application: access, and which path leads where."""

from __future__ import annotations

from collections.abc import Awaitable

from freeride_core.gateway import access, explanation, origins
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.health import health_of
from freeride_core.gateway.http.server_exchange import AsgiScope, Receive, Send
from freeride_core.gateway.listing import find_model, list_models
from freeride_core.gateway.protocols import registry
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.protocol import RouteUse
from freeride_core.gateway.routes import RouteMatch, RouteTable, understood
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.transaction import Transaction
from freeride_core.gateway.unserved import unserved


class App:
    """Finds what each request is for. Every one passes the access check before that is done."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._access = access.AccessCheck()
        self._routes = RouteTable(registry.PROTOCOLS)

    def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return _decline()
        gateway = self.gateway
        settings = gateway.settings
        exchange = ClientExchange(scope, receive, send)
        headers = exchange.headers
        found = self._routes.usual.get(exchange.path) if exchange.method == "POST" else None
        if found is None:
            exchange.path = understood(exchange.path)
            found = self._routes.find(exchange.method, exchange.path, headers)
        exchange.protocol = found.protocol
        is_preflight = False
        if b"origin" in headers and found.is_path:
            exchange.extra_headers = origins.cors_headers(headers, settings, self._routes.exposed)
            is_preflight = origins.is_preflight(exchange.method, headers, settings)
        refused = self._access.refusal(exchange.query, headers, settings, is_preflight=is_preflight)
        if refused is None and len(headers) != len(scope["headers"]):
            refused = access.contradiction(scope["headers"])
            if refused is not None:
                exchange.extra_headers = origins.VARY  # which page asks is not known
        if refused is None and gateway.is_stopping:
            refused = explanation.stopping()
        if refused is not None:
            if _is_health(exchange) and refused.status in (401, 421) and b"origin" not in headers:
                return exchange.answer(200, [_JSON], health_of(gateway, scope, is_known=False))
            return exchange.fail(refused)
        if found.route is not None and found.route.use is RouteUse.CALL:
            return Transaction(gateway, exchange).run()
        if is_preflight:
            return _answer_preflight(exchange, origins.preflight_headers(headers, settings))
        if _is_health(exchange):
            return exchange.answer(200, [_JSON], health_of(gateway, scope, is_known=True))
        return self._answer(exchange, found)

    def _answer(self, exchange: ClientExchange, found: RouteMatch) -> Awaitable[None]:
        """To what asks no model for anything."""
        if found.route is None:
            return self._find_fault(exchange, found)
        if found.route.use is RouteUse.MODELS:
            return exchange.answer(200, [_JSON], found.protocol.model_list(list_models(self.gateway), exchange))
        model = find_model(self.gateway, found.id)
        return (
            exchange.fail(_NO_MODEL)
            if model is None
            else exchange.answer(200, [_JSON], found.protocol.model(model, exchange))
        )

    def _find_fault(self, exchange: ClientExchange, found: RouteMatch) -> Awaitable[None]:
        host = exchange.headers.get(b"host", b"").decode("latin-1")
        error, encode = unserved(exchange.path, host, found.protocol, self._routes.summary)
        is_ours = encode == found.protocol.error_body
        if is_ours and (found.is_path or exchange.path == "/health"):
            return exchange.fail(_NO_METHOD)
        return exchange.answer(error.status, error.headers(), encode(error, exchange.request_id))


async def _decline() -> None:
    """Of a server's other protocols the gateway speaks none."""


def _answer_preflight(exchange: ClientExchange, answer: origins.HeaderList | None) -> Awaitable[None]:
    return exchange.fail(access.preflight_refused()) if answer is None else exchange.answer(204, answer, b"")


_JSON = (b"content-type", b"application/json")
_NO_METHOD = ClientError(
    status=405, message="This path does not take this method.", type="invalid_request_error", code="method_not_allowed"
)
_NO_MODEL = ClientError(
    status=404,
    message="No provider with a usable key serves this model for free.",
    type="invalid_request_error",
    code="model_not_found",
)


def _is_health(exchange: ClientExchange) -> bool:
    return exchange.path == "/health" and exchange.method in ("GET", "HEAD")
