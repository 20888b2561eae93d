"""The rules as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from freeride_conformance.rule import ConformanceRule, Grade
from freeride_conformance.rules import BINDER_RULES, PROVIDER_RULES


def rulebook() -> str:
    """Markdown: every rule, what it promises, and to whom it applies."""
    return "\n".join([*_table("providers", PROVIDER_RULES), "", *_table("binders", BINDER_RULES)]) + "\n"


def _table(kind: str, rules: Sequence[ConformanceRule[Any]]) -> Iterator[str]:
    yield f"### Rules for {kind}"
    yield ""
    yield "| | rule | promise |"
    yield "|---|---|---|"
    section = ""
    for rule in rules:
        marks = [
            word
            for word in ("gold" if rule.grade is Grade.GOLD else "", f"with {rule.needs}" * bool(rule.needs))
            if word
        ]
        title = rule.section if rule.section != section else ""
        section = rule.section
        yield f"| {title} | `{rule.name}`{_words(marks)} | {rule.promise} |"


def _words(marks: Sequence[str]) -> str:
    return f" ({', '.join(marks)})" if marks else ""
