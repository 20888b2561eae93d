"""An upstream that wants no key is used where the user asks for it, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from fake_upstream import provider
from freeride_core import Provider
from freeride_core.compatible.wire import bearer
from freeride_core.gateway.explanation import no_usable_keys
from freeride_core.gateway.walk.enabled import enabled_providers
from freeride_core.settings.keys import key_variable, read_keys
from freeride_core.settings.resolver import Settings, load_settings


def keyless(name: str = "local") -> Provider:
    local = provider(name)
    local.credentials = ()
    local.base_url = "http://127.0.0.1:8/v1"
    return local


def settings(tmp_path: Path, **environ: str) -> Settings:
    return load_settings({"FREERIDE_HOME": str(tmp_path / "home"), **environ})


def test_it_is_not_used_unasked(tmp_path: Path) -> None:
    assert read_keys(keyless(), settings(tmp_path)) == ((), ())


@pytest.mark.parametrize(
    ("environ", "base_url"),
    [
        ({"FREERIDE_PROVIDERS": "other,local"}, "http://127.0.0.1:8/v1"),
        ({"FREERIDE_LOCAL_BASE_URL": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1"),
        ({"FREERIDE_LOCAL_BASE_URL": "http://127.0.0.1:9/v1", "FREERIDE_PROVIDERS": "local"}, "http://127.0.0.1:9/v1"),
    ],
)
def test_it_is_used_where_its_address_is_set_or_its_name_is_listed(
    environ: dict[str, str], base_url: str, tmp_path: Path
) -> None:
    [key], _ = read_keys(keyless(), settings(tmp_path, **environ))
    assert (key.secret, key.base_url, key.variable) == ("", base_url, "FREERIDE_LOCAL_BASE_URL")
    assert "authorization" not in dict(bearer(key, {}))
    assert enabled_providers(settings(tmp_path, **environ), {"local": keyless()}).by_name.keys() == {"local"}


def test_on_another_machine_it_is_used_only_after_a_yes(tmp_path: Path) -> None:
    away = {"FREERIDE_LOCAL_BASE_URL": "http://10.0.0.7:9/v1"}
    refused = enabled_providers(settings(tmp_path, **away), {"local": keyless()})
    assert refused.members == ()
    assert "local is not asked: 10.0.0.7 is another machine" in refused.warnings[0]
    (tmp_path / "home" / "config.toml").write_text("[providers.local]\nenabled = true\n", "utf-8")
    assert len(enabled_providers(settings(tmp_path, **away), {"local": keyless()}).members) == 1


def test_two_addresses_are_two_slots(tmp_path: Path) -> None:
    first, second = (
        read_keys(keyless(), settings(tmp_path, FREERIDE_LOCAL_BASE_URL=f"http://127.0.0.1:{port}"))[0][0]
        for port in (1, 2)
    )
    assert first.fingerprint != second.fingerprint


def test_who_has_no_key_at_all_is_told_the_variable_that_switches_it_on(tmp_path: Path) -> None:
    installed = MappingProxyType({"local": keyless(), "hosted": provider("hosted")})
    told = no_usable_keys(enabled_providers(settings(tmp_path), installed))
    assert "FREERIDE_LOCAL_BASE_URL" in told.message
    assert "HOSTED_KEY" in told.message
    assert key_variable(provider("hosted")) == "HOSTED_KEY"


def test_an_empty_secret_masks_nothing(tmp_path: Path) -> None:
    enabled = enabled_providers(settings(tmp_path, FREERIDE_PROVIDERS="local"), {"local": keyless()})
    assert enabled.redact("every word stays") == "every word stays"
