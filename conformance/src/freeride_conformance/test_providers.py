"""Every rule, for every installed provider."""

from __future__ import annotations

import pytest

from freeride_conformance.case_rule import reads_case
from freeride_conformance.options import chosen, installed
from freeride_conformance.provider_rules import RULES, Rule
from freeride_conformance.rig import Subject
from freeride_core.simulator.installed import installed_profile
from freeride_core.simulator.profile import Case


def _subject(name: str) -> Subject:
    plugins = installed()
    return Subject(plugins.providers[name], installed_profile(plugins, name))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = chosen(metafunc, "provider")
    if "case" in metafunc.fixturenames:
        subjects = [_subject(name) for name in names]
        cases = [
            pytest.param(subject, case, id=f"{subject.provider.name}-{case.name}", marks=_marks(case))
            for subject in subjects
            for case in subject.profile.cases
            if case.expect is not None and case.operation != "models"
        ]
        metafunc.parametrize(("subject", "case"), cases)
    else:
        metafunc.parametrize("rule", [pytest.param(rule, id=rule.__name__) for rule in RULES])
        metafunc.parametrize("subject", [pytest.param(_subject(name), id=name) for name in names])


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    """A known divergence is data in the profile, and must really diverge. Nothing else opts out."""
    return [pytest.mark.xfail(reason=case.divergence, strict=True, raises=AssertionError)] if case.divergence else []


def test_provider_holds_to(subject: Subject, rule: Rule) -> None:
    rule(subject)


def test_case_is_read_as_it_should(subject: Subject, case: Case) -> None:
    reads_case(subject, case)
