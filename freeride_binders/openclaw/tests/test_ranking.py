"""The order of OpenRouter's free models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freeride_binder_openclaw.ranking import best_for_agents, rank
from freeride_core import Account, Answer, Phase
from freeride_core.plugins.discovery import load_provider

NOW = 1_790_000_000.0
DAY_S = 86_400
FREE = {"prompt": "0", "completion": "0"}


def row(model_id: str, **more: Any) -> dict[str, Any]:
    entry = {
        "id": model_id,
        "context_length": 100_000,
        "created": NOW,
        "pricing": FREE,
        "supported_parameters": ["tools"],
        "architecture": {"output_modalities": ["text"], "input_modalities": ["text"]},
    }
    return entry | more


def ranked(*rows: Any) -> list[tuple[str, float]]:
    provider = load_provider("openrouter")
    answer = Answer(200, {}, json.dumps({"data": rows}).encode(), NOW, Phase.BODY)
    models = rank(provider, answer, lambda model: provider.free.allows(model, Account()))
    return [(model.id, model.score) for model in models]


@pytest.mark.parametrize(
    ("more", "score"),
    [
        ({}, 0.04 + 0.03 + 0.2),
        ({"context_length": 2_000_000}, 0.4 + 0.03 + 0.2),
        ({"supported_parameters": ["tools"] * 20}, 0.04 + 0.3 + 0.2),
        ({"created": NOW - 365 * DAY_S / 2}, 0.04 + 0.03 + 0.1),
        ({"created": NOW - 1000 * DAY_S}, 0.04 + 0.03),
        ({"created": NOW + DAY_S}, 0.04 + 0.03 + 0.2),
        ({"created": "soon"}, 0.04 + 0.03),
    ],
)
def test_the_score_is_made_of_context_abilities_and_age(more: dict[str, Any], score: float) -> None:
    [(model_id, found)] = ranked(row("acme/m:free", **more))
    assert model_id == "acme/m:free"
    assert found == pytest.approx(score, abs=1e-4)


def test_trusted_makers_come_first() -> None:
    scores = dict(ranked(row("google/m:free"), row("meta-llama/m:free"), row("arcee-ai/m:free"), row("acme/m:free")))
    assert scores["google/m:free"] == pytest.approx(0.27 + 0.1, abs=1e-4)
    assert list(scores) == ["google/m:free", "meta-llama/m:free", "arcee-ai/m:free", "acme/m:free"]


def test_a_model_without_tools_comes_last_and_is_no_choice_for_agents() -> None:
    without = row("google/big:free", context_length=1_000_000, supported_parameters=["seed"] * 10)
    assert [model_id for model_id, _ in ranked(without, row("acme/m:free"))] == ["acme/m:free", "google/big:free"]
    provider = load_provider("openrouter")
    answer = Answer(200, {}, json.dumps({"data": [without, row("acme/m:free")]}).encode(), NOW, Phase.BODY)
    models = rank(provider, answer, lambda _: True)
    assert [model.id for model in best_for_agents(models)] == ["acme/m:free"]
    assert [model.id for model in best_for_agents(models[1:])] == ["google/big:free"]


def test_what_costs_goes_or_routes_is_left_out() -> None:
    assert (
        ranked(
            row("acme/paid", pricing={"prompt": "0.1", "completion": "0"}),
            row("acme/unpriced", pricing={}),
            row("acme/gone:free", expiration_date="2026-01-01"),
            row("openrouter/free"),
            row("acme/vectors:free", architecture={"output_modalities": ["embeddings"]}),
            {"id": None},
            "no entry",
        )
        == []
    )
    assert [model_id for model_id, _ in ranked(row("acme/zero"))] == ["acme/zero"]
