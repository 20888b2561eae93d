"""What `freeride serve` says while it runs: one line for each change of state of a key or a provider.

It looks at the ledger twice a second, so that a request does nothing for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from freeride_core.answer import ErrorKind
from freeride_core.call import Operation
from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.quota.allowance import Allowance
from freeride_core.ledger.readiness import Ledger, Readiness
from freeride_core.ledger.slots import ALL_MODELS, EVERYONE, Slot, slots_over
from freeride_core.model import Model
from freeride_core.provider import Key

_LOOK_S = 0.5

FreeModels = Callable[[EnabledProvider], tuple[Model, ...]]


@dataclass(frozen=True, slots=True)
class Pause:
    """A key or a provider that is not asked now."""

    kind: str
    """Of the failure, as in `ErrorKind`."""
    until: float
    """Seconds since the epoch."""
    is_of_models: bool = False
    """Each free model of a provider is paused by itself."""


@dataclass(frozen=True, slots=True)
class Pausable:
    """What can be paused: a provider, or one of its keys."""

    provider: str
    variable: str = ""
    """Of the key. Empty stands for the whole provider."""
    is_only_key: bool = False

    def __str__(self) -> str:
        return f"{self.provider} ({self.variable})" if self.variable and not self.is_only_key else self.provider


def pauses_now(members: Sequence[EnabledProvider], ledger: Ledger, free_models: FreeModels) -> dict[Pausable, Pause]:
    """Return what is not asked now. An outage and a rejection last until something shows that they are over."""
    now = ledger.now()
    shut = [allowance for allowance in ledger.quotas.allowances() if allowance.window.shut_until > now]
    if not ledger.cooldowns and not shut:
        return {}
    cooling = Counter(slot.provider for slot, cooldown in ledger.cooldowns.items() if cooldown.until > now)
    found: dict[Pausable, Pause] = {}
    for member in members:
        name = member.provider.name
        if (pause := _pause_of(ledger, None, ledger.cooldowns.get(Slot(name, EVERYONE, ALL_MODELS)))) is not None:
            found[Pausable(name)] = pause
            continue
        keys = dict(_paused_keys(member, ledger, shut))
        found |= keys
        if len(keys) == len(member.keys) or not cooling[name]:
            continue
        models = [model for model in free_models(member) if Operation.CHAT in model.operations]
        if len(models) <= cooling[name] and (pause := _pause_of_models(member, ledger, models)) is not None:
            found[Pausable(name)] = pause
    return found


def _paused_keys(
    member: EnabledProvider, ledger: Ledger, shut: Sequence[Allowance]
) -> Iterator[tuple[Pausable, Pause]]:
    for key in member.keys:
        slots = slots_over(key, ledger.accounts.of(key), ALL_MODELS)
        pauses = [_pause_of(ledger, key, ledger.cooldowns.get(slot)) for slot in dict.fromkeys(slots)]
        # Not the limit of one model: the others are asked.
        pauses += [
            Pause(each.kind, each.window.shut_until)
            for each in shut
            if each.subject.models == ALL_MODELS and any(each.subject[:2] == slot[:2] for slot in slots)
        ]
        if last := max(filter(None, pauses), key=lambda pause: pause.until, default=None):
            yield Pausable(key.provider, key.variable, len(member.keys) == 1), last


def _pause_of(ledger: Ledger, key: Key | None, cooldown: Cooldown | None) -> Pause | None:
    if cooldown is None:
        return None
    if cooldown.until <= ledger.now():
        check = ledger.key_checks.of(key) if key and cooldown.kind == ErrorKind.AUTH else None
        is_accepted = check is not None and check.is_accepted is True and check.checked_at >= cooldown.until
        if is_accepted or not (cooldown.is_outage or cooldown.kind == ErrorKind.AUTH):
            return None
    return Pause(cooldown.kind, cooldown.until)


def _pause_of_models(member: EnabledProvider, ledger: Ledger, models: Sequence[Model]) -> Pause | None:
    """The provider's, if each of these models is paused on each key."""
    soonest: Cooldown | None = None
    for key in member.keys:
        for model in models:
            state = ledger.state(key, model.id)
            if state.readiness is not Readiness.COOLING or state.cooldown is None:
                return None
            if soonest is None or state.cooldown.until < soonest.until:
                soonest = state.cooldown
    return None if soonest is None else Pause(soonest.kind, soonest.until, is_of_models=True)


def changes(before: Mapping[Pausable, Pause], after: Mapping[Pausable, Pause]) -> Iterator[str]:
    """Give a line for each subject whose state has changed. A pause that gets longer is no change."""
    for subject, pause in after.items():
        former = before.get(subject)
        if former is None or former.kind != pause.kind:
            yield _begun(subject, pause)
    for subject, pause in before.items():
        if subject not in after and Pausable(subject.provider) not in after:
            yield _ended(subject, pause)


def _begun(subject: Pausable, pause: Pause) -> str:
    again = time.strftime("%H:%M:%S", time.localtime(pause.until))
    if pause.kind == ErrorKind.AUTH and subject.variable:
        return f"{subject.provider}: {subject.variable} was rejected. It is tried again at {again}."
    if pause.is_of_models:
        return f"{subject}: all free models are paused, the first until {again} ({pause.kind})."
    return f"{subject} is paused until {again} ({pause.kind})."


def _ended(subject: Pausable, pause: Pause) -> str:
    if pause.kind == ErrorKind.AUTH and subject.variable:
        return f"{subject.provider}: {subject.variable} works again."
    return f"{subject} is back."


class Console:
    """Belongs to the event loop's thread. `tell` must not wait."""

    def __init__(self, ledger: Ledger, tell: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._tell = tell
        self._pauses: Mapping[Pausable, Pause] = {}
        self._free: dict[str, tuple[Model, ...]] = {}
        self._free_of: tuple[EnabledProviders | None, int] = (None, 0)

    async def run(
        self, enabled: Callable[[], EnabledProviders], free_models: FreeModels, version: Callable[[], int]
    ) -> None:
        """Until cancelled. `version` changes whenever what `free_models` gives does."""
        while True:
            self.look(enabled(), free_models, version())
            await asyncio.sleep(_LOOK_S)

    def look(self, enabled: EnabledProviders, free_models: FreeModels, version: int) -> None:
        """Tell what has changed since the last look."""
        if self._free_of[0] is not enabled or self._free_of[1] != version:
            self._free_of, self._free = (enabled, version), {}

        def known(member: EnabledProvider) -> tuple[Model, ...]:
            name = member.provider.name
            if name not in self._free:
                self._free[name] = free_models(member)
            return self._free[name]

        pauses = pauses_now(enabled.members, self._ledger, known)
        for line in changes(self._pauses, pauses):
            self._tell(f"{time.strftime('[%H:%M:%S]')} {line}")
        self._pauses = pauses
