"""Free policies: what may be called without a charge. Everything else is denied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from freeride_core.model import Model
from freeride_core.provider import Account, FreePolicy


class _OfModel:
    """A policy that depends on the model alone."""

    asks_account: ClassVar[bool] = False


@dataclass(frozen=True)
class Allowlist(_OfModel):
    """The named ids are free, as checked on a date."""

    ids: frozenset[str]
    checked: str = ""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - a list does not depend on who asks
        return model.id in self.ids


@dataclass(frozen=True)
class FreeSuffix(_OfModel):
    """Ids with a suffix are free, by which the upstream marks its free variants, unless its list gives a price other than zero."""

    suffix: str

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the id tells
        return model.id.endswith(self.suffix) and not model.price


@dataclass(frozen=True)
class ZeroPrice(_OfModel):
    """Models with a price of exactly zero in the live catalog are free. An unknown or variable price is not zero."""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the price tells
        return model.price == 0


@dataclass(frozen=True)
class Promoted:
    """Models that the live catalog marks as free of charge are free, whatever their price.

    A promotion can end between two requests for the catalog, so an account that can be billed is never used.
    """

    asks_account: ClassVar[bool] = True

    def allows(self, model: Model, account: Account) -> bool:
        return model.promoted and account.can_be_billed is not True


@dataclass(frozen=True)
class WholeCatalog(_OfModel):
    """Every model is free: no key can be billed, whatever the catalog lists tomorrow.

    If some models cost money, list the free ones in an `Allowlist`: the next new model is usually a paid one."""

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - nothing can be billed
        return True


@dataclass(frozen=True)
class UnbillableAccount:
    """Every model is free for an account that provably cannot be billed."""

    asks_account: ClassVar[bool] = True

    def allows(self, model: Model, account: Account) -> bool:  # noqa: ARG002 - the account tells
        return account.can_be_billed is False


@dataclass(frozen=True)
class AnyOf:
    """A model is free if one of several policies allows it."""

    policies: tuple[FreePolicy, ...]

    @property
    def asks_account(self) -> bool:
        return any(policy.asks_account for policy in self.policies)

    def allows(self, model: Model, account: Account) -> bool:
        return any(policy.allows(model, account) for policy in self.policies)
