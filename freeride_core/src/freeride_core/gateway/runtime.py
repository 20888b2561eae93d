"""The gateway as one live object: everything that requests share, and the background work."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from freeride_core.answer import Answer, Phase, UpstreamRequest
from freeride_core.call import Call, Operation
from freeride_core.events.bus import EventBus, Observer, drain, plugin_observers
from freeride_core.events.log import WantedSink
from freeride_core.events.records import Event, EventRecord, RequestComplete
from freeride_core.events.request_lines import RequestLines
from freeride_core.events.usage import Usage
from freeride_core.gateway.client import ClientExchange
from freeride_core.gateway.client_name import client_name
from freeride_core.gateway.console import Console
from freeride_core.gateway.http.budget import Budget, NoRoom
from freeride_core.gateway.http.errors import UpstreamError
from freeride_core.gateway.http.notice import Notice
from freeride_core.gateway.http.upstreams import Upstreams
from freeride_core.gateway.key_watch import KeyWatch
from freeride_core.gateway.protocols.keep_alive import KEEP_ALIVE_S
from freeride_core.gateway.walk.billing_proofs import BillingProofs
from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders, enabled_providers
from freeride_core.gateway.walk.routing import Router, RoutingPlan, usable_models
from freeride_core.gateway.walk.walk import Walk
from freeride_core.ledger.catalogs import Catalogs
from freeride_core.ledger.legacy import import_cooldowns
from freeride_core.ledger.quota.quotas import QuotaMode
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.store.drivers import open_store
from freeride_core.ledger.store.store import Entry
from freeride_core.ledger.store.sync import StateSync
from freeride_core.model import Model
from freeride_core.plugins.discovery import Plugins
from freeride_core.privacy.redaction import SecretFilter
from freeride_core.provider import Provider
from freeride_core.settings.advice import check_settings
from freeride_core.settings.limits import countable_limits
from freeride_core.settings.own_providers import with_own_providers
from freeride_core.settings.resolver import Settings, SettingsError, SettingsWatch
from freeride_core.system.plain_text import printable_lines
from freeride_core.telemetry.beacon import Beacon, public_names

_RELOAD_EVERY_S = 2.0
_CATALOG_TIMEOUT_S = 20.0
_CATALOG_MOST = 16 * 1024 * 1024
"""Bytes of a list of models; the longest, of 2026, has 800,000."""
_COUNT_EVERY_S = 1.0
_POST_TIMEOUT_S = 5.0
_SHOWN_MOST = 256


class Gateway:
    """Composed once; `run` keeps its background work going until it is cancelled."""

    def __init__(self, settings: Settings, plugins: Plugins, *, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self.settings = settings
        self.plugins = plugins
        self.keep_alive_s = keep_alive_s
        self.now = time.time
        self.enabled: EnabledProviders = self._enabled(settings)
        self.shown = functools.lru_cache(_SHOWN_MOST)(self.enabled.redact)
        """What a client named, without any key that it may hold."""
        self.named = functools.lru_cache(_SHOWN_MOST)(self._named)
        """How a client names itself, by its User-Agent. Remembered, it costs a request 0.3 us in place of 2.5."""
        self.events = EventBus()
        self.store = open_store(settings.state, settings.home)
        self._sync = StateSync(self.store, self._apply)
        self.ledger = Ledger(self.now, self._sync.put)
        self._follow_limits(settings)
        self.catalogs = Catalogs(self.enabled.registered, self.now, self._sync.put, self._fetch)
        self.budget = Budget(settings.max_buffered, tell)
        self.upstreams = Upstreams(settings.connect_timeout, lambda: self.now(), self.budget)
        self.proofs = BillingProofs(self._fetch, self.now)
        self.router = Router(self.catalogs.models, self._models_version, self.proofs.account)
        self.beacon: Beacon | None = None
        """Sends counts, or None if telemetry is off and nothing is counted."""
        self.console: Console | None = None
        self.key_watch: KeyWatch | None = None
        """Checks the keys, or None if only requests find out."""
        self.observers: list[Observer] = plugin_observers(plugins.hooks)
        self._answered: list[Usage] = []
        """Answers that the beacon has not counted yet."""
        self.exchanges: set[ClientExchange] = set()
        self.secrets = SecretFilter(self.enabled.redact)
        self.is_stopping = False
        self._loop_notice = Notice(tell, time.monotonic)
        self._watch = SettingsWatch(settings)
        self._apply(self.store.read_all())
        self.catalogs.expect(self.enabled.keys())

    def _apply(self, entries: Sequence[Entry]) -> None:
        self.ledger.apply(entries)
        self.catalogs.apply(entries)

    def _enabled(self, settings: Settings) -> EnabledProviders:
        return enabled_providers(settings, with_own_providers(settings, self.plugins.providers))

    def _follow_limits(self, settings: Settings) -> None:
        limits = {name: countable_limits(provider, settings) for name, provider in self.enabled.registered.items()}
        self.ledger.quotas.follow(limits, QuotaMode(settings.quota))

    def import_legacy(self) -> list[str]:
        """Takes over an older version's cooldowns, once. Gives lines for people."""
        entries, lines = import_cooldowns(self.settings.home, self.plugins.providers, self.enabled.keys(), self.now())
        for entry in entries:
            self._sync.put(entry)
        self._apply(entries)
        return lines

    # What requests ask

    def _named(self, user_agent: bytes) -> str:
        return self.enabled.redact(client_name(user_agent))

    def walk(self, call: Call, route: RoutingPlan, request_id: str) -> Walk:
        return Walk(
            call,
            route,
            request_id,
            ledger=self.ledger,
            upstreams=self.upstreams,
            settings=self.settings,
            events=self.events,
        )

    def note_loop(self) -> None:
        """Says once that an address of the user's leads back to this gateway."""
        self._loop_notice.give(
            "a FREERIDE_<PROVIDER>_BASE_URL leads to this gateway, which then asks itself: correct it"
        )

    def undecided(self, force: str | None) -> list[str]:
        """Providers with a key whose model list is not known yet."""
        names = [member.provider.name for member in self.enabled.members]
        return [name for name in names if force in (None, name) and not self.catalogs.is_known(name)]

    def usable_models(self) -> Mapping[str, list[tuple[EnabledProvider, Model]]]:
        """Free models by canonical name, with who serves them."""
        return usable_models(self.enabled, self.catalogs.models, self.proofs.account)

    def _models_version(self) -> int:
        return self.catalogs.version + self.proofs.version

    def free_models(self, member: EnabledProvider) -> tuple[Model, ...]:
        account = self.proofs.account(member)
        return tuple(model for model in self.catalogs.models(member.provider.name) if member.is_free(model, account))

    def talk(self, tell: Callable[[str], None], *, is_verbose: bool) -> None:
        """From the start of `run` on, check the keys and tell what changes; if `is_verbose`, each request too."""
        self.key_watch = KeyWatch(self._fetch, self.ledger)
        self.console = Console(self.ledger, tell)
        if is_verbose:
            self.observers.append(RequestLines(tell))

    def embedding_models(self) -> list[str]:
        """Names of free embedding models that can be used now; none of which it is not known that they are that."""
        return [
            canonical
            for canonical, served in self.usable_models().items()
            if any(model.operations == {Operation.EMBEDDINGS} for _, model in served)
        ]

    def chat_models(self) -> list[str]:
        """Ids of free chat models that can be used now, in the order of their providers."""
        return [
            served[0][1].id
            for served in self.usable_models().values()
            if any(Operation.CHAT in model.operations for _, model in served)
        ]

    # Background work

    async def run(self) -> None:
        """Catalogs, state, events and settings, all off the request path; until cancelled."""
        sink = WantedSink(lambda: self.settings.events_path if self.settings.events else None)
        try:
            await self._work(sink)
        finally:
            if self.beacon is not None:  # after the last events were handed on
                await asyncio.to_thread(self.beacon.end, self.settings, self._take_answered())

    async def _work(self, sink: WantedSink) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sync.run())
            group.create_task(drain(self.events, sink, self.observers, count=self._note))
            group.create_task(self.catalogs.run(lambda: self.enabled.keys()))
            group.create_task(self.proofs.run(lambda: self.enabled.members))
            group.create_task(self._reload())
            if self.beacon is not None:
                group.create_task(self._count(self.beacon))
            if self.key_watch is not None:
                group.create_task(self.key_watch.run(lambda: self.enabled))
            if self.console is not None:
                group.create_task(self.console.run(lambda: self.enabled, self.free_models, self._models_version))

    async def _reload(self) -> None:
        """Follows changes of `.env` and `config.toml`, and keeps the ledger tidy and saved."""
        while True:
            await asyncio.sleep(_RELOAD_EVERY_S)
            now = self.now()
            self.ledger.cooldowns.follow_clock(now)
            self.ledger.cooldowns.forget_old(now)
            self.ledger.learned.forget_old(now)
            self.ledger.quotas.save(now)
            try:
                settings = await asyncio.to_thread(self._watch.changed)
                enabled = None if settings is None else self._enabled(settings)
                if settings is not None:
                    self._follow_limits(settings)
            except SettingsError as error:
                tell(f"the changed settings are ignored: {error}")
                continue
            if settings is not None and enabled is not None:
                if settings.token is None and self.settings.token is not None:
                    # The gateway may listen where others can reach it, and half a file is no decision.
                    tell("FREERIDE_TOKEN stays until the gateway is restarted")
                    settings = dataclasses.replace(settings, token=self.settings.token)
                    enabled = self._enabled(settings)  # for its redactor
                if settings.state != self.settings.state:
                    tell("FREERIDE_STATE stays until the gateway is restarted")
                    settings = dataclasses.replace(settings, state=self.settings.state)
                self.settings = settings
                self.enabled = enabled
                self.catalogs.follow(enabled.registered)
                self.catalogs.expect(enabled.keys())
                self.shown = functools.lru_cache(_SHOWN_MOST)(self.enabled.redact)
                self.named.cache_clear()
                self.secrets.redact = self.enabled.redact
                self.upstreams.connect_timeout_s = settings.connect_timeout
                self.budget.limit = settings.max_buffered
                for line in (*check_settings(settings, enabled.registered), *self.enabled.warnings):
                    tell(line)

    async def _count(self, beacon: Beacon) -> None:
        """Counts answers while telemetry is on."""
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            await beacon.beat(self.settings, self._public_names, self._take_answered())

    def _note(self, events: Sequence[Event | EventRecord]) -> None:
        self.ledger.usage.note(events)
        self.ledger.clients.note(events)
        self.ledger.quotas.settle()
        if self.beacon is not None and self.settings.telemetry:
            self._answered += [event.usage_read for event in events if isinstance(event, RequestComplete)]

    def _take_answered(self) -> list[Usage]:
        answered, self._answered = self._answered, []
        return answered

    def _public_names(self) -> list[str]:
        return public_names(self.plugins, [member.provider.name for member in self.enabled.members])

    async def post(self, request: UpstreamRequest) -> None:
        """Sends a request whose answer does not matter. Raises `UpstreamError` or `TimeoutError`."""
        async with asyncio.timeout(_POST_TIMEOUT_S):
            (await self.upstreams.send(request)).close()

    async def _fetch(self, provider: Provider, request: UpstreamRequest) -> Answer:
        """Return a catalog's or a probe's answer. Raise OSError if no answer comes."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            self.budget.take(size)
            held += size

        try:
            async with asyncio.timeout(_CATALOG_TIMEOUT_S):
                upstream = await self.upstreams.send(request)
                try:
                    body = await upstream.body(_CATALOG_MOST, hold)
                finally:
                    upstream.close()
        except (UpstreamError, TimeoutError, NoRoom) as error:
            raise OSError(f"no catalog from {provider.name}") from error
        finally:
            self.budget.give_back(held)
        phase = Phase.BODY if upstream.status == 200 else Phase.STATUS
        return Answer(upstream.status, upstream.headers, body, self.now(), phase)

    def abort(self) -> None:
        """Ends what is still in flight with an error."""
        for exchange in tuple(self.exchanges):
            exchange.abort()

    async def close(self) -> None:
        await self.upstreams.close()
        self.ledger.quotas.save(self.now())
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._sync.flush)
        self.store.close()


def tell(line: str) -> None:
    """Print the line on stderr. A terminal that has closed does not stop the gateway."""
    with contextlib.suppress(OSError, ValueError):
        print(f"freeride: {printable_lines(line)}", file=sys.stderr)  # noqa: T201
