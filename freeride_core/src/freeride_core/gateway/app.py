"""The application: what each request is for, and whether it is let in."""

from __future__ import annotations

from collections.abc import Awaitable

from freeride_core.gateway import access, explanation, origins
from freeride_core.gateway.board import board_of
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.health import health_of
from freeride_core.gateway.http.server_exchange import HeaderList
from freeride_core.gateway.listing import find_model, list_models
from freeride_core.gateway.protocols import registry
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.protocol import RouteUse
from freeride_core.gateway.routes import OWN_PATHS, RouteMatch, RouteTable, understood
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.transaction import Transaction
from freeride_core.gateway.unserved import unserved


class App:
    """Finds what each request is for. Every one passes the access check before that is done."""

    exchange_type = ClientExchange

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._access = access.AccessCheck()
        self._routes = RouteTable(registry.PROTOCOLS)

    def __call__(self, exchange: ClientExchange) -> Awaitable[None] | None:
        gateway = self.gateway
        settings = gateway.settings
        headers = exchange.headers
        found = self._routes.usual.get(exchange.path) if exchange.method == "POST" else None
        if found is None:
            exchange.path = understood(exchange.path)
            found = self._routes.find(exchange.method, exchange.path, headers)
        exchange.begin(found.protocol)
        is_preflight = False
        if b"origin" in headers and found.is_path:
            exchange.extra_headers = origins.cors_headers(headers, settings, self._routes.exposed)
            is_preflight = origins.is_preflight(exchange.method, headers, settings)
        refused = self._access.refusal(exchange.query, headers, settings, is_preflight=is_preflight)
        if refused is None and len(headers) != len(exchange.header_list):
            refused = access.contradiction(exchange.header_list)
            if refused is not None:
                exchange.extra_headers = origins.VARY  # which page asks is not known
        if refused is None and gateway.is_stopping:
            refused = explanation.stopping()
        if refused is None and found.route is not None and found.route.use is RouteUse.CALL:
            return Transaction(gateway, exchange).run()
        if refused is None and exchange.path == _QUOTA:
            refused = access.data_refusal(headers, settings)
        if refused is not None:
            self._refuse(exchange, refused)
        elif is_preflight:
            _answer_preflight(exchange, origins.preflight_headers(headers, settings))
        else:
            self._answer(exchange, found)
        return None

    def _answer(self, exchange: ClientExchange, found: RouteMatch) -> None:
        """Answer what needs no upstream."""
        if _is_health(exchange):
            exchange.answer(200, [_JSON], health_of(self.gateway, exchange, is_known=True))
        elif exchange.path == _QUOTA and exchange.method in _READS:
            exchange.answer(200, [_JSON, *_PRIVATE], board_of(self.gateway))
        elif found.route is None:
            self._find_fault(exchange, found)
        else:
            self._list(exchange, found)

    def _refuse(self, exchange: ClientExchange, refused: ClientError) -> None:
        if _is_health(exchange) and refused.status in (401, 421) and b"origin" not in exchange.headers:
            exchange.answer(200, [_JSON], health_of(self.gateway, exchange, is_known=False))
        else:
            exchange.fail(refused)

    def _list(self, exchange: ClientExchange, found: RouteMatch) -> None:
        if found.route is not None and found.route.use is RouteUse.MODELS:
            exchange.answer(200, [_JSON], found.protocol.model_list(list_models(self.gateway), exchange))
        elif (model := find_model(self.gateway, found.id)) is not None:
            exchange.answer(200, [_JSON], found.protocol.model(model, exchange))
        else:
            exchange.fail(_NO_MODEL)

    def _find_fault(self, exchange: ClientExchange, found: RouteMatch) -> None:
        host = exchange.headers.get(b"host", b"").decode("latin-1")
        error, encode = unserved(exchange.path, host, found.protocol, self._routes.summary)
        if encode == found.protocol.error_body and (found.is_path or exchange.path in OWN_PATHS):
            exchange.fail(_NO_METHOD)
        else:
            exchange.answer(error.status, error.headers(), encode(error, exchange.request_id))


def _answer_preflight(exchange: ClientExchange, answer: HeaderList | None) -> None:
    if answer is None:
        exchange.fail(access.preflight_refused())
    else:
        exchange.answer(204, answer, b"")


_QUOTA, _HEALTH = OWN_PATHS
_READS = ("GET", "HEAD")
_JSON = (b"content-type", b"application/json")
_PRIVATE = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""On what the gateway knows of its user."""
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
    return exchange.path == _HEALTH and exchange.method in _READS
