"""Billing proofs: what probes have shown of the accounts behind the keys, where a free policy depends on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from freeride_core.answer import Answer, UpstreamRequest
from freeride_core.gateway.http.aside import aside
from freeride_core.gateway.walk.enabled import EnabledProvider
from freeride_core.provider import Account, Key, Provider
from freeride_core.system.json_values import LARGE

_EVERY_S = 6 * 3600.0
_AGAIN_S = 300.0
_LOOK_S = 2.0
_PROOF_S = 7 * 3600.0
"""How long a proof counts: a little longer than until the next one is due."""

Fetch = Callable[[Provider, UpstreamRequest], Awaitable[Answer]]


class BillingProofs:
    """Asks each key that matters, in the background. What was not shown is unknown, and unknown is not free."""

    def __init__(self, fetch: Fetch, now: Callable[[], float]) -> None:
        self._fetch = fetch
        self._now = now
        self._accounts: dict[str, tuple[Account, float]] = {}
        self._due: dict[str, float] = {}
        self.version = 0
        """Changes whenever a fact does."""

    def account(self, member: EnabledProvider) -> Account:
        """What holds for every key of a provider: one account that can be billed is enough to say that it can."""
        facts = {self._fact(key) for key in member.keys}
        return Account(can_be_billed=True if True in facts else None if None in facts or not facts else False)

    async def run(self, members: Callable[[], Sequence[EnabledProvider]]) -> None:
        """Until cancelled."""
        while True:
            self._forget_old()
            for member in members():
                if member.free.asks_account:
                    for key in member.keys:
                        await self._ask(member.provider, key)
            await asyncio.sleep(_LOOK_S)

    def _fact(self, key: Key) -> bool | None:
        account, _ = self._accounts.get(key.fingerprint, (Account(), 0.0))
        return account.can_be_billed

    def _forget_old(self) -> None:
        """Who could not be billed this morning may have left a card since."""
        now = self._now()
        for name, (_, proved_at) in tuple(self._accounts.items()):
            if not 0 <= now - proved_at < _PROOF_S:
                del self._accounts[name]
                self.version += 1

    async def _ask(self, provider: Provider, key: Key) -> None:
        now = self._now()
        # Further off than ever set: the clock was set back.
        if provider.probe is None or 0 < self._due.get(key.fingerprint, 0.0) - now <= _EVERY_S:
            return
        self._due[key.fingerprint] = now + _AGAIN_S
        try:
            request = provider.probe.request(key)
            if request is None:
                return
            answer = await self._fetch(provider, request)
            read = provider.probe.read
            proof = read(answer) if len(answer.body) <= LARGE else await aside(read, answer)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException:  # whatever a network or a plugin does: without an answer there is no proof
            return
        if proof.valid is not None:
            self._due[key.fingerprint] = now + _EVERY_S
        if self._fact(key) != proof.account.can_be_billed:
            self.version += 1
        self._accounts[key.fingerprint] = (proof.account, now)
