"""A scripted upstream: which calls it admits, how long they take, and what it says."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench.yields.answers import ToldWindow, TrueStanding, UpstreamAnswer
from bench.yields.demand import AgentRequest
from bench.yields.windows import DAY_S, Charge, Counting, TrueWindow
from freeride_core import Scope

REFUSAL_S = 0.3
"""How long an upstream takes to refuse."""
_ANYTHING = 0.001
"""What has to be left where a call is counted afterwards."""


class Wording(StrEnum):
    """What a refusal says."""

    NUMBERS = "numbers"
    """The window, its limit, what is used and requested, and when to come back."""
    HINT = "hint"
    """When to come back."""
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What is particular to one upstream."""

    wording: Wording
    first_token_s: float
    tokens_per_s: float
    reserved_default: int = 0
    """What is reserved for an answer where the request names no `max_tokens`."""
    told_in_headers: tuple[str, ...] = ()
    do_refusals_count: bool = False
    sent_default: int | None = None
    """The `max_tokens` that the shipped package sends where the client names none."""
    whole_seconds: bool = False
    """Whether hints are rounded up."""
    crowding: float = 0.0
    """The share of calls that is refused at random, without a word on when to come back."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that runs."""

    request: AgentRequest
    model_id: str
    max_tokens: int | None
    at: float
    ends_at: float
    charges: tuple[Charge, ...]
    headers: tuple[ToldWindow, ...]
    """They are sent when it is admitted, with what is reserved for it."""


class ScriptedUpstream:
    """One account at one provider. `windows` has those of each model; what is shared is one object in several of them."""

    def __init__(
        self,
        name: str,
        manner: Manner,
        windows: Mapping[str, tuple[TrueWindow, ...]],
        *,
        seed: int = 0,
        prices: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.name = name
        self.manner = manner
        self.windows = windows
        self._seed = seed
        self._prices = prices or {}
        owners = [id(window) for own in windows.values() for window in own]
        self._shared = {owner for owner in owners if owners.count(owner) > 1}

    def needs(
        self, request: AgentRequest, model_id: str, max_tokens: int | None
    ) -> tuple[tuple[TrueWindow, float], ...]:
        """Return what the call takes of which window when it comes."""
        return tuple((window, self._need(window, request, max_tokens)) for window in self.windows[model_id])

    def crowd_s(self, request: AgentRequest, model_id: str, now: float) -> float:
        """Return the seconds for which the model is too busy for this request: until the next second begins, or 0."""
        share = self.manner.crowding
        if not share:
            return 0.0
        drawn = f"{self._seed} {self.name} {model_id} {request.number} {int(now)}".encode()
        is_crowded = int.from_bytes(hashlib.blake2b(drawn, digest_size=4).digest(), "big") < share * 2**32
        return math.floor(now) + 1 - now if is_crowded else 0.0

    def receive(
        self, request: AgentRequest, model_id: str, max_tokens: int | None, now: float
    ) -> Admission | UpstreamAnswer:
        """Admit a call, or refuse it."""
        if self.crowd_s(request, model_id, now):
            return UpstreamAnswer(status=429, sent_at=now)
        needs = self.needs(request, model_id, max_tokens)
        longest, fullest, need = max(
            ((window.wait(need, now), window, need) for window, need in needs), key=lambda each: each[0]
        )
        if longest > 0:
            standings = tuple(_standing(window, need, now) for window, need in needs)
            return self._refuse(self.windows[model_id], fullest, need, longest, now, standings)
        tokens = _answer_tokens(request, max_tokens)
        lasts_s = self.manner.first_token_s * request.true.pace + tokens / self.manner.tokens_per_s
        charges = tuple(window.take(need, now, now + lasts_s) for window, need in needs)
        headers = self._headers(self.windows[model_id], now)
        return Admission(request, model_id, max_tokens, now, now + lasts_s, charges, headers)

    def finish(self, admission: Admission, now: float) -> UpstreamAnswer:
        """End a call: count what it used, and answer."""
        request, windows = admission.request, self.windows[admission.model_id]
        prompt, answer = request.true.prompt_tokens, _answer_tokens(request, admission.max_tokens)
        for window, charge in zip(windows, admission.charges, strict=True):
            if window.counting is Counting.RESERVED:
                window.correct(charge, prompt + answer, now)
            elif window.counting is Counting.AFTERWARDS:
                window.correct(charge, self._price(admission.model_id, prompt, answer), now)
            window.end(charge, now)
        return UpstreamAnswer(
            status=200,
            sent_at=admission.at,
            headers=admission.headers,
            prompt_tokens=prompt,
            answer_tokens=answer,
            is_cut=answer < request.true.answer_tokens and admission.max_tokens != request.max_tokens,
        )

    def is_shared(self, window: TrueWindow) -> bool:
        """Return whether several models have the window."""
        return id(window) in self._shared

    def usual_need(self, window: TrueWindow, model_id: str, prompt_tokens: int, answer_tokens: int) -> float:
        """Return what a call of this size takes of the window, `max_tokens` being what is used."""
        if window.counting is Counting.CALL:
            return 1.0
        if window.counting is Counting.AFTERWARDS:
            return self._price(model_id, prompt_tokens, answer_tokens)
        return prompt_tokens + (answer_tokens if window.counting is Counting.RESERVED else 0)

    def _price(self, model_id: str, prompt_tokens: int, answer_tokens: int) -> float:
        of_prompt, of_answer = self._prices.get(model_id, (1.0, 1.0))
        return prompt_tokens * of_prompt + answer_tokens * of_answer

    def _refuse(
        self,
        windows: tuple[TrueWindow, ...],
        window: TrueWindow,
        need: float,
        wait_s: float,
        now: float,
        standings: tuple[TrueStanding, ...],
    ) -> UpstreamAnswer:
        manner = self.manner
        headers = self._headers(windows, now)
        if manner.do_refusals_count:
            for each in windows:
                if each.counting is Counting.CALL:
                    each.take(1, now, now)
        is_of_day = window.period_s >= DAY_S
        numbers = manner.wording is Wording.NUMBERS
        never_fits = math.isinf(wait_s)
        hint_s = None if never_fits or manner.wording is Wording.PLAIN else wait_s
        told = ToldWindow(name=window.name, limit=window.limit, used=window.level, requested=need, reset_s=hint_s)
        return UpstreamAnswer(
            status=413 if never_fits and window.counting is Counting.RESERVED else 429,
            sent_at=now,
            scope=Scope.ACCOUNT if self.is_shared(window) else Scope.ACCOUNT_MODEL,
            hint_s=math.ceil(hint_s) if hint_s is not None and manner.whole_seconds else hint_s,
            is_of_day=is_of_day and manner.wording is not Wording.PLAIN,
            told=(told,) if numbers else (),
            headers=headers,
            window=window.name,
            standings=standings,
        )

    def _headers(self, windows: tuple[TrueWindow, ...], now: float) -> tuple[ToldWindow, ...]:
        return tuple(
            ToldWindow(name=window.name, limit=window.limit, reset_s=window.reset_s(now), used=window.level)
            for window in windows
            if window.name in self.manner.told_in_headers
        )

    def _need(self, window: TrueWindow, request: AgentRequest, max_tokens: int | None) -> float:
        if window.counting is Counting.CALL:
            return 1.0
        if window.counting is Counting.AFTERWARDS:
            return _ANYTHING
        if window.counting is Counting.PROMPT:
            return request.true.prompt_tokens
        reserved = self.manner.reserved_default if max_tokens is None else max_tokens
        return request.true.prompt_tokens + reserved


def _answer_tokens(request: AgentRequest, max_tokens: int | None) -> int:
    return request.true.answer_tokens if max_tokens is None else min(max_tokens, request.true.answer_tokens)


def _standing(window: TrueWindow, need: float, now: float) -> TrueStanding:
    wait_s = window.wait(need, now)
    reset_s = window.reset_s(now)
    return TrueStanding(
        name=window.name,
        limit=window.limit,
        used=window.level,
        requested=need,
        reset_s=reset_s,
        wait_s=reset_s if math.isinf(wait_s) else wait_s,
    )
