"""Free policies: what may be called without a charge. Everything that is not allowed is denied."""

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
    """Free are ids that end in a suffix by which the upstream marks its free variants, unless its list gives one a price other
    than zero."""

    suffix: str

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the id tells
        return model.id.endswith(self.suffix) and not model.price


@dataclass(frozen=True)
class ZeroPrice(_OfModel):
    """Free are models that the live catalog prices at exactly zero, which an unknown price is not, nor one that is not fixed."""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the price tells
        return model.price == 0


@dataclass(frozen=True)
class Promoted:
    """Free are models that the live catalog itself marks as free of charge, whatever it says of their price.

    A promotion can end between two looks at the catalog, so an account that can be billed is never asked.
    """

    asks_account: ClassVar[bool] = True

    def allows(self, model: Model, account: Account) -> bool:
        return model.promoted and account.can_be_billed is not True


@dataclass(frozen=True)
class WholeCatalog(_OfModel):
    """Free is everything: whoever has a key cannot be billed, whatever the catalog lists tomorrow. Where some models cost money,
    list the free ones in an `Allowlist` instead of leaving out the others: the next model is usually a paid one."""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - nothing can be billed
        return True


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
