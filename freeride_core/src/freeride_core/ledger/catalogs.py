"""What every provider serves: each package's dated models, and the upstreams' own lists, fetched in the background.

Reading is a dictionary look-up. The lists outlive the process in the state's `catalog` section.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec

from freeride_core.answer import Answer, UpstreamRequest
from freeride_core.call import Operation
from freeride_core.ledger.store.store import Entry
from freeride_core.model import Model
from freeride_core.plugins.validation import Faulty, check_model
from freeride_core.privacy.redaction import Redactor
from freeride_core.provider import Key, Provider
from freeride_core.settings.keys import fingerprint

SECTION = "catalog"
_FRESH_S = 6 * 3600.0
_PROOF_S = 3600.0
"""How long a list can prove, beyond the time at which the next one is due, that something is free of charge."""
_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 300.0
_FETCH_TIMEOUT_S = 30.0
_TICK_S = 1.0
_MOST_MODELS = 2000
"""Of one provider: what is done with them all, for every request of the list, takes 10 ms. The longest list, of 2026, has 400."""
_TELLING = 16
"""Characters of a key that no model's name holds by chance; eight can be a vendor's name, which some keys begin with."""
_OPERATIONS = frozenset(operation.value for operation in Operation)


@dataclass(frozen=True, slots=True)
class _LiveList:
    """An upstream's own list."""

    models: tuple[Model, ...]
    fetched_at: float
    origin: str
    """Stands for where it comes from and which dated data it was read with."""


@dataclass(slots=True)
class _Listing:
    """What is known of one provider's models."""

    effective: tuple[Model, ...] = ()
    live: _LiveList | None = None
    is_proof: bool = False
    """The list is fresh and from where this process asks, so what it says of prices counts."""
    origins: frozenset[str] = frozenset()
    """Where this process asks; empty until it did."""
    without_live: frozenset[str] = frozenset()
    """Origins that the package has no live list for."""
    failures: int = 0
    """In a row."""
    failed_at: float = 0.0
    failed_keys: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        return self.live is not None or (bool(self.origins) and self.origins <= self.without_live)

    def is_due(self, keys: Sequence[Key], origins: frozenset[str], now: float, fresh_s: float) -> bool:
        if not origins or origins <= self.without_live:
            return False
        if self.failures:
            wait_s = min(_FIRST_RETRY_S * 2 ** min(self.failures - 1, 30), _LONGEST_RETRY_S, fresh_s)
            has_new_key = not self.failed_keys.issuperset(key.fingerprint for key in keys)
            return has_new_key or not 0 <= now - self.failed_at < wait_s
        # When the clock was set back a list looks as if from the future: not fresh either.
        return self.live is None or self.live.origin not in origins or not 0 <= now - self.live.fetched_at < fresh_s


class Catalogs:
    """The models of all providers. One per process, used from the event loop's thread only.

    `now` gives seconds since the epoch, `put` queues an entry for the store, `fetch` sends a request and may raise.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        now: Callable[[], float],
        put: Callable[[Entry], None],
        fetch: Callable[[Provider, UpstreamRequest], Awaitable[Answer]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.version = 0
        """Changes whenever any effective list does."""
        self._providers = providers
        self._now = now
        self._put = put
        self._fetch = fetch
        self._sleep = sleep
        self._listings = {name: _Listing() for name in providers}
        self._refreshing: dict[str, asyncio.Task[bool]] = {}
        self._progress = asyncio.Event()
        self._day = ""
        self._age()

    def models(self, provider: str) -> tuple[Model, ...]:
        """Return the live or stored list, with dated models for operations that it does not cover, or else the dated list.
        The order is the package's, then the upstream's. Retired models are gone."""
        listing = self._listings.get(provider)
        return listing.effective if listing else ()

    def is_known(self, provider: str) -> bool:
        """Whether a live or stored list is there, or the package has none to fetch."""
        listing = self._listings.get(provider)
        return listing is not None and listing.is_known

    def has_tried(self, provider: str) -> bool:
        """Whether its list is known, or could not be fetched."""
        return not self._is_promising(provider)

    def apply(self, entries: Iterable[Entry]) -> None:
        """Takes over what the store holds or another process fetched."""
        for entry in entries:
            listing = self._listings.get(entry.name) if entry.section == SECTION else None
            stored = _parse(entry.value) if listing else None
            # A process that asks elsewhere (another base URL, another version of the package) has a list of its own.
            if listing and stored and (not listing.origins or stored.origin in listing.origins):
                self._take(entry.name, stored)

    def follow(self, providers: Mapping[str, Provider]) -> None:
        """These providers are there from now on. What is known of one stays only if its address and its catalog do."""
        before, self._providers = self._providers, providers
        for name in [name for name in self._listings if name not in providers]:
            del self._listings[name]
            self.version += 1
        for name, provider in providers.items():
            former = before.get(name)
            is_same = former is not None and (former.catalog, former.base_url) == (provider.catalog, provider.base_url)
            if name not in self._listings or not is_same:
                self._listings[name] = _Listing()
                self.version += 1
                self._show(name, None)

    def expect(self, keys: Mapping[str, Sequence[Key]]) -> None:
        """These keys ask from now on: a list from anywhere else says nothing of what is free of charge there."""
        for name, of_provider in keys.items():
            if name in self._listings:
                self._listings[name].origins = self._origins(name, of_provider)
        self._age()

    async def refresh(self, provider: str, keys: Sequence[Key]) -> bool:
        """Fetches the live list now, or joins the fetch under way. False: it failed, and the last good list stays."""
        task = self._start(provider, keys)
        await asyncio.wait({task})
        return not task.cancelled() and task.result()

    async def run(self, keys: Callable[[], Mapping[str, Sequence[Key]]]) -> None:
        """Until cancelled: keeps every provider that has a key up to date, all in parallel."""
        try:
            while True:
                self.expect(keys())
                for name, of_provider in keys().items():
                    listing = self._listings.get(name)
                    if listing and self._is_due(name, listing, of_provider):
                        self._start(name, of_provider)
                await self._sleep(_TICK_S)
        finally:
            tasks = list(self._refreshing.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _is_due(self, name: str, listing: _Listing, keys: Sequence[Key]) -> bool:
        return listing.is_due(keys, self._origins(name, keys), self._now(), self._fresh_s(name))

    def _fresh_s(self, name: str) -> float:
        return self._providers[name].catalog.fresh_s or _FRESH_S

    async def wait(self, providers: Iterable[str], timeout_s: float = 3.0) -> None:
        """Returns when each of them is known or could not be fetched, at the latest after the timeout."""
        names = [name for name in providers if name in self._listings]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while any(self._is_promising(name) for name in names):
                    await self._progress.wait()

    def _is_promising(self, provider: str) -> bool:
        listing = self._listings[provider]
        return not listing.is_known and (provider in self._refreshing or not listing.failures)

    def _start(self, provider: str, keys: Sequence[Key]) -> asyncio.Task[bool]:
        task = self._refreshing.get(provider)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._refresh(provider, tuple(keys)))
            self._refreshing[provider] = task
            task.add_done_callback(lambda _: self._end(provider))
        return task

    def _end(self, provider: str) -> None:
        del self._refreshing[provider]
        self._progress.set()
        self._progress = asyncio.Event()

    async def _refresh(self, provider: str, keys: tuple[Key, ...]) -> bool:
        listing = self._listings[provider]
        listing.origins = self._origins(provider, keys)
        without_live: set[str] = set()
        for key in keys:
            origin = self._origin(provider, key)
            try:
                request = self._providers[provider].catalog.request(key)
                if request is None:
                    without_live.add(origin)
                    continue
                live = _LiveList(await self._ask(provider, request, keys), self._now(), origin)
                self._take(provider, live)
            except (asyncio.CancelledError, KeyboardInterrupt):
                raise
            except BaseException:  # noqa: S112 - whatever an upstream or a plugin does, the next key may do better
                continue
            self._put(Entry(SECTION, provider, _plain(live)))
            return True
        listing.without_live = frozenset(without_live)
        if keys and listing.is_known and listing.live is None:
            return True
        listing.failures += 1
        listing.failed_at = self._now()
        listing.failed_keys = frozenset(key.fingerprint for key in keys)
        return False

    async def _ask(self, provider: str, request: UpstreamRequest, keys: tuple[Key, ...]) -> tuple[Model, ...]:
        async with asyncio.timeout(_FETCH_TIMEOUT_S):
            answer = await self._fetch(self._providers[provider], request)
        if answer.status != 200:
            raise ValueError(f"the catalog answered {answer.status}")
        # Some lists are long, and parsing one must not hold up the streams.
        models = await asyncio.to_thread(self._models_of, provider, answer, keys)
        if not models:
            raise ValueError("the catalog is empty")
        return models

    def _models_of(self, provider: str, answer: Answer, keys: tuple[Key, ...]) -> tuple[Model, ...]:
        redact = Redactor((key.secret for key in keys), _TELLING)  # names are kept and shown
        parsed = self._providers[provider].catalog.parse(answer)
        sound = (model for model in parsed if _is_sound(model) and not redact.finds_in(model.id, model.canonical))
        return tuple(islice(sound, _MOST_MODELS))

    def _take(self, provider: str, live: _LiveList) -> None:
        listing = self._listings[provider]
        self._show(provider, live)  # first: it raises where a plugin gave something else than models
        listing.live = live
        listing.failures = 0

    def _show(self, provider: str, live: _LiveList | None) -> None:
        listing = self._listings[provider]
        listing.is_proof = self._is_proof(provider, live)
        models = live.models if live else ()
        if not listing.is_proof:
            models = tuple(replace(model, price=None, promoted=False) for model in models)
        effective = _merge(models, self._providers[provider].catalog.models, self._day)
        if effective != listing.effective:
            listing.effective = effective
            self.version += 1

    def _age(self) -> None:
        """Time passes: models retire, and a promotion ends if it was not confirmed recently."""
        today = datetime.fromtimestamp(self._now(), UTC).date().isoformat()
        is_new_day, self._day = today != self._day, today
        for name, listing in self._listings.items():
            if is_new_day or listing.is_proof != self._is_proof(name, listing.live):
                self._show(name, listing.live)

    def _is_proof(self, name: str, live: _LiveList | None) -> bool:
        if live is None or live.origin not in self._listings[name].origins:
            return False
        return 0 <= self._now() - live.fetched_at < self._fresh_s(name) + _PROOF_S

    def _origins(self, provider: str, keys: Sequence[Key]) -> frozenset[str]:
        return frozenset(self._origin(provider, key) for key in keys)

    def _origin(self, provider: str, key: Key) -> str:
        # Hashed, because a base URL can hold an account id.
        return fingerprint(f"{key.base_url} {self._providers[provider].catalog.checked}")


def _is_sound(model: object) -> bool:
    """Whether a package made a model of an entry, and not something that only looks like one."""
    with contextlib.suppress(Faulty):
        check_model(model)
        return True
    return False


def _merge(live: tuple[Model, ...], dated: tuple[Model, ...], today: str) -> tuple[Model, ...]:
    place = {model.id: at for at, model in enumerate(dated)}
    covered = frozenset[Operation]().union(*(model.operations for model in live))
    listed = {model.id for model in live}
    added = [
        replace(model, operations=model.operations - covered)
        for model in dated
        if model.id not in listed and not model.operations <= covered
    ]
    models = sorted((*live, *added), key=lambda model: place.get(model.id, len(place)))
    return tuple(model for model in models if model.retires is None or model.retires > today)


def _plain(live: _LiveList) -> dict[str, Any]:
    return {"fetched": live.fetched_at, "origin": live.origin, "models": msgspec.to_builtins(live.models)}


def _parse(value: Any) -> _LiveList | None:
    """A stored list, perhaps of an older or a newer version; None where nothing of it can be read."""
    try:
        models = tuple(
            model for row in value["models"] if (model := _parse_model(row)) is not None and _is_sound(model)
        )
        stored = _LiveList(models, float(value["fetched"]), str(value["origin"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return stored if models else None


def _parse_model(row: Any) -> Model | None:
    try:
        known = [operation for operation in row["operations"] if operation in _OPERATIONS]
        model = msgspec.convert({**row, "operations": known}, Model)
    except (KeyError, TypeError, ValueError):
        return None
    return model if model.operations else None
