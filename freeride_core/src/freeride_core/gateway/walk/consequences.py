"""The consequences of a failure: what the ledger notes, and what the rest of this walk avoids."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from freeride_core.answer import ErrorKind, Failure, Quota, Scope
from freeride_core.call import Call
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.outcome import Tried
from freeride_core.gateway.walk.reaction import (
    TABLE,
    UNKNOWN,
    Reaction,
    believable_size,
    cooldown_s,
    cooled_scope,
    reaction_to,
)
from freeride_core.gateway.walk.selection import Selection
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.readiness import Ledger

_NONSENSE = frozenset({ErrorKind.PROTOCOL, ErrorKind.UNSUPPORTED})
"""What costs an attempt in every request, and is no outage."""
_OF_QUOTA = frozenset({ErrorKind.RATE_LIMIT, ErrorKind.QUOTA_EXHAUSTED})
_REFUSING_LAST_S = 60.0
"""How long a provider is put last that refuses request after request."""


class Consequences:
    """Of the failures of one walk. `tried` is what the walk has tried so far."""

    __slots__ = ("_call", "_ledger", "_selection", "_tried")

    def __init__(
        self, call: Call, ledger: Ledger, selection: Selection, tried: Mapping[tuple[str, str], Tried]
    ) -> None:
        self._call = call
        self._ledger = ledger
        self._selection = selection
        self._tried = tried

    def draw(
        self,
        candidate: Candidate,
        failure: Failure,
        sent_at: float,
        account: str | None = None,
        quota: Sequence[Quota] = (),
        *,
        waited_s: float = 0.0,
    ) -> Cooldown | None:
        """Notes what a failure means, also for one in the middle of a stream, and returns what cools, or None if nothing does.

        `sent_at` is when the request was sent, `waited_s` how long it took to fail, `quota` what the upstream told of its
        limits."""
        if account is not None:
            self._ledger.accounts.link(candidate.key, account)
        reaction = self._reaction_to_nonsense(candidate, failure) or reaction_to(failure)
        self._learn(candidate, failure, reaction)
        if failure.kind == ErrorKind.CONTEXT_LENGTH:
            self._selection.outgrow(candidate)
        if reaction_to(failure).leaves_provider:
            self._selection.put_last(candidate)
        is_of_limit = self._selection.room.is_about_limit(candidate, quota)
        if not reaction.cools:
            return None
        if failure.kind in _OF_QUOTA and (is_of_limit or self._is_charged(candidate, failure, reaction)):
            if failure.scope in (Scope.KEY, Scope.ACCOUNT):
                self._selection.shake(candidate)
            now, cooldown = self._ledger.now(), self._selection.room.state(candidate).cooldown
            # By the upstream's numbers there may be room, and it has refused this request all the same.
            return cooldown or Cooldown(str(failure.kind), failure.retry_at or now + 1.0, 1, now)
        scope = cooled_scope(failure, reaction, candidate.provider)
        if failure.kind == ErrorKind.MODEL_NOT_FOUND and self._is_of_account(candidate):
            failure, scope = dataclasses.replace(failure, kind=ErrorKind.AUTH), Scope.ACCOUNT
            reaction = reaction_to(failure)
        if scope in (Scope.KEY, Scope.ACCOUNT):
            self._selection.shake(candidate)
        cooldown = self.cool(candidate, failure, reaction, scope, sent_at, waited_s)
        if reaction.is_hang:
            self._ledger.put_last(candidate.provider.name, cooldown.until)
        if reaction.is_outage and scope is not Scope.PROVIDER and self._is_provider_down(candidate, reaction):
            self.cool(candidate, failure, reaction, Scope.PROVIDER, sent_at, waited_s)
        return cooldown

    def cool(
        self, candidate: Candidate, failure: Failure, reaction: Reaction, scope: Scope, sent_at: float, waited_s: float
    ) -> Cooldown:
        """Cools what a failure is about."""
        now = self._ledger.now()
        return self._ledger.cool(
            candidate.key,
            candidate.model.id,
            scope,
            kind=str(failure.kind),
            wait_s=lambda strikes, was_over_at_once: cooldown_s(
                failure, reaction, scope, strikes, now, waited_s, was_over_at_once=was_over_at_once
            ),
            is_outage=reaction.is_outage,
            sent_at=sent_at,
        )

    def _is_charged(self, candidate: Candidate, failure: Failure, reaction: Reaction) -> bool:
        """Whether a limit of a minute takes a refusal that names none, so that nothing has to cool."""
        if failure.kind != ErrorKind.RATE_LIMIT:
            return False
        is_of_model = failure.scope is Scope.ACCOUNT_MODEL and reaction.model_wait_s is not None
        longest_s = reaction.model_wait_s if is_of_model and reaction.model_wait_s else reaction.wait_s
        return self._selection.room.is_charged(candidate, failure, longest_s)

    def _reaction_to_nonsense(self, candidate: Candidate, failure: Failure) -> Reaction | None:
        """What answers with nonsense, or refuses, request after request, is treated as an outage, or put last."""
        name, model_id = candidate.pair
        if failure.kind in _NONSENSE and self._ledger.nonsense.note(name, model_id, failure.kind):
            if failure.kind == ErrorKind.PROTOCOL:
                return TABLE[ErrorKind.UNAVAILABLE]
            self._ledger.put_last(name, self._ledger.now() + _REFUSING_LAST_S)
        return None

    def _learn(self, candidate: Candidate, failure: Failure, reaction: Reaction) -> None:
        learned, now = self._ledger.learned, self._ledger.now()
        if reaction.remembers_feature and failure.feature in self._call.features:
            learned.note_missing(*candidate.pair, str(failure.feature), now)
        if reaction.remembers_size and (tokens := believable_size(self._call, candidate.model, failure)):
            learned.note_too_big(*candidate.pair, tokens, now)

    def _is_provider_down(self, candidate: Candidate, reaction: Reaction) -> bool:
        is_down = self._ledger.note_outage(candidate.key, candidate.model.id, is_hang=reaction.is_hang)
        return is_down or (reaction.is_hang and self._has_hung_elsewhere(candidate))

    def _has_hung_elsewhere(self, candidate: Candidate) -> bool:
        """Whether another model of its provider did not answer this request either."""
        name, model_id = candidate.pair
        return any(
            entry.provider == name and entry.model != model_id and TABLE.get(entry.last_error, UNKNOWN).is_hang
            for entry in self._tried.values()
        )

    def _is_of_account(self, candidate: Candidate) -> bool:
        """Whether so many models in a row were not found that the account may ask for none."""
        most = candidate.provider.missing_models_most
        return most is not None and self._ledger.note_missing_model(candidate.key, candidate.model.id) >= most
