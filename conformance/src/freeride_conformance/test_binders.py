"""Every rule, for every installed binder."""

from __future__ import annotations

import pytest

from freeride_conformance.binder_rules import RULES, Rule
from freeride_conformance.options import chosen, installed
from freeride_core.binder import Binder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = chosen(metafunc, "binder")
    metafunc.parametrize("rule", [pytest.param(rule, id=rule.__name__) for rule in RULES])
    metafunc.parametrize("binder", [pytest.param(installed().binders[name], id=name) for name in names])


def test_binder_holds_to(binder: Binder, rule: Rule) -> None:
    rule(binder)
