"""`GET /health`: whether the gateway works, and the proof that it belongs to a home."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import freeride_core
from freeride_core.gateway.http.server_exchange import ServerExchange
from freeride_core.gateway.runtime import Gateway
from freeride_core.settings.identity import is_challenge, make_secret, prove


def health_of(gateway: Gateway, exchange: ServerExchange, *, is_known: bool) -> bytes:
    """The answer's body, as JSON. `is_known` False, for a client without the token or under a foreign Host: no more than `ok`,
    and the proof where a challenge asks for it. The proof comes first because the token follows it."""
    answer: dict[str, Any] = {"ok": True}
    if is_known:
        answer["version"] = freeride_core.__version__
        answer["providers"] = [member.provider.name for member in gateway.enabled.members]
    if (proof := _proof_of(gateway, exchange)) is not None:
        answer["proof"] = proof
    return json.dumps(answer).encode()


def _proof_of(gateway: Gateway, exchange: ServerExchange) -> str | None:
    challenges = parse_qs(exchange.query.decode("latin-1")).get("challenge", ())
    server = exchange.server
    if len(challenges) != 1 or not is_challenge(challenges[0]) or not server:
        return None
    secret = make_secret(gateway.settings.home)
    return None if secret is None else prove(secret, challenges[0], server[0], server[1])
