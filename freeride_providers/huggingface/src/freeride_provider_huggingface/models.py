"""The models behind Hugging Face's router: a dated list, and how the live one is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from freeride_core import CompatibleCatalog, Model, canonical_of

CHECKED = "2026-11-23"
"""Pricing page of that month. The ratings are ours."""

MAKERS = {"deepseek-ai": "deepseek", "minimaxai": "minimax", "zai-org": "z-ai"}


def _model(model_id: str, tier: int, **more: Any) -> Model:
    return Model(**{"id": model_id, "canonical": canonical_of(model_id, MAKERS), "tier": tier, **more})


# What the router serves at a price; rated here for the day on which one of them is on promotion, or in the user's list.
MODELS = (
    _model("deepseek-ai/DeepSeek-V4-Pro", 1, context=1_048_576, tools=True),
    _model("openai/gpt-oss-120b", 1, context=131_072, tools=True, reasoning=True),
    _model(
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B",
        1,
        canonical="nvidia/nemotron-3-super-120b-a12b",
        context=262_144,
        tools=True,
        reasoning=True,
    ),
    _model("zai-org/GLM-5.3", 1, tools=True, reasoning=True),
    _model("moonshotai/Kimi-K2.6", 1, tools=True),
    _model("Qwen/Qwen3.8-27B", 2, tools=True, vision=True, reasoning=True),
    _model("google/gemma-4-31B-it", 2, context=262_144, tools=True, vision=True),
    _model("openai/gpt-oss-20b", 2, context=131_072, tools=True, reasoning=True),
    _model("meta-llama/Llama-3.3-70B-Instruct", 2, context=131_072, tools=True),
)

_CHOICES = frozenset({"fastest", "cheapest", "preferred", "auto"})
"""After a colon these let the router choose, also a sub-provider that bills."""

Offer = Mapping[str, Any]
"""One sub-provider's entry for a model."""


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    """One entry of `GET /models`: the model wherever the router may run it, and each promotion of it. A promotion is free at one
    sub-provider only, so its id names that one."""
    offers = [offer for offer in row["providers"] if offer.get("status") == "live"]
    architecture = row.get("architecture") or {}
    if not offers or architecture.get("output_modalities", ["text"]) != ["text"]:
        return ()
    model_id: str = row["id"]
    known = dated.get(model_id) or Model(id=model_id, canonical=canonical_of(model_id, MAKERS))
    model = replace(known, vision="image" in architecture.get("input_modalities", ()))
    promotions = (
        replace(_as_offered(model, [offer]), id=f"{model_id}:{offer['provider']}", promoted=True)
        for offer in offers
        if offer.get("is_free") is True and offer["provider"] not in _CHOICES
    )
    return (_as_offered(model, offers), *promotions)


def _as_offered(model: Model, offers: Sequence[Offer]) -> Model:
    """What holds whichever of the offers the router takes."""
    contexts = [offer["context_length"] for offer in offers if isinstance(offer.get("context_length"), int)]
    return replace(
        model,
        context=min(contexts, default=model.context),
        tools=all(offer.get("supports_tools") is True for offer in offers),
        json_schema=all(offer.get("supports_structured_output") is True for offer in offers),
        price=_dearest(offers),
    )


def _dearest(offers: Sequence[Offer]) -> float | None:
    """USD per token; the list states it per million."""
    pricing = [offer.get("pricing") or {} for offer in offers]
    if not all({"input", "output"} <= prices.keys() for prices in pricing):
        return None
    return max(max(float(prices["input"]), float(prices["output"])) for prices in pricing) / 1_000_000


# A promotion ends without notice, so the list is looked at more often than others are.
CATALOG = CompatibleCatalog(models=MODELS, checked=CHECKED, parse_entry=parse_entry, fresh_s=900.0)
