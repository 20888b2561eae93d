"""Acme: what its upstream was seen to say is understood."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from freeride_core import Account
from freeride_core.simulator import Case, catalog_of, expectation_of, read_profile, reading_of
from freeride_provider_acme import freeride_register_provider

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
PROFILE = read_profile(Path(str(resources.files("freeride_provider_acme") / "simulator.toml")))


@pytest.mark.parametrize("case", PROFILE.cases, ids=lambda case: case.name)
def test_what_the_upstream_was_seen_to_say_is_understood(case: Case) -> None:
    assert reading_of(PROVIDER, PROFILE, case, NOW) == expectation_of(PROVIDER, case, NOW)


def test_the_dated_models_are_free_and_nothing_else_is_listed() -> None:
    models = PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))
    assert [model.id for model in models if PROVIDER.free.allows(model, Account())] == [
        "acme/anvil-70b",
        "acme/rocket-8b",
    ]
    assert len(models) == 2
