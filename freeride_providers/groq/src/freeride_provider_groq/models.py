"""Groq's models: a dated list, and how the live one is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from freeride_core import CompatibleCatalog, Model, canonical_of

CHECKED = "2026-09-27"
"""Models of the Free plan: its table of that day. Contexts: litellm's price map of November 2026."""

LIMITS_CHECKED = "2026-09-27"
"""The table of the Free plan."""

MAX_OUTPUT = 65_536
"""What the live list says of gpt-oss (November 2026). The limit of tokens a minute lowers `max_tokens` further, because Groq
reserves them before it runs (August 2026)."""

RESERVED = 2048
"""Tokens that Groq reserves for the response of a request without `max_tokens`: one or two thousand (reports, 2026)."""

_EFFORTS = ("low", "medium", "high")
"""Values of `reasoning_effort`, by Groq's own SDK, November 2026. Any other is a 400."""

MODELS = (
    Model(
        id="openai/gpt-oss-120b",
        canonical="openai/gpt-oss-120b",
        tier=1,
        context=131_072,
        max_output=MAX_OUTPUT,
        tools=True,
        vision=False,
        json_schema=True,
        reasoning=True,
        efforts=_EFFORTS,
    ),
    Model(
        id="qwen/qwen3.8-27b",
        canonical="qwen/qwen3.8-27b",
        tier=2,
        context=131_072,
        max_output=16_384,
        tools=True,
        vision=True,
        json_schema=True,
        reasoning=True,
        efforts=("none", *_EFFORTS),
    ),
    Model(
        id="openai/gpt-oss-20b",
        canonical="openai/gpt-oss-20b",
        tier=2,
        context=131_072,
        max_output=MAX_OUTPUT,
        tools=True,
        vision=False,
        json_schema=True,
        reasoning=True,
        efforts=_EFFORTS,
    ),
)

_NOT_FOR_CHAT = ("whisper", "orpheus", "tts", "guard")


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    """One entry of `GET /models`; nothing for speech, for classifiers, and for what is switched off."""
    model_id: str = row["id"]
    if row.get("active") is False or any(word in model_id.lower() for word in _NOT_FOR_CHAT):
        return ()
    known = dated.get(model_id) or Model(id=model_id, canonical=canonical_of(model_id), max_output=MAX_OUTPUT)
    context, most = row.get("context_window"), row.get("max_completion_tokens")
    live = replace(
        known,
        context=context if isinstance(context, int) else known.context,
        max_output=min(most, MAX_OUTPUT) if isinstance(most, int) else MAX_OUTPUT,
    )
    return (live,)


CATALOG = CompatibleCatalog(models=MODELS, checked=CHECKED, parse_entry=parse_entry)
