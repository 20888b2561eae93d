"""The ASGI application: access, the hot routes, and Starlette for the rest."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from freeride_core.call import Operation
from freeride_core.gateway import access, explanation, origins
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.health import health_of
from freeride_core.gateway.http.server_exchange import AsgiScope, Message, Receive, Send
from freeride_core.gateway.listing import find_model, list_models
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.transaction import Transaction
from freeride_core.gateway.unserved import Encode, understood, unserved

_HOT = {
    "/v1/chat/completions": Operation.CHAT,
    "/v1/embeddings": Operation.EMBEDDINGS,
}


class App:
    """Every request passes the access check first; the routes that carry tokens are plain ASGI, without a framework's layers."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._access = access.AccessCheck()
        self._rest = _routes(gateway)

    def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return _decline()
        gateway = self.gateway
        settings = gateway.settings
        exchange = ClientExchange(scope, receive, send)
        headers = exchange.headers
        if exchange.path not in _HOT:
            exchange.path = scope["path"] = understood(exchange.path)
        if b"origin" in headers:
            exchange.extra_headers = origins.cors_headers(exchange.path, headers, settings)
        refused = self._access.refusal(exchange.method, exchange.path, exchange.query, headers, settings)
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
        operation = _HOT.get(exchange.path) if exchange.method == "POST" else None
        if operation is None:
            return self._serve_rest(scope, receive, send, exchange)
        return Transaction(gateway, exchange, operation).run()

    async def _serve_rest(self, scope: AsgiScope, receive: Receive, send: Send, exchange: ClientExchange) -> None:
        settings = self.gateway.settings
        if origins.is_preflight(exchange.method, exchange.path, exchange.headers, settings):
            answer = origins.preflight_headers(exchange.headers, settings)
            return await (
                exchange.fail(access.preflight_refused()) if answer is None else exchange.answer(204, answer, b"")
            )
        if _is_health(exchange):
            return await exchange.answer(200, [_JSON], health_of(self.gateway, scope, is_known=True))
        scope["freeride.request_id"] = exchange.request_id
        return await self._rest(scope, receive, _with_own_headers(send, exchange))


async def _decline() -> None:
    """Of a server's other protocols the gateway speaks none."""


def _with_own_headers(send: Send, exchange: ClientExchange) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", [])]
            exchange.add_own_headers(message["headers"])
        await send(message)

    return sending


_JSON = (b"content-type", b"application/json")


def _is_health(exchange: ClientExchange) -> bool:
    return exchange.path == "/health" and exchange.method in ("GET", "HEAD")


def _routes(gateway: Gateway) -> Starlette:
    async def models(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
        return JSONResponse({"object": "list", "data": list_models(gateway)})

    async def model(request: Request) -> Response:
        entry = find_model(gateway, request.path_params["name"])
        if entry is None:
            return _error(request, 404, "No provider with a usable key serves this model for free.", "model_not_found")
        return JSONResponse(entry)

    async def nothing(request: Request, error: Exception) -> Response:  # noqa: ARG001 - likewise
        found, encode = unserved(request.url.path, request.headers["host"])
        return _response(request, found, encode)

    async def wrong_method(request: Request, error: Exception) -> Response:
        _, encode = unserved(request.url.path, request.headers["host"])
        if encode is not ClientError.body:  # a path of another protocol that looks like one of ours
            return await nothing(request, error)
        return _error(request, 405, "This path does not take this method.", "method_not_allowed")

    app = Starlette(
        routes=[
            Route("/health", answered_before),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
            *(Route(path, answered_before, methods=["POST"]) for path in _HOT),
        ],
        exception_handlers={404: nothing, 405: wrong_method},
    )
    app.router.redirect_slashes = False
    return app


async def answered_before(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
    """Makes another method on a route that Starlette does not answer a 405."""
    raise AssertionError("this route is answered before Starlette")


def _error(request: Request, status: int, message: str, code: str) -> Response:
    return _response(request, ClientError(status=status, message=message, type="invalid_request_error", code=code))


def _response(request: Request, error: ClientError, encode: Encode = ClientError.body) -> Response:
    response = Response(encode(error, request.scope["freeride.request_id"]), error.status)
    response.raw_headers += error.headers()
    return response
