"""Who the plugin is, for people and for the gateway."""

from __future__ import annotations

import datetime
import re
from urllib.parse import urlsplit

from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.subject import ProviderSubject
from freeride_core.plugins.discovery import Kind

RULES: list[ConformanceRule[ProviderSubject]] = []
SECTION = "Identity"


def check_names(kind: Kind, own: str, entry_point: str, distribution: str, package: str) -> None:
    """One string in every place that names a plugin."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", own), f"the name {own!r} cannot be part of a variable's name"
    assert entry_point == own, f"the entry point is named {entry_point!r}, and `name` is {own!r}"
    wanted = f"freeride-{kind}-{own}"
    spelled = re.sub(r"[-_.]+", "-", distribution).lower()
    assert spelled == re.sub(r"[-_.]+", "-", wanted), (
        f"the distribution is named {distribution!r}, and should be {wanted!r}"
    )
    module = f"freeride_{kind}_{own}"
    assert package == module, f"the entry point names the module {package!r}, and should name {module!r}"


@rule(RULES, SECTION, fix="use one lower-case name in pyproject.toml, for the folder, as `name`, and in simulator.toml")
def has_one_name(subject: ProviderSubject) -> None:
    """The plugin has one name in six places: distribution, module, entry point, `Provider.name`, `simulator.toml`, and so in
    the response's header and in settings."""
    provider, origin = subject.provider, subject.origin
    check_names("provider", provider.name, origin.entry_point, origin.distribution, origin.package)
    assert subject.profile.provider == provider.name, f"simulator.toml is about {subject.profile.provider!r}"


@rule(RULES, SECTION, fix="fill in `about` and `credentials`; every fact with an https address and an ISO date")
def introduces_itself(subject: ProviderSubject) -> None:
    """It states what it is, where to create keys, what the free tier gives and what happens to prompts, with source and
    date."""
    provider, profile = subject.provider, subject.profile
    about = provider.about
    of_keys = ("keys_url", "sign_up") if provider.credentials else ()
    for field in ("title", "homepage", *of_keys, "free_day", "data_use", "source", "checked"):
        assert getattr(about, field).strip(), f"about.{field} is empty"
    for url in (about.homepage, about.keys_url or about.homepage):
        assert url.startswith("https://"), f"{url!r} is not an https address"
    for date in (about.checked, provider.catalog.checked, *(limit.checked for limit in provider.limits)):
        assert _is_date(date), f"{date!r} is not an ISO date"
    assert all(limit.source for limit in provider.limits), "a limit has no source"
    if not provider.credentials:
        assert not profile.key_variable, "simulator.toml has a key, and the provider has no credential"
        return
    credential = provider.credentials[0]
    assert profile.account_variable == credential.account_variable, "simulator.toml names another account_variable"
    assert credential.pattern is None or re.fullmatch(credential.pattern, profile.good_key), (
        "simulator.toml's good_key does not match the credential's pattern"
    )


@rule(
    RULES,
    SECTION,
    fix="give `base_url` the upstream's https address without a trailing slash, and simulator.toml its path as `base_path`",
)
def has_the_base_that_its_simulator_has(subject: ProviderSubject) -> None:
    """Its base URL is an https URL without a trailing slash, or plain http on this machine. Its path is the one that
    simulator.toml plays."""
    base = subject.provider.base_url
    parts = urlsplit(base.replace("{account}", subject.profile.account or "{account}"))
    is_local = not subject.provider.credentials and parts.hostname in ("localhost", "127.0.0.1", "::1")
    assert parts.scheme == "https" or (is_local and parts.scheme == "http"), f"base_url {base!r} is no https address"
    assert parts.path == subject.profile.base_path, (
        f"base_url {base!r} ends in {parts.path!r}, and simulator.toml's base_path is {subject.profile.base_path!r}"
    )


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
