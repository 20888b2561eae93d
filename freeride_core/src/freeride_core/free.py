"""Free policies: what may be called without anyone being billed. Everything not allowed is denied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from freeride_core.model import Model
from freeride_core.provider import Account, FreePolicy


class _OfModel:
    """A policy that looks at the model alone."""

    asks_account: ClassVar[bool] = False


@dataclass(frozen=True)
class Allowlist(_OfModel):
    """Free are the named ids, as checked on a date."""

    ids: frozenset[str]
    checked: str = ""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - a list does not depend on who asks
        return model.id in self.ids


@dataclass(frozen=True)
class FreeSuffix(_OfModel):
    """Free are ids that end in a suffix by which the upstream marks its free variants, unless its list names a price for one."""

    suffix: str

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the id tells
        return model.id.endswith(self.suffix) and not model.price


@dataclass(frozen=True)
class ZeroPrice(_OfModel):
    """Free are models that the live catalog prices at exactly zero. An unknown or a dynamic (negative) price is not zero."""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the price tells
        return model.price == 0


@dataclass(frozen=True)
class Promoted(_OfModel):
    """Free are models that the live catalog itself marks as free of charge."""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the mark tells
        return model.promoted


@dataclass(frozen=True)
class WholeCatalog(_OfModel):
    """Everything is free within the allowance and nothing can be billed, except the named ids."""

    excluded: frozenset[str] = frozenset()

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the plan cannot bill
        return model.id not in self.excluded


@dataclass(frozen=True)
class UnbillableAccount:
    """Free is what an account calls that provably cannot be billed."""

    asks_account: ClassVar[bool] = True

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the account tells
        return account.can_be_billed is False


@dataclass(frozen=True)
class AnyOf:
    """Free is what one of several policies allows."""

    policies: tuple[FreePolicy, ...]

    @property
    def asks_account(self) -> bool:
        return any(policy.asks_account for policy in self.policies)

    def allows(self, model: Model, account: Account) -> bool:
        return any(policy.allows(model, account) for policy in self.policies)
