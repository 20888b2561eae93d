"""A ledger whose slots a test cools, and the clock that it reads."""

from __future__ import annotations

from freeride_core import Key, Scope
from freeride_core.answer import ErrorKind, Failure
from freeride_core.gateway.walk.reaction import cooldown_s, reaction_to
from freeride_core.ledger.readiness import Ledger


def key(index: int = 0) -> Key:
    return Key(
        provider="alpha",
        secret="s",
        fingerprint=f"{index:012}",
        index=index,
        variable="ALPHA_KEY",
        base_url="https://alpha.invalid",
    )


def cool(ledger: Ledger, kind: ErrorKind, *, sent_at: float, scope: Scope = Scope.MODEL) -> float:
    failure = Failure(kind=kind)
    reaction = reaction_to(failure)
    cooldown = ledger.cool(
        key(),
        "m",
        scope,
        kind=str(kind),
        wait_s=lambda strikes, _: cooldown_s(failure, reaction, scope, strikes, ledger.now()),
        is_outage=reaction.is_outage,
        sent_at=sent_at,
    )
    return cooldown.until - ledger.now()
