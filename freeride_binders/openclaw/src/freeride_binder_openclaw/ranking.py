"""OpenRouter's free models, best first."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from freeride_core import Answer, Model, Operation, Provider

_DAY_S = 86_400.0
_LONGEST_CONTEXT = 1_000_000
_MOST_PARAMETERS = 10
_YEAR_DAYS = 365.0
_TRUSTED = (
    "google",
    "meta-llama",
    "mistralai",
    "deepseek",
    "nvidia",
    "qwen",
    "microsoft",
    "allenai",
    "arcee-ai",
)
"""Makers, the most trusted first."""


@dataclass(frozen=True, slots=True)
class FreeModel:
    """One free model that chats."""

    id: str
    """OpenRouter's own."""
    context: int
    """Tokens; 0: unknown."""
    tools: bool
    """Agents cannot work without."""
    score: float
    """0 to 1, by context (0.4), abilities (0.3), age (0.2) and maker (0.1), as FreeRide for OpenClaw always ranked."""


def rank(provider: Provider, answer: Answer, is_free: Callable[[Model], bool]) -> tuple[FreeModel, ...]:
    """The free models of `GET /models`: those that can call tools first, and by score. Without the router over them.

    ValueError: the answer is no list of models.
    """
    rows = _rows(answer.json)
    today = datetime.fromtimestamp(answer.now, UTC).date().isoformat()
    models = [
        FreeModel(model.id, model.context or 0, model.tools is True, _score(model, rows.get(model.id, {}), answer.now))
        for model in provider.catalog.parse(answer)
        if Operation.CHAT in model.operations
        and not model.router
        and (model.retires is None or model.retires > today)
        and is_free(model)
    ]
    return tuple(sorted(models, key=lambda model: (not model.tools, -model.score, model.id)))


def best_for_agents(models: Sequence[FreeModel]) -> list[FreeModel]:
    """Those that can call tools; all, if none is known to."""
    return [model for model in models if model.tools] or list(models)


def _rows(body: Any) -> dict[str, Mapping[str, Any]]:
    listed: Iterable[Any] = body.get("data") or () if isinstance(body, dict) else ()
    return {row["id"]: row for row in listed if isinstance(row, dict) and isinstance(row.get("id"), str)}


def _score(model: Model, row: Mapping[str, Any], now: float) -> float:
    parameters, created = row.get("supported_parameters"), row.get("created")
    count = len(parameters) if isinstance(parameters, list) else 0
    age_days = _YEAR_DAYS
    if isinstance(created, (int, float)):
        age_days = max(0.0, now - created) / _DAY_S
    trust = 0.0
    with contextlib.suppress(ValueError):
        trust = 1 - _TRUSTED.index(model.id.partition("/")[0]) / len(_TRUSTED)
    return round(
        0.4 * min((model.context or 0) / _LONGEST_CONTEXT, 1.0)
        + 0.3 * min(count / _MOST_PARAMETERS, 1.0)
        + 0.2 * max(0.0, 1 - age_days / _YEAR_DAYS)
        + 0.1 * trust,
        4,
    )
