"""Names of models as clients of the Messages API send and list them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from freeride_core.gateway.protocols import json_text
from freeride_core.gateway.protocols.protocol import ListedModel

_PRESET = re.compile(r"(?:claude-)?freeride-([a-z]+)")
"""Presets for agents that show only models of one vendor's, and for those that take no slash."""
_WINDOW = "[1m]"
"""What an agent appends to an id to be given a longer window."""
_CREATED = "1970-01-01T00:00:00Z"
_FIX = "Set ANTHROPIC_MODEL=auto, or start the agent with `freeride run claude`."


def chat_model(model: str) -> str:
    """Return the id by which the gateway knows the model that a client names."""
    model = model.removesuffix(_WINDOW)
    if found := _PRESET.fullmatch(model):
        return "auto" if found[1] == "auto" else f"freeride/{found[1]}"
    return model


def without_model(message: str) -> str:
    """Return the words for a model that no provider has, with what its user can do."""
    return f"{message} {_FIX}"


def model_list(models: Sequence[ListedModel]) -> bytes:
    """Return all models on one page. The presets come a second time, first of all, as agents want to see them."""
    chat = [model for model in models if not model.is_embedder]
    shown = [*(_entry(model, _alias(model.id)) for model in chat if model.owner == "freeride"), *map(_entry, chat)]
    ids = [entry["id"] for entry in shown]
    page = {
        "data": shown,
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }
    return json_text.encode(page)


def model_entry(model: ListedModel) -> bytes:
    return json_text.encode(_entry(model))


def _alias(preset: str) -> str:
    return f"claude-freeride-{preset.removeprefix('freeride/')}"


def _entry(model: ListedModel, model_id: str = "") -> dict[str, Any]:
    shown = model_id or model.id
    name = f"FreeRide {model.id.removeprefix('freeride/')}" if model.owner == "freeride" else model.id
    entry: dict[str, Any] = {"type": "model", "id": shown, "display_name": name, "created_at": _CREATED}
    if model.context:
        entry["max_input_tokens"] = model.context
    return entry
