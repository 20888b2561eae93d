"""Orbit: what its upstream was seen to say is understood, and its key stands where Orbit wants it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from freeride_core import Account, Answer, Key
from freeride_core.simulator import Case, catalog_of, expectation_of, read_profile, reading_of
from freeride_provider_orbit import freeride_register_provider

NOW = 1_795_406_400.0
PROVIDER = freeride_register_provider()
PROFILE = read_profile(Path(str(resources.files("freeride_provider_orbit") / "simulator.toml")))
KEY = Key(
    provider="orbit",
    secret=PROFILE.good_key,
    fingerprint="0" * 12,
    index=0,
    variable=PROFILE.key_variable,
    key_header="x-goog-api-key",
    base_url=PROVIDER.base_url,
)


@pytest.mark.parametrize("case", PROFILE.cases, ids=lambda case: case.name)
def test_what_the_upstream_was_seen_to_say_is_understood(case: Case) -> None:
    assert reading_of(PROVIDER, PROFILE, case, NOW) == expectation_of(PROVIDER, case, NOW)


def test_what_can_chat_is_listed_and_what_is_dated_is_free() -> None:
    models = {model.id: model for model in PROVIDER.catalog.parse(catalog_of(PROFILE, NOW))}
    assert set(models) == {"models/nova-large", "models/nova-small", "models/nova-ultra"}
    assert (models["models/nova-ultra"].canonical, models["models/nova-ultra"].context) == (
        "orbit/nova-ultra",
        1_048_576,
    )
    free = {name for name, model in models.items() if PROVIDER.free.allows(model, Account())}
    assert free == {"models/nova-large", "models/nova-small"}


def test_list_and_probe_carry_the_key_in_orbits_own_header() -> None:
    assert PROVIDER.probe is not None
    for request in (PROVIDER.catalog.request(KEY), PROVIDER.probe.request(KEY)):
        assert request is not None
        assert request.url == "https://api.orbit.example/v1beta/models"
        assert dict(request.headers)["x-goog-api-key"] == KEY.secret
        assert "authorization" not in dict(request.headers)


def test_a_bad_key_is_a_bad_request_here() -> None:
    assert PROVIDER.probe is not None
    assert PROVIDER.probe.read(Answer(400, {}, b"", NOW)).valid is False
    assert PROVIDER.probe.read(Answer(503, {}, b"", NOW)).valid is None
