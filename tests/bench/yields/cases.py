"""What is played: upstreams, traffic, schedulers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.yields.ledger import LedgerScheduler
from bench.yields.omniscient import Omniscient, TrueView
from bench.yields.react_only import ReactOnly
from bench.yields.roster import Roster, roster
from bench.yields.round_robin import RoundRobin
from bench.yields.scheduler import Scheduler
from bench.yields.tally import Tally
from bench.yields.traffic import Arrivals, capacity_per_s, constant_load, working_day
from bench.yields.trial import Trial

PATIENCE_S = 30.0
USUAL_PROMPT, USUAL_ANSWER = 4_000, 1_500
"""Tokens of a request of the load, with what is reserved for its answer."""

_NVIDIA = (
    "nvidia/nemotron-3-super-120b-a12b",
    "nvidia/nemotron-3-ultra-550b-a55b",
    "google/gemma-4-31b-it",
    "openai/gpt-oss-20b",
)
_ALL: Mapping[str, tuple[str, ...] | None] = {
    "openrouter": None,
    "groq": None,
    "nvidia": _NVIDIA,
    "cloudflare": None,
    "gemini": None,
}

SCHEDULERS: Mapping[str, Callable[[Roster], Scheduler]] = {
    "round robin": lambda played: RoundRobin(played.models),
    "react only": lambda played: ReactOnly(played.models),
    "ledger": lambda played: LedgerScheduler(played.models, PATIENCE_S),
    "ledger without reservation": lambda played: LedgerScheduler(played.models, PATIENCE_S, reserves=False),
    "ledger without patience": lambda played: LedgerScheduler(played.models, 0.0),
    "ledger without learning": lambda played: LedgerScheduler(played.models, PATIENCE_S, learns=False),
    "omniscient": lambda played: Omniscient(TrueView(played.models, played.upstreams)),
}
IDEAL = "omniscient"
"""What the others are compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YieldCase:
    """One set of upstreams under one traffic."""

    title: str
    traffic: Callable[[int, Roster], Arrivals]
    providers: Mapping[str, tuple[str, ...] | None] = field(default_factory=lambda: _ALL)
    shares: Mapping[str, float] = field(default_factory=dict)
    """The true limits of providers, as shares of what is published."""
    crowding: float = 0.0

    def play(self, scheduler: str, seed: int) -> Tally:
        """Return what one scheduler makes of it."""
        played = roster(self.providers, seed=seed, crowding=self.crowding, shares=self.shares)
        return Trial(SCHEDULERS[scheduler](played), played, self.traffic(seed, played), PATIENCE_S).play()


def _load(lasts_s: float, times: float) -> Callable[[int, Roster], Arrivals]:
    """Traffic of so many times what the upstreams' windows admit on average. In a short time they admit more: a window of a minute
    is used three times within 150 s."""

    def traffic(seed: int, played: Roster) -> Arrivals:
        per_s = capacity_per_s(played.upstreams.values(), USUAL_PROMPT, USUAL_ANSWER, lasts_s)
        return constant_load(seed, per_s * times, lasts_s)

    return traffic


CASES: Mapping[str, YieldCase] = {
    "load": YieldCase(title="load above capacity, 150 s", traffic=_load(150, 1.6)),
    "long-load": YieldCase(title="load above capacity, 300 s", traffic=_load(300, 1.35)),
    "crowded": YieldCase(
        title="load above capacity, 5 % of the calls refused at random", traffic=_load(150, 1.6), crowding=0.05
    ),
    "lower": YieldCase(
        title="load above capacity, true limits below the published ones",
        traffic=_load(150, 1.6),
        shares={"nvidia": 0.5, "gemini": 0.6, "openrouter": 0.75},
    ),
    "silent": YieldCase(
        title="50 requests a minute against 40, refusals without a hint",
        traffic=lambda seed, _: constant_load(seed, 50 / 60, 600),
        providers={"nvidia": _NVIDIA[:1]},
    ),
    "day": YieldCase(
        title="a working day, keys of three providers, two busy models at NVIDIA",
        traffic=lambda seed, _: working_day(seed),
        providers={"openrouter": None, "groq": None, "nvidia": _NVIDIA[:2]},
        shares={"nvidia": 0.15},
    ),
    "full-day": YieldCase(
        title="a working day, keys of five providers, two very busy models at NVIDIA",
        traffic=lambda seed, _: working_day(seed),
        providers={**_ALL, "nvidia": _NVIDIA[:2]},
        shares={"nvidia": 0.05},
    ),
}
