"""Every rule, for every plugin that is to be certified.

A package certifies itself with a test module of two lines: `from freeride_conformance.test_plugins import *`, and
`FREERIDE_PROVIDER = "acme"` or `FREERIDE_BINDER = "acme"`.
"""

from __future__ import annotations

from typing import Any

import pytest

from freeride_conformance.options import session_of, wanted_by
from freeride_conformance.rule import BrokenPromise, Check, Grade


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    checks = session_of(metafunc.config).checks(wanted_by(metafunc))
    ids = [f"{check.subject.origin.entry_point}-{check.name}" for check in checks]
    metafunc.parametrize("check", checks, ids=ids)


def test_conformance(check: Check[Any], request: pytest.FixtureRequest) -> None:
    if gate := session_of(request.config).gate_before(check):
        pytest.skip(f"not checked: {gate} is broken")
    broken = _result_of(check)
    if broken is None:
        if check.divergence:
            pytest.fail(f"it is kept, although simulator.toml says: {check.divergence}", pytrace=False)
        return
    session_of(request.config).keep(check, broken)
    if check.divergence:
        pytest.xfail(check.divergence)
    if check.rule.grade is Grade.GOLD and not request.config.getoption("--freeride-gold"):
        pytest.xfail(f"short of gold: {broken.found}")
    pytest.fail(str(broken), pytrace=False)


def _result_of(check: Check[Any]) -> BrokenPromise | None:
    try:
        check.run()
    except BrokenPromise as broken:
        return broken
    return None
