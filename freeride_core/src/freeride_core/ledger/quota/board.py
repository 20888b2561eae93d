"""The board: what is left of every limit, for people and scripts. It holds no secrets, and reading it counts nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from freeride_core.ledger.quota.allowance import Allowance, AmountSource
from freeride_core.ledger.quota.quotas import QuotaMode, Quotas
from freeride_core.limit import WINDOWS_S, LimitKind
from freeride_core.model import Model
from freeride_core.provider import Key

_DECIMALS = 3
"""Of amounts, which are sums of floats."""


class FreeTier(NamedTuple):
    """An enabled provider, with its keys and its free models."""

    provider: str
    keys: Sequence[Key]
    models: Sequence[Model]


@dataclass(frozen=True, slots=True)
class BoardKey:
    """A key, by what says nothing of its secret."""

    index: int
    variable: str


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One limit, and what is left of it. Moments are seconds since the epoch."""

    provider: str
    keys: tuple[BoardKey, ...]
    """Those that use it together."""
    models: tuple[str, ...]
    is_each: bool
    """Each of the models has all of it for itself, and none has used any. Otherwise they use it together."""
    name: str
    """As in `FREERIDE_<PROVIDER>_LIMITS`."""
    unit: str
    window: str
    kind: LimitKind
    amount: float
    source: AmountSource
    """Of the amount."""
    used: float
    """With what requests under way have reserved."""
    left: float
    frees_at: float | None
    """When more is left than now, or None if nothing is used."""
    full_at: float | None
    """When all of it is left again."""
    shut_until: float | None
    """Until then it is closed, whatever is left."""


@dataclass(frozen=True, slots=True)
class Board:
    """As it was at one moment."""

    mode: QuotaMode
    at: float
    rows: tuple[BoardRow, ...]
    unlimited: tuple[str, ...]
    """Providers that no limits are known of."""

    def members(self) -> dict[str, Any]:
        """Return what `freeride quota --json` and `GET /v1/quota` show."""
        return {
            "mode": str(self.mode),
            "at": self.at,
            "limits": [dataclasses.asdict(row) for row in self.rows],
            "no_known_limits": list(self.unlimited),
        }


def read_board(quotas: Quotas, tiers: Iterable[FreeTier], now: float) -> Board:
    """Return what is left at each provider. Models that have used nothing of limits of their own are one row."""
    if quotas.mode is QuotaMode.OFF:
        return Board(quotas.mode, now, (), ())
    rows: list[BoardRow] = []
    unlimited: list[str] = []
    for tier in tiers:
        uses = _uses(quotas, tier)
        rows += _rows(tier.provider, uses, now)
        if tier.models and not uses:
            unlimited.append(tier.provider)
    return Board(quotas.mode, now, tuple(rows), tuple(unlimited))


class _Seat(NamedTuple):
    """Who would be asked."""

    name: tuple[str, str, str]
    pair: tuple[str, str]
    model: Model
    key: Key


class _Use:
    """An allowance, and all that it is for."""

    __slots__ = ("allowance", "keys", "models")

    def __init__(self, allowance: Allowance, key: Key, model_id: str) -> None:
        self.allowance = allowance
        self.keys = [key]
        self.models = [model_id]

    def add(self, key: Key, model_id: str) -> None:
        """Each key comes with the same models, one after the other."""
        if self.keys[-1] is not key:
            self.keys.append(key)
        if len(self.keys) == 1 and self.models[-1] != model_id:
            self.models.append(model_id)


def _uses(quotas: Quotas, tier: FreeTier) -> list[_Use]:
    found: dict[int, _Use] = {}
    for key in tier.keys:
        for model in tier.models:
            pair = (tier.provider, model.id)
            seat = _Seat((*pair, key.fingerprint), pair, model, key)
            for operation in sorted(model.operations):
                for share in quotas.meter(seat, operation).shares:
                    name = id(share.allowance)
                    if name in found:
                        found[name].add(key, model.id)
                    else:
                        found[name] = _Use(share.allowance, key, model.id)
    return list(found.values())


def _rows(provider: str, uses: Sequence[_Use], now: float) -> list[BoardRow]:
    """By keys, then from what all models use together to what each has for itself, then from short windows to long ones."""
    groups: dict[object, list[_Use]] = {}
    for use in uses:
        groups.setdefault(_group_of(use, now), []).append(use)
    rows = [_row(provider, group, now) for group in groups.values()]
    owners = list(dict.fromkeys(row.keys for row in rows))
    models = list(dict.fromkeys(row.models for row in rows))

    def place(row: BoardRow) -> tuple[int, bool, bool, int, float]:
        is_single = len(row.models) == 1
        return owners.index(row.keys), row.is_each, is_single, models.index(row.models), WINDOWS_S[row.window]

    return sorted(rows, key=place)


def _group_of(use: _Use, now: float) -> object:
    allowance, window = use.allowance, use.allowance.window
    if allowance.source is not AmountSource.PUBLISHED or use.models != [allowance.subject.models]:
        return id(allowance)
    if window.shut_until > now or round(window.used(now), _DECIMALS) > 0:
        return id(allowance)
    return id(allowance.limit), *[key.index for key in use.keys]


def _row(provider: str, group: Sequence[_Use], now: float) -> BoardRow:
    first = group[0].allowance
    limit, window = first.limit, first.window
    used = round(window.used(now), _DECIMALS)
    left = max(0.0, window.amount - used)
    frees_at = full_at = None
    if used > 0 and limit.limit_kind is not LimitKind.CONCURRENCY:  # what is under way ends when it ends
        frees_at = now + window.wait(min(window.amount, left + min(1.0, used)), now)
        full_at = now + window.wait(window.amount, now)
    return BoardRow(
        provider=provider,
        keys=tuple(BoardKey(key.index, key.variable) for key in group[0].keys),
        models=tuple(model for use in group for model in use.models),
        is_each=len(group) > 1,
        name=limit.limit_name,
        unit=limit.unit,
        window=limit.window,
        kind=limit.limit_kind,
        amount=round(window.amount, _DECIMALS),
        source=first.source,
        used=used,
        left=round(left, _DECIMALS),
        frees_at=frees_at,
        full_at=full_at,
        shut_until=window.shut_until if window.shut_until > now else None,
    )
