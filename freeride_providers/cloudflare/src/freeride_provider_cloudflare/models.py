"""Cloudflare's models: a dated list, and how the live one is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from freeride_core import CompatibleCatalog, Model, Operation, canonical_of

CHECKED = "2026-10-08"
"""What Workers Free includes: the price page as quoted on that day, and the refusals of accounts on Workers Free, September 2026.
Contexts: litellm's price map of November 2026."""

DEFAULT_OUTPUT = 4096
"""Older models end an answer after 256 tokens where the request asks for no more (September 2026)."""

MAKERS = {"deepseek-ai": "deepseek", "meta": "meta-llama", "mistral": "mistralai", "zai-org": "z-ai"}

_EMBEDDINGS = frozenset({Operation.EMBEDDINGS})


def canonical(model_id: str) -> str:
    return canonical_of(model_id.removeprefix("@cf/").removeprefix("@hf/"), MAKERS)


NEURONS = {
    "openai/gpt-oss-120b": (31_818, 68_182),
    "nvidia/nemotron-3-120b-a12b": (45_455, 136_364),
    "google/gemma-4-26b-a4b-it": (9_091, 27_273),
    "zai-org/glm-4.7-flash": (5_500, 36_364),
    "openai/gpt-oss-20b": (18_182, 27_273),
    "qwen/qwen3-30b-a3b-fp8": (4_627, 30_455),
    "meta/llama-3.3-70b-instruct-fp8-fast": (26_636, 204_818),
    "ibm-granite/granite-4.0-h-micro": (1_545, 10_182),
    "meta/llama-3.2-3b-instruct": (4_627, 30_455),
}
"""For a million tokens of the prompt and of the response, where the price list tells: USD divided by 0.000011 (litellm's price map,
November 2026)."""


def _model(name: str, tier: int, context: int | None, **more: Any) -> Model:
    model_id = f"@cf/{name}"
    if name in NEURONS:
        more["costs"] = {"neurons": tuple(each / 1e6 for each in NEURONS[name])}
    return Model(**{"id": model_id, "canonical": canonical(model_id), "tier": tier, "context": context, **more})


# Every new large model of 2026 was left out of Workers Free, and an id can be another name for one. So `kimi-k2.5` is answered by
# `kimi-k2.6`, which is billed on Workers Paid. A model that is not in this list is not free.
MODELS = (
    _model("openai/gpt-oss-120b", 1, 128_000, tools=True, vision=False, reasoning=True),
    _model(
        "nvidia/nemotron-3-120b-a12b",
        1,
        256_000,
        canonical="nvidia/nemotron-3-super-120b-a12b",
        tools=True,
        vision=False,
        reasoning=True,
    ),
    # The catalog says 256,000; requests beyond this were refused (April 2026).
    _model("google/gemma-4-26b-a4b-it", 2, 131_072, tools=True, vision=True, reasoning=True),
    _model("zai-org/glm-4.7-flash", 2, 131_072, tools=True, vision=False, reasoning=True),
    _model("openai/gpt-oss-20b", 2, 128_000, tools=True, vision=False, reasoning=True),
    _model("mistralai/mistral-small-3.1-24b-instruct", 2, 128_000, tools=True),
    _model("meta/llama-4-scout-17b-16e-instruct", 2, 131_072, canonical="meta-llama/llama-4-scout", tools=True),
    _model("qwen/qwen3-30b-a3b-fp8", 2, 32_768, tools=True, vision=False, reasoning=True),
    _model("meta/llama-3.3-70b-instruct-fp8-fast", 2, 24_000, tools=True, vision=False),
    # Last of its tier: 34,000 tokens of answer use up the day, and the first word comes after 17 s (September 2026).
    _model("qwen/qwen3.8-27b", 2, 262_144, tools=True, vision=True, reasoning=True),
    _model("meta/llama-3.2-11b-vision-instruct", 3, 128_000, vision=True),
    _model("ibm-granite/granite-4.0-h-micro", 4, 131_072, tools=True, vision=False),
    _model("meta/llama-3.2-3b-instruct", 4, 80_000, vision=False),
    _model("baai/bge-m3", 4, 60_000, operations=_EMBEDDINGS),
    _model("baai/bge-large-en-v1.5", 4, 512, operations=_EMBEDDINGS),
    _model("baai/bge-base-en-v1.5", 4, 512, operations=_EMBEDDINGS),
    _model("baai/bge-small-en-v1.5", 4, 512, operations=_EMBEDDINGS),
    _model("qwen/qwen3-embedding-0.6b", 4, None, operations=_EMBEDDINGS),
)

LIST_PATH = "/models/search"
"""All at once: how many are asked for is ignored (September 2026)."""
_OPERATIONS = {"Text Generation": Operation.CHAT, "Text Embeddings": Operation.EMBEDDINGS}


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    """One entry of `GET /ai/models/search`; nothing for what neither chats nor embeds, or is not Cloudflare's
    own."""
    model_id: str = row["name"]
    operation = _OPERATIONS.get(row["task"]["name"])
    if operation is None or not model_id.startswith(("@cf/", "@hf/")):
        return ()
    said = {item["property_id"]: item["value"] for item in row.get("properties") or ()}
    retires = said.get("planned_deprecation_date")
    known = dated.get(model_id)
    if known is None:
        context = int(said["context_window"]) if "context_window" in said else None
        known = Model(
            id=model_id,
            canonical=canonical(model_id),
            operations=frozenset({operation}),
            context=context,
            # The default must leave room for the prompt.
            max_output=context // 2 if context is not None and context < 2 * DEFAULT_OUTPUT else None,
            tools=said.get("function_calling") == "true",
            reasoning=said.get("reasoning") == "true",
        )
    return (replace(known, retires=retires if isinstance(retires, str) else None),)


CATALOG = CompatibleCatalog(
    models=MODELS,
    checked=CHECKED,
    # `GET /ai/v1/models` leaves out models that can be called.
    path=LIST_PATH,
    base_suffix="/v1",
    rows="result",
    parse_entry=parse_entry,
)
