"""Proofs: what probes have shown of the accounts behind the keys, where a free policy depends on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from freeride_core.gateway.roster import Member
from freeride_core.provider import Account, Answer, Key, Provider, UpstreamRequest

_EVERY_S = 6 * 3600.0
_AGAIN_S = 300.0
_LOOK_S = 2.0

Fetch = Callable[[Provider, UpstreamRequest], Awaitable[Answer]]


class Proofs:
    """Asks each key that matters, in the background. What nobody has shown is unknown, and unknown is not free."""

    def __init__(self, fetch: Fetch, now: Callable[[], float]) -> None:
        self._fetch = fetch
        self._now = now
        self._accounts: dict[str, Account] = {}
        self._due: dict[str, float] = {}
        self.version = 0
        """Changes whenever a fact does."""

    def account(self, member: Member) -> Account:
        """What holds for every key of a provider: one account that can be billed is enough to say that it can."""
        facts = {self._accounts.get(key.fingerprint, Account()).can_be_billed for key in member.keys}
        return Account(can_be_billed=facts.pop() if len(facts) == 1 else None)

    async def run(self, members: Callable[[], Sequence[Member]]) -> None:
        """Until cancelled."""
        while True:
            for member in members():
                if member.free.asks_account:
                    for key in member.keys:
                        await self._ask(member.provider, key)
            await asyncio.sleep(_LOOK_S)

    async def _ask(self, provider: Provider, key: Key) -> None:
        now = self._now()
        request = provider.probe.request(key) if provider.probe is not None else None
        if provider.probe is None or request is None or now < self._due.get(key.fingerprint, 0.0):
            return
        self._due[key.fingerprint] = now + _AGAIN_S
        try:
            proof = provider.probe.read(await self._fetch(provider, request))
        except OSError:
            return
        if proof.valid is not None:
            self._due[key.fingerprint] = now + _EVERY_S
        if self._accounts.get(key.fingerprint) != proof.account:
            self._accounts[key.fingerprint] = proof.account
            self.version += 1
