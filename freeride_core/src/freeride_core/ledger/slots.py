"""Slots: what a cooldown applies to: a provider, a subject (an account, a key or all keys) and a model (or all)."""

from __future__ import annotations

import functools
import json
from typing import NamedTuple

from freeride_core.answer import Scope
from freeride_core.provider import Key

EVERYONE = "*"
ALL_MODELS = "*"


class Slot(NamedTuple):
    provider: str
    subject: str
    """`key:<fingerprint>`, `account:<fingerprint>` or `*`."""
    model: str
    """The provider's own spelling, or `*`."""

    @property
    def is_of_account(self) -> bool:
        """Whether it is a whole account, rather than a key, a model or everything."""
        return self.model == ALL_MODELS and self.subject.startswith("account:")

    @property
    def name(self) -> str:
        """Return its name in the state store."""
        return _name(self)

    @classmethod
    def parse(cls, name: str) -> Slot:
        """Back from `name`; ValueError if it is not one."""
        provider, subject, model = json.loads(name)
        return cls(str(provider), str(subject), str(model))


@functools.lru_cache(maxsize=1024)
def _name(slot: Slot) -> str:
    return json.dumps(list(slot))


def slot_of(scope: Scope, key: Key, account: str, model_id: str) -> Slot:
    """The slot that a failure of this scope cools. `account` is the ledger's name for the key's account."""
    if scope is Scope.KEY:
        return Slot(key.provider, f"key:{key.fingerprint}", ALL_MODELS)
    if scope is Scope.ACCOUNT:
        return Slot(key.provider, account, ALL_MODELS)
    if scope is Scope.ACCOUNT_MODEL:
        return Slot(key.provider, account, model_id)
    if scope is Scope.MODEL:
        return Slot(key.provider, EVERYONE, model_id)
    return Slot(key.provider, EVERYONE, ALL_MODELS)


def slots_over(key: Key, account: str, model_id: str) -> tuple[Slot, ...]:
    """Every slot whose cooldown keeps this key from asking this model."""
    provider, own = key.provider, f"key:{key.fingerprint}"
    return (
        Slot(provider, EVERYONE, ALL_MODELS),
        Slot(provider, EVERYONE, model_id),
        Slot(provider, account, ALL_MODELS),
        Slot(provider, account, model_id),
        Slot(provider, own, ALL_MODELS),
    )
