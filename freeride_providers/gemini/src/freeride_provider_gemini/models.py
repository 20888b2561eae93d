"""What costs nothing on Gemini's free tier: the Flash, Flash-Lite and Gemma 4 families.

The same endpoint serves more, which is left out. Pro, `gemini-4-argon` and `gemini-4-hydrogen` have a price, as has all that
makes images, speech, video or vectors. `gemini-2` and older answer new projects with a 404. `gemini-flash-latest` and its like are
other names for models of this list, so a model whose quota of the day is used up would be asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freeride_core import CompatibleCatalog, Model


def _gemini(name: str, tier: int, retires: str | None = None) -> Model:
    return Model(
        id=name,
        canonical=f"google/{name}",
        tier=tier,
        context=1_048_576,
        max_output=65_536,
        tools=True,
        vision=True,
        json_schema=True,
        reasoning=True,
        efforts=("low", "medium", "high"),  # the documentation of the compatible endpoint, November 2026
        retires=retires,
    )


def _gemma(name: str) -> Model:
    return Model(
        id=name,
        canonical=f"google/{name}",
        tier=2,
        context=262_144,
        max_output=32_768,
        tools=True,
        vision=True,
        reasoning=True,
        price=0,
    )


def parse_entry(entry: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    """`{"id": "models/gemini-3.5-flash"}`: chat takes an id with and without the prefix, and people write it without.

    What this package does not know is a model all the same: it is not free here, but may be in a user's own list.
    """
    name = entry["id"].removeprefix("models/")
    return (dated.get(name) or Model(id=name, canonical=f"google/{name.lower()}"),) if name else ()


CATALOG = CompatibleCatalog(
    models=(
        _gemini("gemini-3.8-flash", 2),
        _gemini("gemini-3.7-flash", 2),
        _gemini("gemini-3.6-flash", 2),
        _gemini("gemini-3.5-flash", 2),
        _gemini("gemini-3-flash-preview", 2),
        _gemini("gemini-3.5-flash-lite", 3),
        _gemini("gemini-3.1-flash-lite", 3, retires="2027-05-07"),
        _gemma("gemma-4-31b-it"),
        _gemma("gemma-4-26b-a4b-it"),
    ),
    checked="2026-09-25",  # what the price page gives free of charge; sizes: litellm's price map of November 2026
    parse_entry=parse_entry,
)
