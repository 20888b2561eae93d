"""The situation that `status`, `quota`, `keys` and `models` report: settings, plugins, keys, and what the state remembers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from freeride_core.answer import Answer, UpstreamRequest
from freeride_core.cli.terminal import complain
from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders, enabled_providers
from freeride_core.ledger.catalogs import Catalogs
from freeride_core.ledger.quota.board import Board, FreeTier, read_board
from freeride_core.ledger.quota.quotas import QuotaMode
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.store.drivers import is_there, open_store
from freeride_core.ledger.store.store import Entry
from freeride_core.model import Model
from freeride_core.plugins.discovery import load_plugins
from freeride_core.provider import Account, Provider
from freeride_core.settings.advice import check_settings
from freeride_core.settings.limits import countable_limits
from freeride_core.settings.own_providers import with_own_providers
from freeride_core.settings.resolver import Settings, load_settings


@dataclass(frozen=True)
class Snapshot:
    """As it was at one moment."""

    settings: Settings
    enabled: EnabledProviders
    ledger: Ledger
    catalogs: Catalogs
    now: float
    """Seconds since the epoch."""

    def free_models(self, member: EnabledProvider) -> tuple[Model, ...]:
        """Return the provider's free models, as far as that is known without asking it."""
        return tuple(model for model in self.catalogs.models(member.provider.name) if member.is_free(model, Account()))

    def board(self) -> Board:
        """Return what is left of every limit."""
        members = self.enabled.members
        tiers = (FreeTier(member.provider.name, member.keys, self.free_models(member)) for member in members)
        return read_board(self.ledger.quotas, tiers, self.now)


def read_snapshot() -> Snapshot:
    """The situation now; what is wrong with it is told on stderr. Raises `SettingsError`."""
    settings = load_settings()
    plugins = load_plugins(("provider",))
    enabled = enabled_providers(settings, with_own_providers(settings, plugins.providers))
    for row in plugins.rows:
        if row.reason:
            complain(f"the provider {row.name!r} cannot be used: {row.reason}")
    for line in (*check_settings(settings, enabled.registered), *enabled.warnings):
        complain(line)
    snapshot, notice = take_snapshot(settings, enabled)
    if notice:
        complain(notice)
    return snapshot


def take_snapshot(settings: Settings, enabled: EnabledProviders) -> tuple[Snapshot, str]:
    """Return the situation now under these settings, and what is wrong with the state; empty if nothing is."""
    now = time.time()
    ledger = Ledger(lambda: now, _keep)
    catalogs = Catalogs(enabled.registered, lambda: now, _keep, _fetch)
    limits = {name: countable_limits(provider, settings) for name, provider in enabled.registered.items()}
    ledger.quotas.follow(limits, QuotaMode(settings.quota))
    entries, notice = recall(settings)
    ledger.apply(entries)
    catalogs.apply(entries)
    catalogs.expect(enabled.keys())
    return Snapshot(settings, enabled, ledger, catalogs, now), notice


def recall(settings: Settings) -> tuple[list[Entry], str]:
    """Return all entries of the state, and what is wrong with it, which is empty if nothing is."""
    if not is_there(settings.state, settings.home):
        return [], ""
    store = open_store(settings.state, settings.home)
    try:
        return store.read_all(), store.notice or ""
    finally:
        store.close()


def _keep(_entry: Entry) -> None:
    """A report changes nothing."""


async def _fetch(_provider: Provider, _request: UpstreamRequest) -> Answer:
    raise AssertionError("a report shows what is known and sends no request")
