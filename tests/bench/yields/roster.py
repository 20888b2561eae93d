"""The upstreams of the shipped packages: the packages' models and numbers, and how their windows really count.

Kinds of windows, reservations and wordings are observations: Groq's of August 2026 (headers and texts), OpenRouter's of August and
September 2026 (`X-RateLimit-Reset`, `limit_source`), Gemini's of July to September 2026 (bodies of 429s), Cloudflare's of April to
September 2026, NVIDIA's of February to August 2026 (a 429 says nothing). Service times are orders of magnitude.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from bench.yields.scheduler import ServedModel
from bench.yields.upstream import Manner, ScriptedUpstream, Wording
from bench.yields.windows import DAY_S, MINUTE_S, AlignedWindow, Counting, DrainingWindow, SlidingWindow, TrueWindow
from freeride_core import CompatibleCatalog, Model, Operation, Provider
from freeride_core.plugins.discovery import load_provider

PACIFIC = "America/Los_Angeles"

GEMINI = {"flash-lite": (15, 500, 250_000), "gemma": (30, 14_400, 15_000), "flash": (5, 20, 250_000)}
"""Requests a minute and a day, and prompt tokens a minute: community readings, July and August 2026."""

NEURONS = {
    "@cf/openai/gpt-oss-120b": (0.031818, 0.068182),
    "@cf/nvidia/nemotron-3-120b-a12b": (0.045455, 0.136364),
    "@cf/google/gemma-4-26b-a4b-it": (0.009091, 0.027273),
    "@cf/zai-org/glm-4.7-flash": (0.0055, 0.036364),
    "@cf/openai/gpt-oss-20b": (0.018182, 0.027273),
    "@cf/qwen/qwen3-30b-a3b-fp8": (0.004627, 0.030455),
}
"""Of a prompt token and an answer token: prices of November 2026, at 0.011 USD per 1,000 neurons."""

MANNERS = {
    "openrouter": Manner(wording=Wording.HINT, first_token_s=6, tokens_per_s=60),
    "groq": Manner(
        wording=Wording.NUMBERS,
        first_token_s=0.4,
        tokens_per_s=500,
        reserved_default=1024,
        told_in_headers=("rpd", "tpm"),
        whole_seconds=True,
    ),
    "nvidia": Manner(wording=Wording.PLAIN, first_token_s=4, tokens_per_s=50),
    "cloudflare": Manner(wording=Wording.HINT, first_token_s=1.5, tokens_per_s=80, sent_default=4096),
    "gemini": Manner(
        wording=Wording.NUMBERS, first_token_s=1.5, tokens_per_s=150, do_refusals_count=True, whole_seconds=True
    ),
}


@dataclass(frozen=True, slots=True)
class Roster:
    """What a trial is played with."""

    models: tuple[ServedModel, ...]
    upstreams: Mapping[str, ScriptedUpstream]


Maker = Callable[[Provider, Iterable[Model], float], Mapping[str, tuple[TrueWindow, ...]]]


def roster(
    names: Mapping[str, tuple[str, ...] | None],
    *,
    seed: int,
    crowding: float = 0.0,
    shares: Mapping[str, float] | None = None,
) -> Roster:
    """Return fresh upstreams: of each provider these models, or all that chat and have tier 1 to 3. `shares` are the true limits of
    providers, as shares of what is published; `crowding` is the share of calls that is refused at random."""
    models: list[ServedModel] = []
    upstreams: dict[str, ScriptedUpstream] = {}
    for name, ids in names.items():
        provider = load_provider(name)
        own = [model for model in _dated(provider) if (model.id in ids if ids else _is_usual(model))]
        manner = replace(MANNERS[name], crowding=crowding)
        windows = MAKERS[name](provider, own, (shares or {}).get(name, 1.0))
        upstreams[name] = ScriptedUpstream(name, manner, windows, seed=seed, prices=NEURONS)
        models += [ServedModel(provider, model, manner.sent_default) for model in own if model.id in windows]
    return Roster(tuple(models), upstreams)


def published(provider: Provider, unit: str, window: str) -> float:
    """Return what the package says that all models have, or the least of them."""
    return min(limit.amount for limit in provider.limits if (limit.unit, limit.window) == (unit, window))


def _dated(provider: Provider) -> tuple[Model, ...]:
    assert isinstance(provider.catalog, CompatibleCatalog)
    return provider.catalog.models


def _is_usual(model: Model) -> bool:
    return Operation.CHAT in model.operations and model.tier <= 3 and not model.router


def _openrouter(provider: Provider, models: Iterable[Model], share: float) -> Mapping[str, tuple[TrueWindow, ...]]:
    minute = AlignedWindow(
        name="rpm",
        limit=published(provider, "requests", "minute") * share,
        period_s=MINUTE_S,
        counting=Counting.CALL,
    )
    day = AlignedWindow(
        name="rpd", limit=published(provider, "requests", "day") * share, period_s=DAY_S, counting=Counting.CALL
    )
    return {model.id: (minute, day) for model in models}


def _groq(provider: Provider, models: Iterable[Model], share: float) -> Mapping[str, tuple[TrueWindow, ...]]:
    def amount(unit: str, window: str) -> float:
        return published(provider, unit, window) * share

    def own() -> tuple[TrueWindow, ...]:
        return (
            DrainingWindow(name="tpm", limit=amount("tokens", "minute"), period_s=MINUTE_S, counting=Counting.RESERVED),
            SlidingWindow(name="rpm", limit=amount("requests", "minute"), period_s=MINUTE_S, counting=Counting.CALL),
            DrainingWindow(name="rpd", limit=amount("requests", "day"), period_s=DAY_S, counting=Counting.CALL),
            SlidingWindow(name="tpd", limit=amount("tokens", "day"), period_s=DAY_S, counting=Counting.RESERVED),
        )

    return {model.id: own() for model in models}


def _nvidia(provider: Provider, models: Iterable[Model], share: float) -> Mapping[str, tuple[TrueWindow, ...]]:
    minute = published(provider, "requests", "minute") * share
    day = SlidingWindow(
        name="rpd", limit=published(provider, "requests", "day"), period_s=DAY_S, counting=Counting.CALL
    )
    return {
        model.id: (SlidingWindow(name="rpm", limit=minute, period_s=MINUTE_S, counting=Counting.CALL), day)
        for model in models
    }


def _cloudflare(provider: Provider, models: Iterable[Model], share: float) -> Mapping[str, tuple[TrueWindow, ...]]:
    minute = published(provider, "requests", "minute")
    day = AlignedWindow(
        name="neurons",
        limit=published(provider, "neurons", "day") * share,
        period_s=DAY_S,
        counting=Counting.AFTERWARDS,
    )
    return {
        model.id: (SlidingWindow(name="rpm", limit=minute, period_s=MINUTE_S, counting=Counting.CALL), day)
        for model in models
        if model.id in NEURONS
    }


def _gemini(provider: Provider, models: Iterable[Model], share: float) -> Mapping[str, tuple[TrueWindow, ...]]:
    def own(model: Model) -> tuple[TrueWindow, ...]:
        minute, day, tokens = next(numbers for family, numbers in GEMINI.items() if family in model.id)
        return (
            SlidingWindow(name="rpm", limit=minute * share, period_s=MINUTE_S, counting=Counting.CALL),
            SlidingWindow(name="tpm", limit=tokens * share, period_s=MINUTE_S, counting=Counting.PROMPT),
            AlignedWindow(name="rpd", limit=day * share, period_s=DAY_S, counting=Counting.CALL, zone=PACIFIC),
        )

    return {model.id: own(model) for model in models}


MAKERS: Mapping[str, Maker] = {
    "openrouter": _openrouter,
    "groq": _groq,
    "nvidia": _nvidia,
    "cloudflare": _cloudflare,
    "gemini": _gemini,
}
