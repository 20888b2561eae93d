"""A rule: one promise that a plugin keeps, how that is checked, and what to do where it does not."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from freeride_conformance.evidence import EVIDENCE, RecordedExchange
from freeride_conformance.guard import GUARD


class Subject(Protocol):
    """What rules are about."""

    @property
    def origin(self) -> Any: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    def divergence(self, rule: str, variant: str) -> str: ...


S = TypeVar("S", bound=Subject)


class Grade(enum.StrEnum):
    """What keeping a rule is worth."""

    REQUIRED = "required"
    """A plugin that breaks it is not certified."""
    GOLD = "gold"
    """A plugin that breaks it is certified, and no more."""


class BrokenPromise(AssertionError):
    """A promise is not kept. Its text is the report for people."""

    def __init__(self, rule: str, promise: str, found: str, fix: str, exchange: RecordedExchange | None) -> None:
        self.rule = rule
        self.promise = promise
        self.found = found
        self.fix = fix
        self.exchange = exchange
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [f"promise    {self.promise}", f"found      {self.found}"]
        if self.exchange is not None:
            lines += [f"sent       {self.exchange.sent}", f"came back  {self.exchange.received}"]
        return "\n".join([f"{self.rule} is broken", *lines, f"likely fix {self.fix}"])


@dataclass(frozen=True, eq=False)
class ConformanceRule(Generic[S]):
    """One promise, for one kind of subject."""

    name: str
    section: str
    """The heading under which the documentation lists it."""
    promise: str
    fix: str
    grade: Grade
    needs: str
    """The capability without which it does not apply, or empty if it always applies."""
    check: Callable[..., None]
    variants: Callable[[S], Iterable[str]] | None
    """What it is checked for one by one, or None if it is checked once."""
    is_gate: bool = False
    """Whether a plugin that breaks it breaks most later rules by the same cause: then they are not checked."""

    def checks(self, subject: S) -> list[Check[S]]:
        """All that must pass for the promise to be kept."""
        if self.variants is None:
            return [Check(self, subject)]
        return [Check(self, subject, variant) for variant in self.variants(subject)]


@dataclass(frozen=True, eq=False)
class Check(Generic[S]):
    """A rule, for one subject; and for one thing, where it goes through several."""

    rule: ConformanceRule[S]
    subject: S
    variant: str = ""

    @property
    def name(self) -> str:
        return f"{self.rule.name}[{self.variant}]" if self.variant else self.rule.name

    @property
    def divergence(self) -> str:
        """Return why the promise is known not to be kept here, or an empty text if it must be kept."""
        return self.subject.divergence(self.rule.name, self.variant)

    def run(self) -> None:
        """`BrokenPromise` where the promise is not kept, also where the plugin raises or leaves for an address that is not its
        simulator's."""
        EVIDENCE.clear()
        cause: Exception | None = None
        with GUARD:
            try:
                self.rule.check(self.subject, *([self.variant] if self.variant else []))
            except AssertionError as error:
                # pytest adds its own account of the assertion; a plugin's own may be without a word.
                cause, found = error, str(error).partition("\nassert ")[0] or "an assertion fails"
            except Exception as error:
                cause, found = error, f"{type(error).__name__}: {error}"
            else:
                found = ""
        if GUARD.escapes:
            found = f"it went to {', '.join(sorted(GUARD.escapes))}, not to its simulator{'; ' * bool(found)}{found}"
        if found:
            raise BrokenPromise(self.name, self.rule.promise, found, self.rule.fix, EVIDENCE.last) from cause


def rule(
    rules: list[ConformanceRule[S]],
    section: str,
    *,
    fix: str,
    grade: Grade = Grade.REQUIRED,
    needs: str = "",
    variants: Callable[[S], Iterable[str]] | None = None,
    is_gate: bool = False,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds the decorated check, an `AssertionError` in which says what was found, to `rules`. Its name is the rule's, its
    docstring the promise."""

    def add(check: Callable[..., None]) -> Callable[..., None]:
        promise = " ".join((inspect.getdoc(check) or "").split())
        rules.append(ConformanceRule(check.__name__, section, promise, fix, grade, needs, check, variants, is_gate))
        return check

    return add
