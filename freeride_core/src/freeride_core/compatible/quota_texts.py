"""What an error says of a limit in numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from freeride_core.answer import Quota

_NUMBERS = ("limit", "used", "remaining", "requested")


@dataclass(frozen=True, kw_only=True)
class QuotaText:
    """A wording that names a limit and numbers."""

    pattern: str
    """Regular expression, searched in the message without regard to case. Its groups are `name` (of a `Limit`, in any case),
    and any of `limit`, `used`, `remaining` and `requested`."""

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)

    def quota_in(self, message: str, reset_at: float | None) -> Quota | None:
        """Return what the message says, or None if it says nothing of the kind."""
        found = self._compiled.search(message)
        if found is None:
            return None
        groups = found.groupdict()
        numbers = {name: float(groups[name]) for name in _NUMBERS if groups.get(name)}
        return Quota(limit_name=groups["name"].lower(), reset_at=reset_at, **numbers)
