"""NVIDIA's hosted models: a dated list, and how the live one is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freeride_core import CompatibleCatalog, Model, Operation, canonical_of, operations_of

CHECKED = "2026-10-23"
"""Chat: the free endpoints of build.nvidia.com on 2026-09-21 and 2026-10-05, and a live list of this day. Embeddings: model pages
of July 2026."""

MAKERS = {
    "deepseek-ai": "deepseek",
    "meta": "meta-llama",
    "minimaxai": "minimax",
    "stepfun-ai": "stepfun",
}

_EMBEDDINGS = frozenset({Operation.EMBEDDINGS})


def _model(model_id: str, tier: int, context: int | None = None, **more: Any) -> Model:
    return Model(id=model_id, canonical=canonical_of(model_id, MAKERS), tier=tier, context=context, **more)


# Where `tools` is True on the maker's word alone, a deployment without a tool parser says so once, and that is remembered.
MODELS = (
    _model("nvidia/nemotron-3-super-120b-a12b", 1, 262_144, tools=True, vision=False, reasoning=True),
    _model("nvidia/nemotron-3-ultra-550b-a55b", 1, 1_000_000, tools=True, reasoning=True),
    _model("z-ai/glm-5.3", 1, tools=True, reasoning=True),
    _model("moonshotai/kimi-k3", 1, tools=True),
    _model("deepseek-ai/deepseek-v4.1-flash", 1, tools=True, reasoning=True),
    _model("minimaxai/minimax-m3.1-flash", 1, tools=True, reasoning=True),
    _model("nvidia/nemotron-3.5-super-vl-120b-a12b", 1, vision=True),
    _model("z-ai/glm-5.3-flash", 2, tools=True, reasoning=True),
    _model("google/gemma-4-31b-it", 2, 262_144, tools=True, vision=True),
    _model("openai/gpt-oss-20b", 2, 131_072, tools=True, vision=False, reasoning=True),
    _model("nvidia/nemotron-3.5-lightning-30b-a3b", 2, 1_000_000),
    _model("nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", 2, 256_000, vision=True, reasoning=True),
    _model("meta/llama-3.2-90b-vision-instruct", 2, 131_072, vision=True),
    _model("poolside/laguna-xs-2.1", 2, 262_144),
    _model("mistralai/mistral-nemotron", 2),
    _model("meta/llama-3.2-11b-vision-instruct", 3, 131_072, vision=True),
    _model("meta/muse-glimmer-30b", 4),
    _model("google/diffusiongemma-26b-a4b-it", 4),
    _model("stepfun-ai/step-5-preview", 4),
    _model("nvidia/nemotron-3-embed-1b", 4, 32_768, operations=_EMBEDDINGS),
    _model("nvidia/nv-embedqa-e5-v5", 4, 512, operations=_EMBEDDINGS),
)


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    """One entry of `GET /models`, which says an id and no more. An id that is not dated counts as free only in the user's list."""
    model_id: str = row["id"]
    unknown = Model(id=model_id, canonical=canonical_of(model_id, MAKERS), operations=operations_of(model_id))
    return (dated.get(model_id) or unknown,)


CATALOG = CompatibleCatalog(models=MODELS, checked=CHECKED, parse_entry=parse_entry)
