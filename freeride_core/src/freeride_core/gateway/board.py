"""`GET /v1/quota`: what is left of every limit, from memory. No upstream is asked."""

from __future__ import annotations

import json

from freeride_core.gateway.runtime import Gateway
from freeride_core.ledger.quota.board import FreeTier, read_board


def board_of(gateway: Gateway) -> bytes:
    """Return the response's body, as JSON: what `freeride quota --json` shows."""
    members = gateway.enabled.members
    tiers = (FreeTier(member.provider.name, member.keys, gateway.free_models(member)) for member in members)
    return json.dumps(read_board(gateway.ledger.quotas, tiers, gateway.now()).members()).encode()
