"""The list of models: the free models of every provider with a usable key."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freeride_core.call import Feature, Operation
from freeride_core.gateway.protocols.protocol import ListedModel
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.walk.enabled import EnabledProvider
from freeride_core.gateway.walk.routing import PRESET_IDS
from freeride_core.model import Model

_ALWAYS = ("max_tokens", "stop", "stream", "temperature", "top_p")


def list_models(gateway: Gateway) -> list[ListedModel]:
    """The presets come first; agents like to take the first."""
    served = gateway.usable_models()
    if not gateway.enabled.members:
        return []
    providers = [member.provider.name for member in gateway.enabled.members]
    parameters = [*_ALWAYS, "tools", "tool_choice"]
    presets = [
        ListedModel(
            id=preset, canonical=preset, owner="freeride", provider_ids={}, providers=providers, parameters=parameters
        )
        for preset in PRESET_IDS
    ]
    entries = presets + [_entry(canonical, entries) for canonical, entries in served.items()]
    return entries + _aliases(gateway, entries)


def _aliases(gateway: Gateway, entries: Sequence[ListedModel]) -> list[ListedModel]:
    """An entry for each alias without a wildcard whose model is listed, under the alias's name."""
    by_name: dict[str, ListedModel] = {}
    for entry in entries:
        for name in (entry.id, entry.canonical, *entry.provider_ids.values()):
            by_name.setdefault(name, entry)
    aliases = gateway.enabled.aliases.exact
    return [
        msgspec.structs.replace(by_name[target], id=name)
        for name, target in aliases.items()
        if target in by_name and name not in by_name
    ]


def _entry(canonical: str, served: Sequence[tuple[EnabledProvider, Model]]) -> ListedModel:
    member, first = served[0]
    provider_ids: dict[str, str] = {}
    for at, model in served:
        provider_ids.setdefault(at.provider.name, model.id)
    is_embedder = first.operations == {Operation.EMBEDDINGS}
    return ListedModel(
        id=first.id,
        canonical=canonical,
        owner=member.provider.name,
        provider_ids=provider_ids,
        providers=list(provider_ids),
        parameters=["dimensions", "encoding_format"] if is_embedder else _parameters([model for _, model in served]),
        context=max((model.context for _, model in served if model.context), default=0),
        is_embedder=is_embedder,
    )


def _parameters(models: Sequence[Model]) -> list[str]:
    names = list(_ALWAYS)
    if any(model.supports(Feature.TOOLS, assume=False) for model in models):
        names += ["tools", "tool_choice"]
    if any(model.json_schema for model in models):
        names.append("response_format")
    if any(model.reasoning for model in models):
        names.append("reasoning")
    return names


def find_model(gateway: Gateway, name: str) -> ListedModel | None:
    """One entry, by any provider's spelling, by its canonical name or a preset's."""
    for entry in list_models(gateway):
        if name in (entry.id, entry.canonical) or name in entry.provider_ids.values():
            return msgspec.structs.replace(entry, id=name)
    return None
