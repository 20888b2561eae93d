"""A limit of a free tier, as a package states it. `answer.Quota` is what an upstream tells about one."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from freeride_core.answer import Scope
from freeride_core.call import Operation


class LimitKind(enum.StrEnum):
    """How an upstream counts."""

    FIXED = "fixed"
    """From zero in each minute, day or month of the calendar, in `Limit.zone`."""
    ROLLING = "rolling"
    """What was used in the last minute, hour or day. The safe assumption: it never admits more than a fixed window does."""
    LEAKY = "leaky"
    """What was used drains steadily: the whole amount in one window."""
    CONCURRENCY = "concurrency"
    """Requests under way at the same time."""


WINDOWS_S = {"minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 30 * 86400.0}
"""The names that `Limit.window` takes, and about how many seconds each has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One published window of a free tier. FreeRide counts against it, so that no request is sent that would be refused."""

    unit: str
    """`requests`, `tokens` (prompt and response), `tokens_in`, or a unit that `Model.costs` prices, such as `neurons`."""
    amount: float
    window: str
    """`minute`, `hour`, `day` or `month`."""
    scope: Scope
    source: str
    checked: str
    note: str = ""
    kind: LimitKind | None = None
    """None: rolling for a minute or an hour, fixed for a day or a month."""
    zone: str = "UTC"
    """Where a fixed day begins at midnight, such as `America/Los_Angeles`."""
    models: tuple[str, ...] = ()
    """Patterns (`fnmatch`) of the ids of models that it is for; empty: all. The first limit that fits a model, a unit, a window
    and a scope counts."""
    operations: frozenset[Operation] = frozenset({Operation.CHAT})
    reserve: int | None = None
    """The upstream counts `max_tokens` before it runs, and this many where a request has none. None: it counts what was used."""
    refusals_count: bool = False
    """Whether requests that the upstream refuses count."""
    counts_cached: bool = True
    """Whether cached tokens count."""
    name: str = ""
    """How observations name it: `rpm`, `tpd`. Empty: the first letters of the unit, `p`, and that of the window."""

    @property
    def limit_name(self) -> str:
        """Return the name, made of the unit and the window if the package gives none."""
        short = {"requests": "r", "tokens": "t", "tokens_in": "t"}.get(self.unit)
        return self.name or (f"{short}p{self.window[0]}" if short else self.unit)

    @property
    def limit_kind(self) -> LimitKind:
        """Return the kind, the usual one if the package gives none."""
        return self.kind or (LimitKind.ROLLING if self.window in ("minute", "hour") else LimitKind.FIXED)
