"""OpenRouter's free models: a dated list, and how the live one is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from freeride_core import CompatibleCatalog, Model, Operation, canonical_of

CHECKED = "2026-10-08"
"""Chat: the list of free models of that day. The embeddings model: public projects that use it, autumn 2026."""

ROUTER = "openrouter/free"
"""Picks a free model that can do what the request needs."""

_OPERATIONS = {"text": Operation.CHAT, "embeddings": Operation.EMBEDDINGS}


SUFFIX = ":free"
"""Marks the variants that are "always provided for free"; one whose promotion ends answers 404 (documentation, August 2026)."""
EFFORTS = ("low", "medium", "high")
"""Values of `reasoning_effort`, for every model that reasons (documentation, August 2026)."""
NOT_FIXED = -1.0
"""Stands for a price that is decided when a request is served, or told incompletely."""


def _free(name: str, tier: int, context: int | None = None, **more: Any) -> Model:
    return Model(**{"id": name + SUFFIX, "canonical": name, "tier": tier, "context": context, **more})


MODELS = (
    _free("nvidia/nemotron-3-ultra-550b-a55b", 1, 1_000_000, tools=True),
    _free("nvidia/nemotron-3-super-120b-a12b", 1, 262_144, tools=True, json_schema=True, reasoning=True),
    _free("google/gemma-4-31b-it", 2, 262_144, tools=True, vision=True),
    _free("google/gemma-4-26b-a4b-it", 2, 262_144, tools=True, vision=True),
    _free("nvidia/nemotron-3.5-lightning", 2, 1_000_000, canonical="nvidia/nemotron-3.5-lightning-30b-a3b"),
    _free("nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", 2, 256_000, vision=True, reasoning=True),
    _free("poolside/laguna-s-2.1", 2, 262_144),
    _free("poolside/laguna-xs-2.1", 2, 262_144),
    _free("cohere/north-mini-code", 2, 256_000),
    Model(id=ROUTER, canonical=ROUTER, tier=3, tools=True, vision=True, router=True),
    _free("thinkingmachines/inkling", 4, 1_000_000),
    _free("thinkingmachines/inkling-small", 4, 1_000_000),
    _free("dots-studio/dots-3-note-preview", 4, 512_000, vision=True),
    _free("inclusionai/ling-3.0-flash-sante", 4),
    _free("apodex/apodex-1.1-mini", 4),
    _free("liquid/lfm-2.5-2.6b", 4),
    _free("nvidia/nemotron-3-embed-1b", 4, 32_768, operations=frozenset({Operation.EMBEDDINGS})),
)


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    """One entry of `GET /models`; nothing for what answers in anything but text or vectors."""
    architecture = row.get("architecture") or {}
    outputs = architecture.get("output_modalities") or [architecture.get("modality", "->text").rpartition("->")[2]]
    operation = _OPERATIONS.get(outputs[0]) if len(outputs) == 1 else None
    if operation is None:
        return ()
    model_id: str = row["id"]
    known = dated.get(model_id) or Model(id=model_id, canonical=canonical_of(model_id.removesuffix(SUFFIX)))
    able = frozenset(row.get("supported_parameters") or ())
    live = replace(
        known,
        operations=frozenset({operation}),
        context=_whole(row.get("context_length")) or known.context,
        max_output=_whole((row.get("top_provider") or {}).get("max_completion_tokens")),
        tools="tools" in able,
        vision="image" in (architecture.get("input_modalities") or ()),
        json_schema="structured_outputs" in able,
        reasoning="reasoning" in able,
        efforts=EFFORTS if "reasoning" in able else (),
        # An alias leads to whatever is newest, and what it costs today says nothing of that.
        price=NOT_FIXED if row.get("alias_target") or model_id.startswith("~") else dearest_price(row.get("pricing")),
        retires=row["expiration_date"] if isinstance(row.get("expiration_date"), str) else None,
    )
    return (live,)


def dearest_price(pricing: object) -> float:
    """USD per token, or per request; `NOT_FIXED` where a price is missing, odd, negative, or another under some conditions."""
    if not isinstance(pricing, dict) or not {"prompt", "completion"} <= pricing.keys() or pricing.get("overrides"):
        return NOT_FIXED
    try:
        prices = [float(price) for name, price in pricing.items() if name not in {"discount", "overrides"}]
    except (TypeError, ValueError):
        return NOT_FIXED
    return max(prices) if all(price >= 0 for price in prices) else NOT_FIXED


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


CATALOG = CompatibleCatalog(
    models=MODELS,
    checked=CHECKED,
    # Without the filter the list leaves the embeddings models out.
    path="/models?output_modalities=text,embeddings",
    parse_entry=parse_entry,
)
