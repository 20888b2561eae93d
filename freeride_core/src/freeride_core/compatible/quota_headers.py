"""Headers of good responses that say what is left of a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from freeride_core.answer import Quota
from freeride_core.compatible.retry_after import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaHeaders:
    """The headers that speak of one limit. Names are lower-case."""

    limit_name: str
    """That of the `Limit`."""
    limit: str
    remaining: str
    reset: str = ""
    """When it is free again, as a duration or a moment; empty if no header says it."""

    def quota_in(self, headers: Mapping[str, str], now: float) -> Quota | None:
        """Return what the headers say, or None if they say nothing that can be read."""
        limit, remaining = _amount(headers.get(self.limit)), _amount(headers.get(self.remaining))
        if limit is None or remaining is None:
            return None
        wait = moment(headers[self.reset], now) if self.reset and self.reset in headers else None
        reset_at = None if wait is None else now + wait
        return Quota(limit_name=self.limit_name, limit=limit, remaining=remaining, reset_at=reset_at)


def _amount(text: str | None) -> float | None:
    if text is None or len(text) > 24:
        return None
    try:
        amount = float(text)
    except ValueError:
        return None
    return amount if 0 <= amount < 1e15 else None
