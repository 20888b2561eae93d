"""What a failed attempt counts as, where its upstream meters requests and tokens."""

from __future__ import annotations

from freeride_core.answer import ErrorKind
from freeride_core.gateway.walk.opening import AttemptFailure
from freeride_core.ledger.quota.reservation import Settlement

_MAY_COUNT = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.NETWORK, ErrorKind.PROTOCOL})
"""The upstream may have begun to work on it."""


def settlement_of(refused: AttemptFailure) -> Settlement:
    """Return how the attempt is settled."""
    if refused.is_connect:
        return Settlement.UNSENT
    if refused.failure.kind in _MAY_COUNT:
        return Settlement.FAILED
    return Settlement.REFUSED if refused.status is not None else Settlement.UNSENT
