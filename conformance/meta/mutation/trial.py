"""Runs the suite against a mutant until something breaks: first all that needs no gateway, then the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from unittest import mock

from freeride_conformance.rig import Rig
from freeride_conformance.rule import BrokenPromise, Check, ConformanceRule
from freeride_conformance.rules import PROVIDER_RULES
from freeride_conformance.subject import ProviderSubject


class _NeedsRig(BaseException):
    """Not an `Exception`, so that no check takes it for the plugin's doing."""


@contextmanager
def _without_rigs() -> Iterator[None]:
    def refuse(_: Rig) -> NoReturn:
        raise _NeedsRig

    with mock.patch.object(Rig, "__enter__", refuse):
        yield


def checks_of(subject: ProviderSubject, rules: Iterable[ConformanceRule[Any]] = PROVIDER_RULES) -> list[Check[Any]]:
    """All that applies to it."""
    return [
        check
        for rule in rules
        if not rule.needs or rule.needs in subject.capabilities
        for check in rule.checks(subject)
    ]


class MutantTrial:
    """Tries mutants of one subject; what the subject itself does not keep, or keeps no record of, counts for none."""

    def __init__(self, subject: ProviderSubject) -> None:
        self._kills: Counter[str] = Counter()
        self.short: set[str] = {check.name for check in checks_of(subject) if _breaks(check)}
        """What the unchanged subject breaks: the gold that it is short of, and known divergences."""

    def killer_of(self, mutant: ProviderSubject) -> str | None:
        """The name of the first check that breaks; None: it survives."""
        try:
            checks = [check for check in checks_of(mutant) if check.name not in self.short]
        except Exception as error:
            return f"what it can do cannot be asked: {type(error).__name__}"
        # What killed often kills soon.
        checks.sort(key=lambda check: -self._kills[check.name])
        killer = self._first_broken(checks)
        if killer is not None:
            self._kills[killer] += 1
        return killer

    def _first_broken(self, checks: list[Check[Any]]) -> str | None:
        waiting = []
        with _without_rigs():
            for check in checks:
                try:
                    check.run()
                except _NeedsRig:
                    waiting.append(check)
                except BrokenPromise:
                    return check.name
        return next((check.name for check in waiting if _breaks(check)), None)


def _breaks(check: Check[Any]) -> bool:
    try:
        check.run()
    except BrokenPromise:
        return True
    return False
