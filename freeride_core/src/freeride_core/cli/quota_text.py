"""What `quota`, `status`, `keys` and `models` say of a limit, in the same words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from freeride_core.ledger.quota.allowance import AmountSource
from freeride_core.ledger.quota.board import Board, BoardRow
from freeride_core.limit import WINDOWS_S, LimitKind

MARKS = {AmountSource.TOLD: "=", AmountSource.LEARNED: "~", AmountSource.PUBLISHED: "?"}
LEGEND = "Amounts: = told by the provider, ~ learned from its answers, ? published or set by you."
_BAR, _ASCII_BAR = ("█", "░"), ("#", "-")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_THOUSAND, _ALMOST_MILLION = 1e3, 999_500


def left_of(row: BoardRow) -> str:
    """`36 of 50 ~`."""
    return f"{short(math.floor(row.left))} of {short(row.amount)} {MARKS[row.source]}"


def sentence_of(row: BoardRow, rows: Sequence[BoardRow], now: float) -> str:
    """`all models: 36 of 50 requests a day ~, all in 5h12m`."""
    unit = row.unit.replace("tokens_in", "prompt tokens")
    period = "at a time" if row.kind is LimitKind.CONCURRENCY else f"a {row.window}"
    amount = f"{math.floor(row.left):,} of {row.amount:,.10g} {unit} {period} {MARKS[row.source]}"
    again = free_again(row, now)
    return f"{models_of(row, rows)}: {amount}" + (f", {again}" if again else "")


def short(amount: float) -> str:
    """An amount in few letters: `493`, `41.2k`, `1.5M`."""
    if amount < _THOUSAND:
        return f"{amount:.3g}"
    return f"{amount / 1e3:.3g}k" if amount < _ALMOST_MILLION else f"{amount / 1e6:.3g}M"


def span(seconds: float) -> str:
    """A time in few letters: `22s`, `4m10s`, `5h12m`, `3d4h`."""
    whole = max(0, math.ceil(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR}h"


def bar(row: BoardRow, width: int, encoding: str) -> str:
    """How much is left, as a picture: something or everything only where that is so."""
    full, empty = _BAR if _can_show(encoding) else _ASCII_BAR
    share = row.left / row.amount if row.amount else 0.0
    filled = math.ceil(share * width - 1e-9) if share < 0.5 else math.floor(share * width + 1e-9)
    return full * filled + empty * (width - filled)


def _can_show(encoding: str) -> bool:
    try:
        "".join(_BAR).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def free_again(row: BoardRow, now: float) -> str:
    """When more is left, in words; empty if that is all there is."""
    if row.shut_until is not None:
        return f"closed for {span(row.shut_until - now)}"
    if row.full_at is None or row.frees_at is None:
        return ""
    whole = f"all in {span(row.full_at - now)}"
    return whole if row.left >= 1 or row.full_at - row.frees_at < 1 else f"some in {span(row.frees_at - now)}, {whole}"


def models_of(row: BoardRow, rows: Sequence[BoardRow]) -> str:
    """Return which models a row is for, in a few words. `rows` has all of the board."""
    of_provider = [each for each in rows if each.provider == row.provider]
    everything = {model for each in of_provider for model in each.models}
    if len(row.models) == 1 and len(everything) > 1:
        return row.models[0]
    if set(row.models) == everything:
        return "each model" if row.is_each else "all models"
    same = [each for each in of_provider if (each.keys, each.name) == (row.keys, row.name)]
    if row.is_each and [each for each in same if each.is_each] == [row]:
        alone = {model for each in same for model in each.models if len(each.models) == 1}
        if alone | set(row.models) == everything:
            return "each other model"
    return f"{row.models[0]} and {len(row.models) - 1} more" + (", each" if row.is_each else "")


def is_closed(row: BoardRow) -> bool:
    """Whether nothing of it can be used now."""
    return row.shut_until is not None or row.left < min(1.0, row.amount)


def rows_of(board: Board, provider: str, key: int | None = None, model: str | None = None) -> list[BoardRow]:
    """Return the rows of a provider, those of its key of this index or of a model if that is asked for."""
    return [
        row
        for row in board.rows
        if row.provider == provider
        and (key is None or any(each.index == key for each in row.keys))
        and (model is None or model in row.models)
    ]


def share_of(row: BoardRow) -> float:
    """Return how much of it can be used now: 1 is all."""
    return 0.0 if is_closed(row) else row.left / row.amount


def scarcest(rows: Sequence[BoardRow]) -> BoardRow | None:
    """Return the row that has the smallest part left, of equal ones the one that takes longest to fill, or None without
    rows."""
    return min(rows, key=lambda row: (share_of(row), -WINDOWS_S[row.window]), default=None)
