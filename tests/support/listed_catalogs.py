"""Providers that list models, with a clock, a store and upstreams that a test controls."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from freeride_core.answer import Answer, UpstreamRequest
from freeride_core.free import WholeCatalog
from freeride_core.ledger.catalogs import Catalogs
from freeride_core.ledger.store.store import Entry
from freeride_core.model import Model
from freeride_core.provider import Catalog, Key, Provider

NOON = 1_790_000_000.0  # 2026-09-21


def model(id_: str, **facts: Any) -> Model:
    return Model(id=id_, canonical=id_, **facts)


class ListCatalog(Catalog):
    """A live list is a JSON array of ids."""

    checked = "2026-09-01"

    def __init__(self, models: tuple[Model, ...] = (), *, has_live: bool = True) -> None:
        self.models = models
        self.has_live = has_live

    def request(self, key: Key) -> UpstreamRequest | None:
        url = f"{key.base_url}/models"
        return UpstreamRequest("GET", url, (("authorization", key.secret),)) if self.has_live else None

    def parse(self, answer: Answer) -> tuple[Model, ...]:
        assert threading.current_thread() is not threading.main_thread()
        ids = json.loads(answer.body)
        if not isinstance(ids, list):
            raise ValueError("no list")
        return tuple(model(id_) for id_ in ids)


def provider(name: str, *dated: Model, has_live: bool = True) -> Provider:
    it = Provider()
    it.name = name
    it.catalog = ListCatalog(dated, has_live=has_live)
    it.free = WholeCatalog()
    return it


def key(secret: str, *, provider: str = "acme", base_url: str = "https://acme.test/v1") -> Key:
    return Key(
        provider=provider, secret=secret, fingerprint=secret[:12], index=0, variable="ACME_API_KEY", base_url=base_url
    )


@dataclass
class World:
    """A clock, a store and upstreams, all in the test's hand."""

    providers: dict[str, Provider]
    now: float = NOON
    answers: dict[str, Any] = field(default_factory=dict)
    """By `provider` or `provider/secret`: ids, a status (with a good list nonetheless), or an exception."""
    asked: list[str] = field(default_factory=list)
    stored: list[Entry] = field(default_factory=list)
    gate: asyncio.Event | None = None
    """Holds every answer until it is set."""
    closed: int = 0
    """Held answers that were given or given up."""
    ticks: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    keys: dict[str, list[Key]] = field(default_factory=dict)

    def catalogs(self, stored: Iterable[Entry] = ()) -> Catalogs:
        catalogs = Catalogs(self.providers, lambda: self.now, self.stored.append, self.fetch, self.sleep)
        catalogs.apply(stored)
        return catalogs

    async def fetch(self, provider: Provider, request: UpstreamRequest) -> Answer:
        secret = dict(request.headers)["authorization"]
        self.asked.append(f"{provider.name}/{secret}")
        if self.gate is not None:
            try:
                await self.gate.wait()
            finally:
                for _ in range(20):  # closing a connection takes its time
                    await asyncio.sleep(0)
                self.closed += 1
        answer = self.answers.get(f"{provider.name}/{secret}", self.answers.get(provider.name))
        if isinstance(answer, Exception):
            raise answer
        status, content = (answer, ["wrong"]) if isinstance(answer, int) else (200, answer)
        return Answer(status=status, headers={}, body=json.dumps(content).encode(), now=self.now)

    async def sleep(self, seconds: float) -> None:
        """Time stands still until `pass_time`."""
        assert 0 < seconds <= 5
        await self.ticks.get()

    @asynccontextmanager
    async def running(self, catalogs: Catalogs) -> AsyncIterator[None]:
        task = asyncio.create_task(catalogs.run(lambda: self.keys))
        await self.settle(catalogs)
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def pass_time(self, catalogs: Catalogs, seconds: float) -> None:
        self.now += seconds
        self.ticks.put_nowait(None)
        await self.settle(catalogs)

    async def settle(self, catalogs: Catalogs) -> None:
        """Until nothing is under way any more."""
        for _ in range(3):
            await asyncio.sleep(0)
        while self.gate is None and (tasks := list(catalogs._refreshing.values())):
            await asyncio.wait(tasks)
            await asyncio.sleep(0)


def world(*providers: Provider, **more: Any) -> World:
    return World({it.name: it for it in providers}, **more)


def ids(catalogs: Catalogs, provider: str = "acme") -> list[str]:
    return [it.id for it in catalogs.models(provider)]


def refreshed(here: World, *keys: Key, stored: Sequence[Entry] = ()) -> tuple[Catalogs, bool]:
    catalogs = here.catalogs(stored)
    is_good = asyncio.run(catalogs.refresh("acme", keys or [key("k1")]))
    return catalogs, is_good
