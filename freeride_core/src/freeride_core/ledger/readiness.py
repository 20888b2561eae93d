"""The ledger: what is known of every slot right now. Reads are dictionary look-ups; writes are queued."""

from __future__ import annotations

import enum
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from freeride_core.answer import Scope
from freeride_core.ledger.accounts import Accounts
from freeride_core.ledger.clients import ClientLedger
from freeride_core.ledger.cooldowns import Cooldown, Cooldowns
from freeride_core.ledger.key_checks import KeyChecks
from freeride_core.ledger.learned import Learned
from freeride_core.ledger.nonsense import Nonsense
from freeride_core.ledger.quota.quotas import Quotas
from freeride_core.ledger.slots import Slot, slot_of, slots_over
from freeride_core.ledger.store.store import Entry
from freeride_core.ledger.traffic import Traffic
from freeride_core.ledger.usage import UsageLedger
from freeride_core.provider import Key

_OUTAGE_WINDOW_S = 60.0
_OUTAGE_MODELS = 3
"""A provider is down when this many of its models are, within the window."""
_HANG_WINDOW_S = 300.0
_HANG_MODELS = 2
"""The same where they do not answer at all: such failures come slowly, and each costs a request its whole timeout."""


class Readiness(enum.Enum):
    READY = enum.auto()
    PROBING = enum.auto()
    """Back from an outage, and another request is finding out."""
    COOLING = enum.auto()


@dataclass(frozen=True, slots=True)
class SlotState:
    """Whether a key can ask a model now."""

    readiness: Readiness
    cooldown: Cooldown | None = None
    """With COOLING: the one that ends last."""
    is_outage: bool = False
    """Only outages keep it from being asked."""
    slot: Slot | None = None
    """With COOLING: what that cooldown is of."""


READY = SlotState(Readiness.READY)


class Ledger:
    """One per process. `now` gives seconds since the epoch; `put` queues an entry for the store."""

    def __init__(self, now: Callable[[], float], put: Callable[[Entry], None]) -> None:
        self.now = now
        self.cooldowns = Cooldowns(put)
        self.accounts = Accounts(put)
        self.key_checks = KeyChecks(put)
        self.learned = Learned(put)
        self.traffic = Traffic(put)
        self.usage = UsageLedger(put)
        self.clients = ClientLedger(put)
        self.quotas = Quotas(lambda: self.now(), put, self.accounts)
        self.nonsense = Nonsense(lambda: self.now())
        self._probing: set[Slot] = set()
        self._slots: dict[tuple[str, str, str], tuple[Slot, ...]] = {}
        self._slots_version = 0
        self._missing: defaultdict[str, set[str]] = defaultdict(set)
        self._outages: defaultdict[str, deque[tuple[float, str, bool]]] = defaultdict(deque)
        self.last_until: dict[str, float] = {}
        """Providers that are put last, until when."""

    def apply(self, entries: Sequence[Entry]) -> None:
        """Takes over what the store holds or another process wrote."""
        self.cooldowns.apply(entries)
        self.accounts.apply(entries)
        self.key_checks.apply(entries)
        self.learned.apply(entries)
        self.traffic.apply(entries)
        self.usage.apply(entries)
        self.clients.apply(entries)
        self.quotas.apply(entries)

    def state(self, key: Key, model_id: str) -> SlotState:
        """Whether `key` can ask `model_id` now."""
        if not self.cooldowns:
            return READY
        now = 0.0
        last: Cooldown | None = None
        last_slot: Slot | None = None
        is_outage = True
        is_probing = False
        cooldown_of = self.cooldowns.get
        for slot in self._slots_over(key, model_id):
            cooldown = cooldown_of(slot)
            if cooldown is None:
                continue
            now = now or self.now()
            if cooldown.until > now:
                is_outage = is_outage and cooldown.is_outage
                if last is None or cooldown.until > last.until:
                    last, last_slot = cooldown, slot
            elif slot in self._probing:
                is_probing = True
        if last is not None:
            return SlotState(Readiness.COOLING, last, is_outage, last_slot)
        return SlotState(Readiness.PROBING, None, is_outage=True) if is_probing else READY

    def _slots_over(self, key: Key, model_id: str) -> tuple[Slot, ...]:
        """Worked out once for each key and model, until more is known of accounts."""
        if self._slots_version != self.accounts.version:
            self._slots_version = self.accounts.version
            self._slots.clear()
        name = (key.provider, key.fingerprint, model_id)
        slots = self._slots.get(name)
        if slots is None:
            slots = self._slots[name] = slots_over(key, self.accounts.of(key), model_id)
        return slots

    def begin_probe(self, key: Key, model_id: str) -> tuple[Slot, ...]:
        """Marks the slots that this attempt is the first to try after an outage; pass them to `end_probe` whatever happens."""
        if not self.cooldowns:
            return ()
        cooldown_of = self.cooldowns.get
        slots = self._slots_over(key, model_id)
        known = [slot for slot in slots if cooldown_of(slot) is not None and slot not in self._probing]
        if not known:
            return ()
        probed = tuple(slot for slot in known if (cooldown := cooldown_of(slot)) is not None and cooldown.is_outage)
        self._probing.update(probed)
        return probed

    def end_probe(self, probed: tuple[Slot, ...]) -> None:
        self._probing.difference_update(probed)

    def recover(self, key: Key, model_id: str) -> None:
        """A good answer came: outages are over, and failures in a row are forgotten."""
        if self.nonsense:
            self.nonsense.forget(key.provider, model_id)
        if self.last_until:
            self.last_until.pop(key.provider, None)
        if self._missing:
            self._missing.pop(self.accounts.of(key), None)
        if not self.cooldowns:
            return
        if (outages := self._outages.get(key.provider)) is not None:
            self._outages[key.provider] = deque(outage for outage in outages if outage[1] != model_id)
        now = self.now()
        for slot in self._slots_over(key, model_id):
            cooldown = self.cooldowns.get(slot)
            if cooldown is not None and (cooldown.until <= now or cooldown.is_outage):
                self.cooldowns.clear(slot)

    def cool(
        self,
        key: Key,
        model_id: str,
        scope: Scope,
        *,
        kind: str,
        wait_s: Callable[[int, bool], float],
        is_outage: bool,
        sent_at: float,
    ) -> Cooldown:
        """Cool what a failure is about. `wait_s` gives seconds from the number of failures in a row, and from whether the one
        before was to be over at once. A failure of a request that was sent before the slot began to cool is not one more."""
        now = self.now()
        slot = slot_of(scope, key, self.accounts.of(key), model_id)
        before = self.cooldowns.get(slot)
        strikes = self.cooldowns.strikes(slot, kind, now)
        is_same = before is not None and before.kind == kind and before.noted >= sent_at
        if not is_same:
            strikes += 1
        was_over_at_once = before is not None and strikes > 1 and not is_same and before.is_over_at_once
        cooldown = Cooldown(kind, now + wait_s(strikes, was_over_at_once), strikes, now, is_outage)
        if before is not None and before.until > now and before.until >= cooldown.until:
            return before
        self.cooldowns.set(slot, cooldown)
        return cooldown

    def note_missing_model(self, key: Key, model_id: str) -> int:
        """Remembers that a model was not found, and says how many of the account's were since it last had an answer."""
        models = self._missing[self.accounts.of(key)]
        models.add(model_id)
        return len(models)

    def note_outage(self, key: Key, model_id: str, *, is_hang: bool = False) -> bool:
        """Remembers that a model was down; True when so many of the provider's models are that it is the provider. `is_hang`: it
        did not answer at all."""
        now = self.now()
        recent = self._outages[key.provider]
        recent.append((now, model_id, is_hang))
        while not 0 <= now - recent[0][0] <= _HANG_WINDOW_S:  # less than 0: the clock was set back
            recent.popleft()
        down = {model for at, model, _ in recent if now - at <= _OUTAGE_WINDOW_S}
        hung = {model for _, model, is_hung in recent if is_hung}
        return len(down) >= _OUTAGE_MODELS or len(hung) >= _HANG_MODELS

    def put_last(self, provider: str, until: float) -> None:
        """Until then the provider is asked only where no other is left."""
        self.last_until[provider] = max(until, self.last_until.get(provider, 0.0))

    def providers_put_last(self) -> set[str]:
        now = self.now()
        for provider, until in tuple(self.last_until.items()):
            if until <= now:
                del self.last_until[provider]
        return set(self.last_until)

    def is_plentiful(self, key: Key) -> bool:
        """Whether its provider has room for a request that may not be needed: nothing cools there, and the key's last request, if
        there was one, was served."""
        now = self.now()
        cools = any(slot.provider == key.provider and cooldown.until > now for slot, cooldown in self.cooldowns.items())
        return not cools and self.traffic.on(key).was_good is not False
