"""Tests of the suite: the specimens keep every rule; for each rule one that is broken in just that way breaks it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from meta import broken_binders, broken_providers
from meta.matrix import Matrix
from meta.specimens import binder, origin_of, provider

from freeride_conformance.rig import wait_until_closed
from freeride_conformance.rule import BrokenPromise, Check, ConformanceRule
from freeride_conformance.rules import BINDER_RULES, PROVIDER_RULES
from freeride_conformance.subject import Kind, PluginOrigin

RULES: Mapping[Kind, tuple[ConformanceRule[Any], ...]] = {"provider": PROVIDER_RULES, "binder": BINDER_RULES}
BROKEN: Mapping[Kind, Mapping[str, Callable[[PluginOrigin, Path], Any]]] = {
    "provider": broken_providers.BROKEN,
    "binder": broken_binders.BROKEN,
}
GOOD: Mapping[Kind, Callable[[PluginOrigin], Any]] = {"provider": provider, "binder": binder}
each_kind = pytest.mark.parametrize("kind", RULES)
each_rule = pytest.mark.parametrize(
    ("kind", "rule"),
    [pytest.param(kind, rule.name, id=f"{kind}-{rule.name}") for kind, rules in RULES.items() for rule in rules],
)


@pytest.fixture(scope="session")
def origins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Kind, PluginOrigin]]:
    kinds: tuple[Kind, ...] = ("provider", "binder")
    yield {kind: origin_of(kind, tmp_path_factory.mktemp(kind)) for kind in kinds}
    wait_until_closed()


def checks_of(subject: Any, rules: tuple[ConformanceRule[Any], ...]) -> list[Check[Any]]:
    return [
        check
        for rule in rules
        if not rule.needs or rule.needs in subject.capabilities
        for check in rule.checks(subject)
    ]


def broken_rules(subject: Any, rules: tuple[ConformanceRule[Any], ...]) -> dict[str, BrokenPromise]:
    """The rules that the subject breaks, each with what was found first."""
    found: dict[str, BrokenPromise] = {}
    for check in checks_of(subject, rules):
        if check.rule.name not in found:
            try:
                check.run()
            except BrokenPromise as broken:
                found[check.rule.name] = broken
                if check.rule.is_gate:
                    break
    return found


@pytest.fixture(scope="session")
def matrix(request: pytest.FixtureRequest) -> Matrix:
    matrix = Matrix()
    request.config.pluginmanager.register(matrix)
    return matrix


@each_kind
def test_the_specimen_keeps_every_rule(kind: Kind, origins: Mapping[Kind, PluginOrigin]) -> None:
    subject = GOOD[kind](origins[kind])
    assert {name: str(broken) for name, broken in broken_rules(subject, RULES[kind]).items()} == {}
    idle = [rule.name for rule in RULES[kind] if rule.needs and rule.needs not in subject.capabilities]
    assert idle == [], "a rule that does not apply to the specimen is not tested"


@each_rule
def test_what_breaks_a_rule_breaks_that_and_no_other(
    kind: Kind, rule: str, origins: Mapping[Kind, PluginOrigin], matrix: Matrix, tmp_path: Path
) -> None:
    assert rule in BROKEN[kind], "a rule that no broken plugin trips does not count"
    subject = BROKEN[kind][rule](origins[kind], tmp_path / "site")
    found = broken_rules(subject, RULES[kind])
    matrix.note(kind, rule, set(found))
    assert set(found) == {rule}, {name: str(broken) for name, broken in found.items()}


@each_kind
def test_every_broken_plugin_is_for_a_rule(kind: Kind) -> None:
    assert set(BROKEN[kind]) == {rule.name for rule in RULES[kind]}


@each_kind
def test_each_rule_says_what_is_promised_and_how_it_is_mended(kind: Kind) -> None:
    for rule in RULES[kind]:
        assert len(rule.promise) > 25, rule.name
        assert len(rule.fix) > 20, rule.name
