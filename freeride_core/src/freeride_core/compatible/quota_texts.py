"""What an error says of a limit in numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from freeride_core.answer import Quota

_NUMBERS = ("limit", "used", "remaining", "requested")


@dataclass(frozen=True, kw_only=True)
class QuotaText:
    """A wording that tells numbers of a limit."""

    pattern: str
    """Regular expression, searched in the body without regard to case. Its groups are any of `limit`, `used`, `remaining` and
    `requested`, and `name`, that of the `Limit` in any case, where the wording has it."""
    limit_name: str = ""
    """The `Limit` that a pattern without a `name` is about. Empty: that of the `Rule` which fits the error."""

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.IGNORECASE)

    def quota_in(self, body: str, reset_at: float | None, rule_limit: str = "") -> Quota | None:
        """Return what the body says, or None if it says nothing of the kind. Nothing is left of a limit that is told alone."""
        found = self._compiled.search(body)
        if found is None:
            return None
        groups = found.groupdict()
        name = groups.get("name") or self.limit_name or rule_limit
        if not name:
            return None
        numbers = {number: float(groups[number]) for number in _NUMBERS if groups.get(number)}
        if not numbers.keys() - {"limit"}:
            numbers["remaining"] = 0.0
        return Quota(limit_name=name.lower(), reset_at=reset_at, **numbers)
