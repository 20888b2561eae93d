"""The Messages API as a client protocol."""

from __future__ import annotations

import re
from collections.abc import Sequence

from freeride_core import binder
from freeride_core.gateway.protocols import json_text
from freeride_core.gateway.protocols.errors import ClientError
from freeride_core.gateway.protocols.messages.errors import error_body
from freeride_core.gateway.protocols.messages.models import model_entry, model_list
from freeride_core.gateway.protocols.protocol import (
    ListedModel,
    ParsedRequest,
    ProtocolRoute,
    RequestHead,
    RouteUse,
    ServedProtocol,
)

_MESSAGES, _COUNT = "/v1/messages", "/v1/messages/count_tokens"
_MARKS = (b"anthropic-version",)
_DROPPED, _ESTIMATE = b"x-freeride-dropped", b"x-freeride-estimate"


class MessagesProtocol(ServedProtocol):
    """Agents and SDKs of one vendor speak it."""

    routes = (
        ProtocolRoute("POST", _MESSAGES),
        ProtocolRoute("POST", _COUNT),
        ProtocolRoute("GET", "/v1/models", RouteUse.MODELS, _MARKS),
        ProtocolRoute("GET", "/v1/models/{id}", RouteUse.MODEL, _MARKS),
    )
    event_name = "messages"
    agents_need = binder.ClientProtocol.MESSAGES
    claims = re.compile(r"(?:^|/)messages(?:/|$)")
    keep_alive = b'event: ping\ndata: {"type":"ping"}\n\n'
    request_id_headers = (b"request-id", b"x-request-id")
    exposed_headers = (_DROPPED, _ESTIMATE)

    def prepare(self) -> None:
        from freeride_core.gateway.protocols.messages import encoder  # noqa: F401 - with all else: 40 ms later than the start

    def parse(self, head: RequestHead, body: bytes, now: float) -> ParsedRequest:
        from freeride_core.gateway.protocols.messages.encoder import MessageEncoder
        from freeride_core.gateway.protocols.messages.request import parse_messages
        from freeride_core.gateway.protocols.token_estimate import estimate_tokens

        request = parse_messages(body, now)
        headers = [(_DROPPED, ", ".join(request.dropped).encode())] if request.dropped else []
        if head.path == _COUNT:
            count = json_text.encode({"input_tokens": estimate_tokens(request.call)})
            return ParsedRequest(request.call, headers=[*headers, (_ESTIMATE, b"true")], reply=count)
        encoder = MessageEncoder(request, head.request_id)
        reply = encoder.nothing(request.call.model) if request.is_prewarming else None
        return ParsedRequest(request.call, encoder, headers, reply)

    def error_body(self, error: ClientError, request_id: str) -> bytes:
        return error_body(error, request_id)

    def model_list(self, models: Sequence[ListedModel], head: RequestHead) -> bytes:  # noqa: ARG002 - all are one page
        return model_list(models)

    def model(self, model: ListedModel, head: RequestHead) -> bytes:  # noqa: ARG002 - likewise
        return model_entry(model)
