"""Which broken plugin broke which rule: the table at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Matrix:
    """Filled by the tests of the suite."""

    def __init__(self) -> None:
        self._broken: dict[tuple[str, str], set[str]] = {}

    def note(self, kind: str, mutant: str, broken: set[str]) -> None:
        """The plugin that was broken for the rule `mutant` broke these."""
        self._broken[kind, mutant] = broken

    def lines(self) -> Iterator[str]:
        """A row for each broken plugin, a column for each rule."""
        for kind in ("provider", "binder"):
            rows = {mutant: broken for (own, mutant), broken in self._broken.items() if own == kind}
            if not rows:
                continue
            rules = list(rows)
            killed = sum(rows[rule] == {rule} for rule in rules)
            yield f"{kind}: {killed} of {len(rules)} rules are broken by their own broken plugin, and by no other"
            width = max(map(len, rules))
            for number, mutant in enumerate(rules, 1):
                marks = "".join("X" if rule in rows[mutant] else "·" for rule in rules)
                yield f"  {number:>2} {mutant:<{width}}  {marks}"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """A hook of pytest, once the matrix is registered as a plugin."""
        terminalreporter.section("Rules (columns) and broken plugins (rows)")
        for line in self.lines():
            terminalreporter.write_line(line)
