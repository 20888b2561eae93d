"""Requests of agents: a constant load, and a day."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bench.yields.demand import AgentRequest, TrueSize
from bench.yields.upstream import ScriptedUpstream
from bench.yields.windows import MINUTE_S

MIDNIGHT = 1_793_577_600.0
"""2026-11-02 00:00 UTC, a Monday."""
HOUR_S = 3600.0

_WORKDAY = (0, 0, 0, 0, 0, 0, 1, 3, 8, 10, 10, 8, 4, 8, 10, 10, 8, 6, 3, 3, 4, 3, 1, 0)
"""How much is asked in each hour."""
_MOST_BYTES = 100_000
_ASKED = (None, None, 4096, 8192, 8192)
"""The `max_tokens` of agents' requests."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When which conversations begin."""

    begins_at: float
    ends_at: float
    requests: tuple[tuple[float, AgentRequest], ...]


def constant_load(
    seed: int, per_s: float, lasts_s: float, *, bytes_from_to: tuple[int, int] = (2_000, 40_000)
) -> Arrivals:
    """Return requests that come whatever becomes of those before, of forty conversations at a time."""
    draw = random.Random(f"load {seed}")
    begins_at = MIDNIGHT + 10 * HOUR_S + draw.uniform(0, MINUTE_S)
    at, number = begins_at, 0
    turns: dict[int, int] = {}
    requests: list[tuple[float, AgentRequest]] = []
    while (at := at + draw.expovariate(per_s)) < begins_at + lasts_s:
        light = draw.random() < 0.15
        conversation = draw.randrange(40)
        turn = turns.get(conversation, -1) + 1
        turns[conversation] = turn
        size = round(draw.triangular(*bytes_from_to, bytes_from_to[0]))
        # A light request is of no conversation: it has other words.
        requests.append((at, _request(draw, number, -number - 1 if light else conversation, turn, size, light=light)))
        number += 1
    return Arrivals(begins_at, begins_at + lasts_s, tuple(requests))


def working_day(seed: int, conversations: int = 90) -> Arrivals:
    """Return a day of conversations whose turns follow each other, with a title for each."""
    draw = random.Random(f"day {seed}")
    hours = draw.choices(range(24), _WORKDAY, k=conversations)
    begins = sorted(MIDNIGHT + (hour + draw.random()) * HOUR_S for hour in hours)
    numbers = iter(range(1_000_000))
    requests: list[tuple[float, AgentRequest]] = []
    for conversation, at in enumerate(begins):
        requests.append((at, _chain(draw, numbers, conversation)))
        title = _request(draw, next(numbers), -conversation - 1, 0, round(draw.uniform(600, 3_000)), light=True)
        requests.append((at + 0.2, title))
    return Arrivals(MIDNIGHT, MIDNIGHT + 24 * HOUR_S, tuple(requests))


def _chain(draw: random.Random, numbers: Iterator[int], conversation: int) -> AgentRequest:
    """A conversation that grows with each turn."""
    size = draw.uniform(2_000, 12_000)
    turns = []
    for turn in range(1 + min(60, round(draw.expovariate(1 / 15)))):
        request = _request(draw, next(numbers), conversation, turn, round(size), light=False)
        # Most turns answer a tool's call at once; some come from a person.
        pause_s = draw.uniform(1, 8) if draw.random() < 0.8 else draw.uniform(20, 240)
        turns.append(replace(request, pause_s=pause_s))
        size = min(_MOST_BYTES, size + draw.expovariate(1 / 2_500))
    following: AgentRequest | None = None
    for request in reversed(turns):
        following = replace(request, following=following)
    assert following is not None
    return following


def _request(draw: random.Random, number: int, conversation: int, turn: int, size: int, *, light: bool) -> AgentRequest:
    ratio = draw.uniform(1 / 4.4, 1 / 3.3)
    answer = draw.randint(8, 60) if light else min(6_000, round(draw.lognormvariate(5.6, 0.9)))
    return AgentRequest(
        number=number,
        conversation=conversation,
        turn=turn,
        prompt_bytes=size,
        max_tokens=draw.choice((None, 64, 256)) if light else draw.choice(_ASKED),
        tools=not light and draw.random() < 0.85,
        light=light,
        true=TrueSize(prompt_tokens=round(size * ratio), answer_tokens=answer, pace=draw.lognormvariate(0, 0.5)),
    )


def capacity_per_s(
    upstreams: Iterable[ScriptedUpstream], prompt_tokens: int, answer_tokens: int, lasts_s: float
) -> float:
    """Return how many calls of this size the upstreams admit a second, over so long a time, by their windows."""
    return sum(_capacity_per_s(upstream, prompt_tokens, answer_tokens, lasts_s) for upstream in upstreams)


def _capacity_per_s(upstream: ScriptedUpstream, prompt_tokens: int, answer_tokens: int, lasts_s: float) -> float:
    of_models, shared = 0.0, float("inf")
    for model_id, windows in upstream.windows.items():
        of_model = float("inf")
        for window in windows:
            need = upstream.usual_need(window, model_id, prompt_tokens, answer_tokens)
            rate = window.limit / need / min(window.period_s, lasts_s)
            if upstream.is_shared(window):
                shared = min(shared, rate)
            else:
                of_model = min(of_model, rate)
        of_models += of_model
    return min(of_models, shared)
