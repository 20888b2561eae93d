"""A rule: what words, codes and a status mean, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from freeride_core.answer import Answer, ErrorKind, Scope
from freeride_core.call import Feature
from freeride_core.compatible.errors import UpstreamErrorBody
from freeride_core.compatible.midnight import Midnight


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that an upstream is known to say. All conditions given must hold; the first rule that fits decides."""

    kind: ErrorKind
    scope: Scope | None = None
    """None for what is usual for the kind."""
    status: int | tuple[int, ...] | None = None
    code: str | tuple[str, ...] | None = None
    """One of the complaint's codes."""
    text: str | None = None
    """Regular expression, searched in the message without regard to case."""
    unquoted: str | None = None
    """Searched in the same way in the message without quotations: for lasting consequences, which no client's words may cause."""
    header: str | None = None
    """A lower-case header that must be there."""
    body: str | None = None
    """Regular expression, searched in the same way in the raw body (its first 64 KiB): for what is neither a code nor in the
    message."""
    wait: float | Midnight | None = None
    """Seconds, or a documented reset, where the answer has no hint of its own."""
    overrules_hint: bool = False
    """`wait` counts whatever the answer hints, as for the limit of a day that comes with the hint of a minute. If it is None, no
    hint counts."""
    feature: Feature | None = None
    limit: str = ""
    """The name of the `Limit` that a refusal is about: that shuts, and nothing else."""

    @property
    def is_specific(self) -> bool:
        """Whether anything but a status is asked for."""
        return any(part is not None for part in (self.code, self.text, self.unquoted, self.header, self.body))

    def concerns(self, status: int) -> bool:
        """Whether it can fit an answer of this status."""
        return self.status is None or status in _many(self.status)

    def fits(self, status: int, complaint: UpstreamErrorBody, answer: Answer) -> bool:
        return (
            self.concerns(status)
            and (self.code is None or not complaint.codes.isdisjoint(_many(self.code)))
            and (self.header is None or self.header in answer.headers)
            and (self.text is None or re.search(self.text, complaint.message, re.IGNORECASE) is not None)
            and (self.unquoted is None or re.search(self.unquoted, complaint.unquoted, re.IGNORECASE) is not None)
            and (self.body is None or re.search(self.body, answer.text, re.IGNORECASE) is not None)
        )

    def retry_at(self, now: float, hint: float | None) -> float | None:
        """When the upstream can be asked again, if it hinted at `hint` seconds."""
        if hint is not None and not self.overrules_hint:
            return now + hint
        if isinstance(self.wait, Midnight):
            return self.wait.after(now)
        return None if self.wait is None else now + self.wait


def _many(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
