"""Mutants of a provider, made of the live object without knowing which one it is."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from meta.mutation.alter import Alterations
from meta.mutation.bend import bends
from meta.mutation.source import rewritten

from freeride_conformance.subject import ProviderSubject
from freeride_core.call import Operation
from freeride_core.provider import Provider, Wire

_FEW = 5
_NAMES = {Operation.CHAT: "chat", Operation.EMBEDDINGS: "embeddings"}


@dataclass(frozen=True, eq=False)
class Mutant:
    """A subject with one thing changed."""

    name: str
    """`groq: chat.rules[3].scope -> key`."""
    subject: ProviderSubject


def mutants_of(subject: ProviderSubject) -> Iterator[Mutant]:
    """All of them; of many models and of large sets only some are changed, as what holds for one holds for the next."""
    seen: Counter[str] = Counter()
    for words, provider in _changed(subject):
        seen[words] += 1
        number = f" ({seen[words]})" if seen[words] > 1 else ""
        yield Mutant(f"{subject.provider.name}: {words}{number}", dataclasses.replace(subject, provider=provider))


def _changed(subject: ProviderSubject) -> Iterator[tuple[str, Provider]]:
    provider, chosen = subject.provider, _chosen(subject)
    alterations = Alterations(
        provider,
        subject.profile.catalog.paid,
        _FEW,
        lambda model: model.id in chosen,
    )
    for field, value in vars(provider).items():
        if field == "wires":
            continue
        if field == "probe" and value is not None:
            yield f"{field} removed", _with(provider, field, None)
        for words, new in alterations.of(value, field):
            yield f"{field}{words}", _with(provider, field, new)
    for operation in provider.wires:
        yield from _with_other_wires(subject, operation, alterations)
    yield from rewritten(subject.origin)


def _chosen(subject: ProviderSubject) -> frozenset[str]:
    """The default model, another one, and one that embeds."""
    models = subject.provider.catalog.models
    chat = [model.id for model in models if Operation.CHAT in model.operations]
    others = [name for name in chat if name != subject.profile.default_model][:1]
    embedding = [model.id for model in models if Operation.EMBEDDINGS in model.operations][:1]
    return frozenset({subject.profile.default_model, *others, *embedding, *(m.id for m in models if m.router)})


def _with(provider: Provider, field: str, value: Any) -> Provider:
    other = copy.copy(provider)
    setattr(other, field, value)
    return other


def _with_other_wires(
    subject: ProviderSubject, operation: Operation, alterations: Alterations
) -> Iterator[tuple[str, Provider]]:
    wires = dict(subject.provider.wires)
    wire, name = wires[operation], _NAMES[operation]
    yield (
        f"{name} removed",
        _with(subject.provider, "wires", {one: kept for one, kept in wires.items() if one != operation}),
    )
    for words, bent in bends(wire, subject.call(operation), subject.model(operation)):
        yield f"{name}{words}", _with(subject.provider, "wires", {**wires, operation: bent})
    for field in dataclasses.fields(wire):  # type: ignore[arg-type] # every wire of ours is one
        value = getattr(wire, field.name)
        if _is_shared(wires, operation, field.name):
            continue
        for words, new in alterations.of(value, field.name):
            # What several wires have from one place in the source is changed for all of them.
            changed = {
                one: dataclasses.replace(other, **{field.name: new})  # type: ignore[type-var] # likewise
                if getattr(other, field.name, None) is value or one == operation
                else other
                for one, other in wires.items()
            }
            yield f"{name}.{field.name}{words}", _with(subject.provider, "wires", changed)


def _is_shared(wires: dict[Operation, Wire], operation: Operation, field: str) -> bool:
    """Whether the field was already changed with the chat wire's."""
    chat = wires.get(Operation.CHAT)
    return operation != Operation.CHAT and getattr(chat, field, None) is getattr(wires[operation], field)
