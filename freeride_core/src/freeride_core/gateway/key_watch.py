"""Checks the keys in the background, at the start and whenever that can tell something new. Every check is free."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from freeride_core.answer import Answer, ErrorKind, Failure, Scope, UpstreamRequest
from freeride_core.gateway.key_verdict import judge_key
from freeride_core.gateway.walk.enabled import EnabledProviders
from freeride_core.gateway.walk.reaction import TABLE, cooldown_s
from freeride_core.ledger.key_checks import KeyCheck
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.slots import slot_of
from freeride_core.provider import Key, Provider

Fetch = Callable[[Provider, UpstreamRequest], Awaitable[Answer]]
_LOOK_S = 2.0
_AGAIN_S = 300.0
"""After a check that could not be made, such as on a train."""
_RENEWED_S = 900.0
"""How old what a probe says of the quota may become while its key is used."""
_REJECTED = Failure(kind=ErrorKind.AUTH)


class KeyWatch:
    """A rejected key cools as if a request had been refused, so that no request has to find out."""

    def __init__(self, fetch: Fetch, ledger: Ledger) -> None:
        self._fetch = fetch
        self._ledger = ledger
        self._checked: dict[str, tuple[float, int]] = {}
        """By fingerprint: when this process checked a key, and the requests that its provider had then."""

    async def run(self, enabled: Callable[[], EnabledProviders]) -> None:
        """Until cancelled."""
        while True:
            await self.check(enabled())
            await asyncio.sleep(_LOOK_S)

    async def check(self, enabled: EnabledProviders) -> None:
        """Check each key that is due, all at once."""
        due = [(member.provider, key) for member in enabled.members for key in member.keys]
        due = [(provider, key) for provider, key in due if self._is_due(key)]
        await asyncio.gather(*(self._check(enabled, provider, key) for provider, key in due))

    def _is_due(self, key: Key) -> bool:
        now = self._ledger.now()
        cooldown = self._ledger.cooldowns.get(slot_of(Scope.KEY, key, "", ""))
        rejected_until = cooldown.until if cooldown is not None and cooldown.kind == ErrorKind.AUTH else None
        if rejected_until is not None and rejected_until > now:
            return False
        if key.fingerprint not in self._checked:
            return True
        checked_at, requests = self._checked[key.fingerprint]
        if not 0 <= checked_at <= now or (rejected_until is not None and checked_at < rejected_until):
            return True
        last = self._ledger.key_checks.of(key)
        if last is None or last.checked_at < checked_at:
            return now - checked_at >= _AGAIN_S
        return bool(last.note) and requests != self._requests(key) and now - checked_at >= _RENEWED_S

    def _requests(self, key: Key) -> int:
        today = self._ledger.usage.today().get(key.provider)
        return today.requests if today else 0

    async def _check(self, enabled: EnabledProviders, provider: Provider, key: Key) -> None:
        begun = self._ledger.now()
        self._checked[key.fingerprint] = (begun, self._requests(key))

        def ask(request: UpstreamRequest) -> Awaitable[Answer]:
            return self._fetch(provider, request)

        try:
            verdict = await judge_key(provider, key, ask)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException:  # whatever a network or a plugin does: without an answer nothing is known
            return
        self._ledger.quotas.tell(key, verdict.quota, begun)
        note = enabled.redact(verdict.note) if provider.probe is not None else ""
        self._ledger.key_checks.note(key, KeyCheck(verdict.valid, note, self._ledger.now()))
        if verdict.valid is False:
            self._cool(key, begun)

    def _cool(self, key: Key, begun: float) -> None:
        reaction = TABLE[ErrorKind.AUTH]

        def wait_s(strikes: int, _: bool) -> float:
            return cooldown_s(_REJECTED, reaction, Scope.KEY, strikes, self._ledger.now())

        self._ledger.cool(key, "", Scope.KEY, kind=ErrorKind.AUTH, wait_s=wait_s, is_outage=False, sent_at=begun)
