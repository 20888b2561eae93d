"""Another model in place of one that does not answer, with as few probes as there may be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from freeride_binder_openclaw.memory import OK, Memory
from freeride_binder_openclaw.openrouter import OpenRouter
from freeride_binder_openclaw.ranking import FreeModel, best_for_agents
from freeride_binder_openclaw.selection import ROUTER, ref_of
from freeride_core.cli import ProbeVerdict, UnreachableUpstream

FRESH_S = 6 * 3600.0
"""How long a list of models counts."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What was found."""

    model: FreeModel | None
    is_proven: bool = False
    """It has answered; else the share for probes was spent, and it is the next in rank."""
    tried: tuple[tuple[str, str], ...] = ()
    """Ids that did not answer, each with the kind of its failure."""
    obstacle: ProbeVerdict | None = None
    """Why no model would answer now, if none was found."""


class Trials:
    """Probes, each counted before it is sent."""

    def __init__(self, openrouter: OpenRouter, memory: Memory, now: Callable[[], float]) -> None:
        self._openrouter = openrouter
        self._memory = memory
        self._now = now

    def try_model(self, model_id: str) -> ProbeVerdict | None:
        """Ask with one key after the other, until a failure is not the key's. Return None if the share for probes is spent."""
        verdict: ProbeVerdict | None = None
        for key in self._openrouter.keys:
            ceiling = self._openrouter.ceiling(self._memory.daily_limit())
            probe = self._memory.reserve(model_id, self._now(), ceiling)
            if probe is None:
                break
            verdict = self._openrouter.probe(model_id, key)
            if verdict.is_ok or verdict.is_models_fault:
                self._memory.settle(probe, verdict.kind or OK)
                break
        return verdict

    def find_replacement(self, models: Sequence[FreeModel], avoid: Collection[str]) -> Replacement:
        """Return the best model that answers. Those to avoid, and those that failed recently, are passed over."""
        tried: list[tuple[str, str]] = []
        passed_over = {*avoid, *self._memory.failed_models(self._now())}
        for model in best_for_agents(models):
            if model.id in passed_over:
                continue
            verdict = self.try_model(model.id)
            if verdict is None or verdict.is_ok:
                return Replacement(model, is_proven=verdict is not None, tried=tuple(tried))
            if not verdict.is_models_fault:
                return Replacement(None, tried=tuple(tried), obstacle=verdict)
            tried.append((model.id, verdict.kind))
        return Replacement(None, tried=tuple(tried))


def list_models(openrouter: OpenRouter, memory: Memory, now: float, *, oldest_s: float = FRESH_S) -> list[FreeModel]:
    """The free models: the kept list where it is not older, else a new one, which is kept. Raises `UnreachableUpstream`."""
    kept = memory.model_list()
    if kept is not None and 0 <= now - kept.fetched_at < oldest_s:
        return list(kept.models)
    models = openrouter.list_models()
    if not models:
        raise UnreachableUpstream("OpenRouter lists no free model")
    memory.keep_models(now, models)
    return list(models)


def fallbacks_of(models: Sequence[FreeModel], primary: str | None, count: int, avoid: Collection[str]) -> list[str]:
    """OpenClaw's names of what comes after `primary`, one of those too: OpenRouter's router, then by rank."""
    refs = [ref_of(ROUTER), *(ref_of(model.id) for model in best_for_agents(models) if model.id not in avoid)]
    return [ref for ref in refs if ref != primary][:count]
