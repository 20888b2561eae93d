"""Routing: which providers and models may answer a request, in which order. Keys and cooldowns are decided later."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from freeride_core.call import Call, Feature, Operation
from freeride_core.gateway.walk.candidate import Candidate
from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders
from freeride_core.model import Model
from freeride_core.provider import Account

_AUTO = frozenset({"", "auto", "default", "free", "freeride/auto", "freeride/free"})
_PREFIX = "freeride/"
_SETTLED_MOST = 1024
_SMALLEST_CONTEXT = 8192
"""What `auto` expects of a model whose context is not known."""


class Preset(enum.StrEnum):
    AUTO = "auto"
    CODING = "coding"
    FAST = "fast"
    QUALITY = "quality"


PRESET_IDS = ("auto", "freeride/coding", "freeride/fast", "freeride/quality", "freeride/free")


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider and one of its models; which key, and whether now, the walk decides."""

    member: EnabledProvider
    model: Model
    candidates: tuple[Candidate, ...] = field(init=False, repr=False, compare=False)
    """One for each key, in the keys' order."""

    def __post_init__(self) -> None:
        provider = self.member.provider
        candidates = tuple(Candidate(provider, self.model, key) for key in self.member.keys)
        object.__setattr__(self, "candidates", candidates)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the client's `model` stands for."""

    preset: Preset | None
    """None: a concrete model."""
    canonical: frozenset[str] = frozenset()
    router: str | None = None
    """The provider whose own router was asked for; the request starts there and goes on as `auto`."""


class UnknownPreset(ValueError):
    """There is no such `freeride/...`."""


@dataclass(frozen=True, slots=True)
class RoutingPlan:
    """The choices in order, and why others fell out."""

    choices: tuple[Choice, ...]
    listed_at: tuple[str, ...] = ()
    """With no choices: providers that list the model, but not for free or without a key."""
    missing: frozenset[str] = frozenset()
    """With no choices: features that no free model here has."""
    largest_context: int = 0
    """With no choices for want of room: the largest context among the models left."""
    providers: frozenset[str] = field(init=False, repr=False, compare=False)
    smallest_context: int = field(init=False, repr=False, compare=False)
    """Tokens that every choice has room for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "providers", frozenset(choice.member.provider.name for choice in self.choices))
        contexts = (choice.model.context or _SMALLEST_CONTEXT for choice in self.choices)
        object.__setattr__(self, "smallest_context", max(_SMALLEST_CONTEXT, min(contexts, default=0)))


@dataclass(slots=True)
class Router:
    """Plans routes from catalogs and learned limits; plans are kept until `version` changes."""

    models: Callable[[str], tuple[Model, ...]]
    version: Callable[[], int]
    account: Callable[[EnabledProvider], Account]
    _plans: dict[tuple[object, ...], RoutingPlan] = field(default_factory=dict)
    _settled: dict[tuple[object, ...], tuple[RoutingPlan, bool]] = field(default_factory=dict)
    _names: dict[str, set[str]] = field(default_factory=dict)
    _routers: dict[str, str] = field(default_factory=dict)
    _built_for: tuple[int, EnabledProviders | None] = (-1, None)

    def is_alias(self, name: str, enabled: EnabledProviders) -> bool:
        """Return whether the name stands for a model by an alias of the user's, and by nothing else."""
        if not enabled.aliases or name in _AUTO or name.startswith(_PREFIX):
            return False
        self._build(enabled)
        is_known = name in self._routers or name in self._names or name.lower() in self._names
        return not is_known and enabled.aliases.target(name) is not None

    def wanted(self, name: str, enabled: EnabledProviders) -> Wanted:
        """What a model name stands for. Raises `UnknownPreset`."""
        if self.is_alias(name, enabled):
            name = enabled.aliases.target(name) or ""
        if name in _AUTO:
            return Wanted(Preset.AUTO)
        if name.startswith(_PREFIX):
            try:
                return Wanted(Preset(name.removeprefix(_PREFIX)))
            except ValueError:
                raise UnknownPreset(name) from None
        self._build(enabled)
        if name in self._routers:
            return Wanted(Preset.AUTO, router=self._routers[name])
        return Wanted(None, frozenset(self._names.get(name) or self._names.get(name.lower()) or ()))

    def settled(self, call: Call, enabled: EnabledProviders) -> RoutingPlan | None:
        """What `plan` has made before of such a request that forces nothing; None: it has to be asked. Saves 1.9 us a request
        (measured 2026-12)."""
        if self._built_for[0] != self.version() or self._built_for[1] is not enabled:
            return None
        known = self._settled.get((call.operation, call.model, call.abilities))
        return None if known is None else _that_fit(known[0], call, is_concrete=known[1])

    def plan(
        self,
        call: Call,
        wanted: Wanted,
        enabled: EnabledProviders,
        force: str | None,
        first_event_s: Callable[[str, str], float | None],
    ) -> RoutingPlan:
        """Who may answer, best first. A pure function of its arguments and the catalogs."""
        self._build(enabled)
        cache = (call.operation, wanted, call.abilities, force)
        route = None if wanted.preset is Preset.FAST else self._plans.get(cache)
        if route is None:
            route = self._plans[cache] = self._plan(call, wanted, enabled, force, first_event_s)
        if route.choices and force is None and wanted.preset is not Preset.FAST:
            if len(self._settled) >= _SETTLED_MOST:
                self._settled.clear()
            self._settled[call.operation, call.model, call.abilities] = (route, wanted.preset is None)
        return _that_fit(route, call, is_concrete=wanted.preset is None)

    def _build(self, enabled: EnabledProviders) -> None:
        version = self.version()
        if self._built_for[0] == version and self._built_for[1] is enabled:
            return
        self._built_for = (version, enabled)
        self._plans.clear()
        self._settled.clear()
        self._names = {}
        self._routers = {}
        for name in enabled.registered:
            for model in self.models(name):
                if model.router:
                    self._routers[model.id] = name
                for spelling in {model.id, model.canonical, model.id.lower()}:
                    self._names.setdefault(spelling, set()).add(model.canonical)

    def _plan(
        self,
        call: Call,
        wanted: Wanted,
        enabled: EnabledProviders,
        force: str | None,
        first_event_s: Callable[[str, str], float | None],
    ) -> RoutingPlan:
        members = [member for member in enabled.members if force is None or member.provider.name == force]
        named = list(self._free_models(members, call.operation, wanted))
        if not named and wanted.preset is None:
            return RoutingPlan((), listed_at=self._listing(enabled, wanted))
        needs = set(call.abilities)
        if wanted.preset is Preset.CODING:
            needs.add(Feature.TOOLS)
        is_concrete = wanted.preset is None
        able = [c for c in named if all(c.model.supports(f, assume=is_concrete) for f in needs)]
        if not able:
            return RoutingPlan((), missing=_missing(named, needs, assume=is_concrete))
        return RoutingPlan(tuple(_ranked(able, wanted, enabled, first_event_s)))

    def _free_models(
        self, members: Sequence[EnabledProvider], operation: Operation, wanted: Wanted
    ) -> Iterable[Choice]:
        for member in members:
            if operation not in member.provider.wires:
                continue
            account = self.account(member)
            for model in self.models(member.provider.name):
                if wanted.preset is None and model.canonical not in wanted.canonical:
                    continue
                if operation in model.operations and member.is_free(model, account):
                    yield Choice(member, model)

    def _listing(self, enabled: EnabledProviders, wanted: Wanted) -> tuple[str, ...]:
        return tuple(
            name
            for name in enabled.registered
            if any(model.canonical in wanted.canonical for model in self.models(name))
        )


def _ranked(
    choices: list[Choice], wanted: Wanted, enabled: EnabledProviders, first_event_s: Callable[[str, str], float | None]
) -> list[Choice]:
    """Best first. Sorting is stable: providers come in their order, models in their package's."""
    if wanted.preset is None:
        return choices
    if wanted.preset is Preset.FAST:
        unobserved = float("inf")

        def seconds(choice: Choice) -> float:
            observed = first_event_s(choice.member.provider.name, choice.model.id)
            return unobserved if observed is None else observed

        choices = sorted(choices, key=lambda c: (seconds(c), c.model.tier))
    elif wanted.preset is Preset.QUALITY or not enabled.is_users_order:
        choices = sorted(choices, key=lambda c: c.model.tier)
    else:
        place = {member.provider.name: at for at, member in enumerate(enabled.members)}
        choices = sorted(choices, key=lambda c: (place[c.member.provider.name], c.model.tier))
    if wanted.router is not None:
        choices = sorted(choices, key=lambda c: not (c.model.router and c.member.provider.name == wanted.router))
    return choices


def _missing(named: Sequence[Choice], needs: set[str], *, assume: bool) -> frozenset[str]:
    """The features that no choice has; where each is had by some but all by none, all of them."""
    alone = {f for f in needs if not any(c.model.supports(f, assume=assume) for c in named)}
    return frozenset(alone or needs)


def _that_fit(route: RoutingPlan, call: Call, *, is_concrete: bool) -> RoutingPlan:
    at_most = len(call.body) // 4  # a longer look is for prompts that are near a model's limit
    if at_most <= route.smallest_context or call.prompt_tokens <= _SMALLEST_CONTEXT:
        return route
    fallback = None if is_concrete else _SMALLEST_CONTEXT
    choices = tuple(
        choice
        for choice in route.choices
        if (room := choice.model.context or fallback) is None or call.prompt_tokens <= room
    )
    # An unknown context is no reason to ask no model at all.
    choices = choices or tuple(choice for choice in route.choices if choice.model.context is None)
    if len(choices) == len(route.choices):
        return route
    largest = max((choice.model.context or 0 for choice in route.choices), default=0)
    return RoutingPlan(choices, largest_context=largest)


def usable_models(
    enabled: EnabledProviders, models: Callable[[str], tuple[Model, ...]], account: Callable[[EnabledProvider], Account]
) -> Mapping[str, list[tuple[EnabledProvider, Model]]]:
    """Free models by canonical name, over every provider with a key, in their order."""
    found: dict[str, list[tuple[EnabledProvider, Model]]] = {}
    for member in enabled.members:
        name = member.provider.name
        for model in models(name):
            if member.is_free(model, account(member)):
                found.setdefault(model.canonical, []).append((member, model))
    return found
