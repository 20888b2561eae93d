"""A finding: what was looked at, how it is, and what to do where it is not well."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class FindingState(enum.StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and perhaps not as the user means."""
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    subject: str
    state: FindingState
    text: str
    """For people; holds no key."""


def ok(subject: str, text: str) -> Finding:
    return Finding(subject, FindingState.OK, text)


def warning(subject: str, text: str) -> Finding:
    return Finding(subject, FindingState.WARNING, text)


def broken(subject: str, text: str) -> Finding:
    return Finding(subject, FindingState.BROKEN, text)
