"""Chat completions: the hub. Its answers go to the client byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from freeride_core import binder
from freeride_core.call import Operation
from freeride_core.gateway.protocols.protocol import (
    ListedModel,
    ParsedRequest,
    ProtocolRoute,
    RequestHead,
    RouteUse,
    ServedProtocol,
)
from freeride_core.gateway.protocols.request import parse_call


class ChatCompletionsProtocol(ServedProtocol):
    """Chat completions, and the lists of models as its clients read them."""

    routes: tuple[ProtocolRoute, ...] = (
        ProtocolRoute("POST", "/v1/chat/completions"),
        ProtocolRoute("GET", "/v1/models", RouteUse.MODELS),
        ProtocolRoute("GET", "/v1/models/{id}", RouteUse.MODEL),
    )
    agents_need = binder.ClientProtocol.CHAT_COMPLETIONS

    def parse(self, head: RequestHead, body: bytes, now: float) -> ParsedRequest:  # noqa: ARG002 - the body says it all
        return ParsedRequest(parse_call(Operation.CHAT, body, now))

    def model_list(self, models: Sequence[ListedModel], head: RequestHead) -> bytes:  # noqa: ARG002 - one shape for all
        return msgspec.json.encode({"object": "list", "data": [_entry(model) for model in models]})

    def model(self, model: ListedModel, head: RequestHead) -> bytes:  # noqa: ARG002 - likewise
        return msgspec.json.encode(_entry(model))


def _entry(model: ListedModel) -> dict[str, Any]:
    """OpenAI's members, and a few more that agents read."""
    entry = {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.owner,
        "supported_parameters": model.parameters,
        "canonical_id": model.canonical,
        "available_providers": model.providers,
        "provider_ids": model.provider_ids,
    }
    return {**entry, "context_length": model.context} if model.context else entry
