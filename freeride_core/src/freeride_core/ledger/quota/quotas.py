"""The quotas: the allowances of every subject, and what requests may take of them now.

The ledger raises nothing into a walk: a limit that cannot be used is left out, and what is not known is admitted.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from freeride_core.answer import Quota, Scope
from freeride_core.call import Call, Operation
from freeride_core.ledger.accounts import Accounts
from freeride_core.ledger.quota.allowance import Allowance, LimitSubject
from freeride_core.ledger.quota.claim import Claim
from freeride_core.ledger.quota.meter import Meter, Share, shares_of
from freeride_core.ledger.quota.served import ServedResponse
from freeride_core.ledger.quota.sizes import Estimate, Sizes, size_of
from freeride_core.ledger.slots import ALL_MODELS, slot_of
from freeride_core.ledger.store.store import Entry
from freeride_core.limit import Limit
from freeride_core.model import Model
from freeride_core.provider import Key

SECTION = "quota"
_NOTHING = Estimate(0.0, 0.0, 0)
_WAITING_MOST = 256
_WAITING_MOST_BYTES = 64 * 1024 * 1024
_DOUBTS_MOST = 3.0
_DOUBT_SHARE = 0.005
"""Of the requests that are served, so many may go in vain where a full window is doubted."""
_BUSY = 0.8
_SAVED_EVERY_S = 2.0


class QuotaMode(enum.StrEnum):
    """What `FREERIDE_QUOTA` says."""

    ON = "on"
    WATCH = "watch"
    """Counts and shows; refuses nothing."""
    OFF = "off"


class Metered(Protocol):
    """Who is asked: a provider's model, with a key."""

    @property
    def name(self) -> tuple[str, str, str]: ...
    @property
    def pair(self) -> tuple[str, str]: ...
    @property
    def model(self) -> Model: ...
    @property
    def key(self) -> Key: ...


class Quotas:
    """One per process; belongs to the event loop's thread."""

    def __init__(self, now: Callable[[], float], put: Callable[[Entry], None], accounts: Accounts) -> None:
        self._now = now
        self._put = put
        self._accounts = accounts
        self._accounts_version = -1
        self.mode = QuotaMode.ON
        self._limits: Mapping[str, tuple[Limit, ...]] = {}
        self._allowances: dict[tuple[str, LimitSubject], Allowance] = {}
        self._saved: dict[str, object] = {}
        """What the state holds of allowances that have not been asked for yet."""
        self._meters: dict[tuple[tuple[str, str, str], Operation], Meter] = {}
        self._served: list[ServedResponse] = []
        self._saved_at = 0.0
        self._doubts_left = _DOUBTS_MOST
        self._waiting = 0
        self._waiting_bytes = 0
        self.sizes = Sizes()

    def follow(self, limits: Mapping[str, tuple[Limit, ...]], mode: QuotaMode) -> None:
        """Take the limits that count now, by provider."""
        if limits != self._limits:
            self._limits = limits
            self._meters.clear()
            for (name, subject), allowance in list(self._allowances.items()):
                if allowance.limit not in limits.get(subject.provider, ()):
                    del self._allowances[name, subject]
        self.mode = mode

    # What a walk asks

    def claim(self, asked: Metered, call: Call) -> Claim | None:
        """Return what the request would take at this candidate, or None if nothing is counted there."""
        if self.mode is QuotaMode.OFF:
            return None
        meter = self.meter(asked, call.operation)
        if not meter.shares:
            return None
        if not meter.counts_tokens:
            return Claim(meter, meter.needs(_NOTHING), None, 0)
        estimate = self.sizes.estimate(meter.pair, call)
        max_tokens = meter.clamp(estimate) if self.mode is QuotaMode.ON else None
        if max_tokens is not None:
            estimate = estimate._replace(asked=max_tokens)
        return Claim(meter, meter.needs(estimate), max_tokens, size_of(call))

    def doubt(self, claim: Claim, now: float) -> bool:
        """Whether one request may be sent although it has no room, because only guesses say so. If so, the next one may not for
        a while."""
        if self._doubts_left < 1 or not claim.doubt(now):
            return False
        self._doubts_left -= 1
        return True

    def is_plentiful(self, asked: Metered, operation: Operation, now: float) -> bool:
        """Whether little of each allowance is used."""
        shares = () if self.mode is QuotaMode.OFF else self.meter(asked, operation).shares
        windows = [share.allowance.window for share in shares]
        return all(window.used(now) <= _BUSY * window.amount for window in windows if window.amount)

    def begin_wait(self, size: int) -> bool:
        """Whether one more request, of so many bytes, may wait for room. If so, call `end_wait` when it does not any more."""
        if self._waiting >= _WAITING_MOST or self._waiting_bytes + size > _WAITING_MOST_BYTES:
            return False
        self._waiting += 1
        self._waiting_bytes += size
        return True

    def end_wait(self, size: int) -> None:
        self._waiting -= 1
        self._waiting_bytes -= size

    # What upstreams tell

    def observe(self, asked: Metered, operation: Operation, quotas: Sequence[Quota], now: float) -> bool:
        """Take what a response told of the candidate's allowances. False: it named none of them."""
        if self.mode is QuotaMode.OFF:
            return False
        meter = self.meter(asked, operation)
        return bool([quota for quota in quotas if meter.observe(quota, now, now)])

    def tell(self, key: Key, quotas: Sequence[Quota], asked_at: float) -> None:
        """Take what a probe of a key told of its account's limits."""
        for quota in quotas:
            for limit in self._limits.get(key.provider, ()):
                if limit.limit_name == quota.limit_name and limit.scope in (Scope.KEY, Scope.ACCOUNT):
                    self._allowance(limit, key, ALL_MODELS).observe(quota, self._now(), asked_at)

    # What requests took

    def note_served(self, served: ServedResponse) -> None:
        """A response has reached its client. What it tells is read later, off the path."""
        served.reservation.awaits_usage = True
        self._served.append(served)

    def settle(self) -> None:
        """Count what responses reported since the last time, and save what has changed."""
        now = self._now()
        responses, self._served = self._served, []
        for served in responses:
            claim, usage = served.reservation.claim, served.complete.usage_read
            self.sizes.learn(claim.meter.pair, claim.size, usage)
            served.reservation.settle_usage(usage, now)
            gained = 1.0 if served.reservation.is_doubt else _DOUBT_SHARE
            self._doubts_left = min(_DOUBTS_MOST, self._doubts_left + gained)
            if claim.meter.is_due(now):
                for quota in served.quota():
                    claim.observe(quota, now, served.at)
        if not 0 <= now - self._saved_at < _SAVED_EVERY_S:
            self.save(now)

    def save(self, now: float) -> None:
        """Put what has changed into the state."""
        self._saved_at = now
        for (name, subject), allowance in self._allowances.items():
            if allowance.is_changed:
                allowance.is_changed = False
                self._put(Entry(SECTION, json.dumps([name, *subject]), allowance.saved()))

    def apply(self, entries: Iterable[Entry]) -> None:
        """Take what the state holds of an earlier process."""
        for entry in entries:
            if entry.section == SECTION and entry.value is not None:
                self._saved[entry.name] = entry.value

    # Which allowances there are

    def allowances(self) -> list[Allowance]:
        """Return all that were asked for so far."""
        return list(self._allowances.values())

    def meter(self, asked: Metered, operation: Operation) -> Meter:
        """Return the candidate's, made once until limits or accounts change."""
        if self._accounts_version != self._accounts.version:
            self._accounts_version = self._accounts.version
            self._meters.clear()
        meter = self._meters.get((asked.name, operation))
        if meter is None:
            meter = self._meters[asked.name, operation] = Meter(asked.pair, tuple(self._shares(asked, operation)))
        return meter

    def _shares(self, asked: Metered, operation: Operation) -> Iterable[Share]:
        seen: set[tuple[str, str, Scope]] = set()
        model = asked.model
        for limit in self._limits.get(asked.pair[0], ()):
            place = (limit.unit, limit.window, limit.scope)
            if operation not in limit.operations or place in seen or not _is_of(limit, model.id):
                continue
            seen.add(place)
            yield Share(self._allowance(limit, asked.key, model.id), *shares_of(limit, model), limit.reserve)

    def _allowance(self, limit: Limit, key: Key, model_id: str) -> Allowance:
        slot = slot_of(limit.scope, key, self._accounts.of(key), model_id)
        models = slot.model if slot.model != ALL_MODELS else (" ".join(limit.models) or ALL_MODELS)
        subject = LimitSubject(slot.provider, slot.subject, models)
        operations = "" if limit.operations == {Operation.CHAT} else ":" + "+".join(sorted(limit.operations))
        name = limit.limit_name + operations
        allowance = self._allowances.get((name, subject)) or self._renamed(name, limit, subject, key)
        if allowance is None:
            allowance = self._allowances[name, subject] = Allowance(limit, subject)
            saved = self._saved.pop(json.dumps([name, *subject]), None)
            if saved is not None:
                try:
                    allowance.load(saved)
                except (
                    ValueError,
                    TypeError,
                    LookupError,
                ):  # of another version, or damaged: it is counted from here on
                    allowance = self._allowances[name, subject] = Allowance(limit, subject)
        return allowance

    def _renamed(self, name: str, limit: Limit, subject: LimitSubject, key: Key) -> Allowance | None:
        """Return what was counted for the key before its account was known."""
        if limit.scope not in (Scope.ACCOUNT, Scope.ACCOUNT_MODEL):
            return None
        before = subject._replace(who=f"account:{key.fingerprint}")
        allowance = self._allowances.pop((name, before), None)
        if allowance is not None:
            allowance.subject, allowance.is_changed = subject, True
            self._allowances[name, subject] = allowance
            self._put(Entry(SECTION, json.dumps([name, *before]), None))
        return allowance


def _is_of(limit: Limit, model_id: str) -> bool:
    return not limit.models or any(fnmatchcase(model_id, pattern) for pattern in limit.models)
