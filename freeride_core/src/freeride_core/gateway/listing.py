"""`GET /v1/models`: the free models of every provider with a usable key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from freeride_core.call import Feature, Operation
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.walk.enabled import EnabledProvider
from freeride_core.gateway.walk.routing import PRESET_IDS
from freeride_core.model import Model

_ALWAYS = ("max_tokens", "stop", "stream", "temperature", "top_p")


def list_models(gateway: Gateway) -> list[dict[str, Any]]:
    """OpenAI's shape and a little more. The presets come first; agents like to take the first."""
    served = gateway.usable_models()
    if not gateway.enabled.members:
        return []
    presets = [
        {
            "id": preset,
            "object": "model",
            "created": 0,
            "owned_by": "freeride",
            "supported_parameters": [*_ALWAYS, "tools", "tool_choice"],
            "canonical_id": preset,
            "available_providers": [member.provider.name for member in gateway.enabled.members],
            "provider_ids": {},
        }
        for preset in PRESET_IDS
    ]
    return presets + [_entry(canonical, entries) for canonical, entries in served.items()]


def _entry(canonical: str, served: Sequence[tuple[EnabledProvider, Model]]) -> dict[str, Any]:
    member, first = served[0]
    contexts = [model.context for _, model in served if model.context]
    provider_ids: dict[str, str] = {}
    for at, model in served:
        provider_ids.setdefault(at.provider.name, model.id)
    entry: dict[str, Any] = {
        "id": first.id,
        "object": "model",
        "created": 0,
        "owned_by": member.provider.name,
        "supported_parameters": _parameters([model for _, model in served]),
        "canonical_id": canonical,
        "available_providers": list(provider_ids),
        "provider_ids": provider_ids,
    }
    if contexts:
        entry["context_length"] = max(contexts)
    if first.operations == {Operation.EMBEDDINGS}:
        entry["supported_parameters"] = ["dimensions", "encoding_format"]
    return entry


def _parameters(models: Sequence[Model]) -> list[str]:
    names = list(_ALWAYS)
    if any(model.supports(Feature.TOOLS, assume=False) for model in models):
        names += ["tools", "tool_choice"]
    if any(model.json_schema for model in models):
        names.append("response_format")
    if any(model.reasoning for model in models):
        names.append("reasoning")
    return names


def find_model(gateway: Gateway, name: str) -> dict[str, Any] | None:
    """One entry, by any provider's spelling, by its canonical name or a preset's."""
    for entry in list_models(gateway):
        if name in (entry["id"], entry["canonical_id"]) or name in entry["provider_ids"].values():
            return {**entry, "id": name}
    return None
