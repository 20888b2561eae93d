"""Room: what the quotas have left for one request, candidate by candidate."""

from __future__ import annotations

import functools
import logging
import math
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

from freeride_core.answer import Failure, Quota
from freeride_core.call import Call
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.quota.claim import Claim
from freeride_core.ledger.quota.quotas import QuotaMode
from freeride_core.ledger.quota.reservation import Reservation
from freeride_core.ledger.readiness import READY, Ledger, Readiness, SlotState
from freeride_core.ledger.slots import slot_of

_NEAR_S = 5.0
"""A place so near is waited for. Farther ones are waited for only if the upstream has said so."""


_log = logging.getLogger(__name__)
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _warn(error: Exception) -> None:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _log.warning("the quota is not counted: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)


def _without_fault(default: Any) -> Callable[[_Method], _Method]:
    """What is counted wrongly, or not at all, must change no response: `default` is what is assumed then."""

    def guarded(method: _Method) -> _Method:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except Exception as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                _log.warning(
                    "the quota is not counted: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno
                )
                return default

        return cast("_Method", call)

    return guarded


class Room:
    """Of one walk."""

    __slots__ = ("_call", "_claims", "_has_asked_without", "_ledger", "_quotas")

    def __init__(self, call: Call, ledger: Ledger) -> None:
        self._call = call
        self._ledger = ledger
        self._quotas = ledger.quotas
        self._claims: dict[tuple[str, str, str], Claim | None] = {}
        self._has_asked_without = False

    def _claim(self, candidate: Candidate) -> Claim | None:
        name = candidate.name
        if name in self._claims:
            return self._claims[name]
        claim = self._claims[name] = self._quotas.claim(candidate, self._call)
        return claim

    def wait(self, candidate: Candidate) -> float:
        """Return in how many seconds the request has room there: 0 now, `inf` never."""
        try:
            claim = self._claim(candidate)
            if claim is None or self._quotas.mode is QuotaMode.WATCH:
                return 0.0
            return claim.wait(self._ledger.now())
        except Exception as error:
            _warn(error)
            return 0.0

    def reserve(self, candidate: Candidate, at: float | None, *, is_doubt: bool) -> Reservation | None:
        """Take the room, now if `at` is None, or return None if nothing is counted there."""
        try:
            claim = self._claim(candidate)
            if claim is None:
                return None
            now = self._ledger.now()
            return Reservation(claim, now if at is None else at, now, is_doubt=is_doubt)
        except Exception as error:
            _warn(error)
            return None

    @_without_fault(False)
    def is_plentiful(self, candidate: Candidate) -> bool:
        """Whether there is room for a request that may not be needed."""
        quotas, now = self._quotas, self._ledger.now()
        return self._ledger.is_plentiful(candidate.key) and quotas.is_plentiful(candidate, self._call.operation, now)

    @_without_fault(None)
    def soonest(self, candidates: Iterable[Candidate]) -> tuple[Candidate, float] | None:
        """Return the one that has room soonest, the first of several, and in how many seconds."""
        found: tuple[Candidate, float] | None = None
        for candidate in candidates:
            wait = self.wait(candidate)
            if wait < (math.inf if found is None else found[1]):
                found = (candidate, wait)
        return found

    @_without_fault(None)
    def doubtful(self, candidates: Iterable[Candidate]) -> Candidate | None:
        """Return one to ask although it has no room: none has any soon, and that this one has none is a guess. Where none would
        ever have room, the first is asked all the same, once: its answer says why."""
        candidates = list(candidates)
        soonest = self.soonest(candidates)
        if soonest is not None and soonest[1] <= _NEAR_S:
            return None
        now = self._ledger.now()
        for candidate in candidates:
            claim = self._claim(candidate)
            if claim is not None and self._quotas.doubt(claim, now):
                return candidate
        if soonest is None and candidates and not self._has_asked_without:
            self._has_asked_without = True
            return candidates[0]
        return None

    @_without_fault(READY)
    def state(self, candidate: Candidate) -> SlotState:
        """Return what the quotas say of a candidate, in the words of a cooldown."""
        now, claim, wait = self._ledger.now(), self._claim(candidate), self.wait(candidate)
        if claim is None or not 0 < wait < math.inf:
            return READY
        longest = max(claim.blocking(now), key=lambda each: each.window.period_s)
        account = self._ledger.accounts.of(candidate.key)
        slot = slot_of(longest.limit.scope, candidate.key, account, candidate.model.id)
        return SlotState(Readiness.COOLING, Cooldown(longest.kind, now + wait, 1, now, is_outage=False), slot=slot)

    @_without_fault(False)
    def is_about_limit(self, candidate: Candidate, quota: Sequence[Quota]) -> bool:
        """Take what a response told of the candidate's limits. Whether it told anything of one of them."""
        is_told = self._quotas.observe(candidate, self._call.operation, quota, self._ledger.now())
        return is_told and self._quotas.mode is QuotaMode.ON

    @_without_fault(False)
    def is_charged(self, candidate: Candidate, failure: Failure, longest_s: float) -> bool:
        """Charge a refusal that names no limit to one of a minute. Whether there is one, so that nothing has to cool."""
        claim = self._claim(candidate)
        if claim is None or not claim.refuse(failure.scope, failure.retry_at, longest_s, self._ledger.now()):
            return False
        return self._quotas.mode is QuotaMode.ON
