"""The enabled providers, in order, with their keys and what is free there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from freeride_core.free import Allowlist
from freeride_core.model import Model
from freeride_core.privacy.redaction import Redactor
from freeride_core.provider import Account, FreePolicy, Key, Provider
from freeride_core.settings.aliases import Aliases
from freeride_core.settings.keys import read_keys
from freeride_core.settings.provider_tables import ProviderTable
from freeride_core.settings.resolver import Settings
from freeride_core.system.loopback import is_loopback


@dataclass(frozen=True, slots=True)
class EnabledProvider:
    """One provider with at least one key."""

    provider: Provider
    keys: tuple[Key, ...]
    free: FreePolicy
    """The user's list where there is one, else the package's policy."""
    table: ProviderTable | None = None
    """What the user says of the provider in `config.toml`."""

    def is_free(self, model: Model, account: Account) -> bool:
        if self.table is not None and self.table.excludes(model.id):
            return False
        try:
            return self.free.allows(model, account) is True
        except BaseException:  # a policy that cannot say yes says no
            return False


@dataclass(frozen=True)
class EnabledProviders:
    """A snapshot; a change of settings makes a new one."""

    members: tuple[EnabledProvider, ...]
    is_users_order: bool
    """The user set the order of providers, so it outranks tier."""
    aliases: Aliases
    registered: Mapping[str, Provider]
    """Every installed provider, with or without a key."""
    warnings: tuple[str, ...]
    redact: Redactor
    by_name: Mapping[str, EnabledProvider] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {member.provider.name: member for member in self.members})

    def keys(self) -> dict[str, tuple[Key, ...]]:
        return {member.provider.name: member.keys for member in self.members}


def enabled_providers(settings: Settings, installed: Mapping[str, Provider]) -> EnabledProviders:
    """Who can be asked under these settings."""
    if settings.providers is None:
        order = sorted(installed, key=lambda name: (installed[name].rank, name))
    else:
        order = [name for name in settings.providers if name in installed]
    members: list[EnabledProvider] = []
    warnings: list[str] = []
    found = {name: read_keys(provider, settings, installed.values()) for name, provider in installed.items()}
    secrets = [key.secret for keys, _ in found.values() for key in keys]  # also of those who are not to be asked
    secrets += [settings.token] if settings.token else []
    for name in order:
        provider, table = installed[name], settings.provider_tables.get(name)
        if table is not None and table.enabled is False:
            continue
        keys, complaints = found[name]
        warnings += complaints
        keys = _without_strangers(provider, keys, settings, warnings)
        if keys:
            listed = settings.free_models(provider)
            free = provider.free if listed is None else Allowlist(listed)
            members.append(EnabledProvider(provider, keys, free, table))
    return EnabledProviders(
        members=tuple(members),
        is_users_order=settings.providers is not None,
        aliases=settings.aliases,
        registered=installed,
        warnings=tuple(warnings),
        redact=Redactor(secrets),
    )


def _without_strangers(
    provider: Provider, keys: tuple[Key, ...], settings: Settings, warnings: list[str]
) -> tuple[Key, ...]:
    """The keys, without those of an upstream on another machine that needs none: anyone may run such a server, so prompts go
    there only where the user has said so."""
    table = settings.provider_tables.get(provider.name)
    if provider.credentials or (table is not None and table.enabled is True):
        return keys
    near = tuple(key for key in keys if is_loopback(urlsplit(key.base_url).hostname or ""))
    if near != keys:
        host = urlsplit(keys[0].base_url).hostname
        warnings.append(
            f"{provider.name} is not asked: {host} is another machine, and it needs no key. To send prompts there, run: "
            f"freeride providers enable {provider.name}"
        )
    return near
