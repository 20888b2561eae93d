"""Plugins: stevedore discovers them, pluggy holds them to the contract, and a broken one is a row and never a crash."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import Literal, TypeAlias

import pluggy

from freeride_core import __version__, hookspecs
from freeride_core.binder import Binder
from freeride_core.plugins.adapters import PROVIDER_ADAPTERS
from freeride_core.plugins.entry_point import load_entry_point
from freeride_core.plugins.validation import (
    Faulty,
    article,
    check_binder,
    check_provider,
    check_version,
    fault,
    stated_version,
)
from freeride_core.provider import Provider
from freeride_core.system.plain_text import printable
from freeride_core.system.upgrade import upgrade_command

Kind: TypeAlias = Literal["provider", "binder"]

GROUPS: Mapping[str, str] = {"provider": "freeride.providers", "binder": "freeride.binders"}
_LONGEST_REASON = 300


class PluginError(Exception):
    """There is no such plugin, or it cannot be used. The text says why, in one line."""


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plugin that a distribution offers."""

    kind: Kind
    name: str
    distribution: str
    version: str
    api: int | None
    """None if loading failed before that was known."""
    status: Literal["ok", "broken", "conflict"]
    reason: str
    """Empty if it is ok."""


@dataclass(frozen=True, slots=True)
class Plugins:
    """What is installed and usable, and a row for everything that is installed."""

    providers: Mapping[str, Provider]
    """In the order in which they are tried when the user sets none."""
    binders: Mapping[str, Binder]
    rows: tuple[PluginRow, ...]
    hooks: pluggy.PluginManager
    """Holds the modules of the usable plugins."""
    modules: Mapping[str, ModuleType]
    """By plugin; where a provider and a binder share a name, the provider's."""


def load_plugins(kinds: Sequence[Kind] = ("provider", "binder")) -> Plugins:
    """Imports and checks all installed plugins of these kinds. No fault of a plugin comes out of here."""
    loader = _Loader()
    for kind in kinds:
        offers = _offers(kind)
        for name in _names_of(offers):
            loader.load(kind, name, offers)
    providers = sorted(loader.providers.items(), key=lambda item: (item[1].rank, item[0]))
    return Plugins(
        providers=MappingProxyType(dict(providers)),
        binders=MappingProxyType(loader.binders),
        rows=tuple(loader.rows),
        hooks=loader.hooks,
        modules=MappingProxyType({name: loader.modules[kind, name] for kind, name in sorted(loader.modules)}),
    )


def load_provider(name: str) -> Provider:
    """This provider, without importing any other; `PluginError` where it cannot be had."""
    return _load_one("provider", name).providers[name]


def load_binder(name: str) -> Binder:
    """This binder, without importing any other; `PluginError` where it cannot be had."""
    return _load_one("binder", name).binders[name]


def row_of(kind: Kind, name: str) -> PluginRow:
    """Load one plugin and no other, and return its row. Raises `PluginError` if it is not installed."""
    loader = _Loader()
    loader.load(kind, name, _offers(kind))
    if not loader.rows:
        raise PluginError(f"no {kind} {name!r} is installed; installed: {', '.join(offered_names(kind)) or 'none'}")
    return loader.rows[0]


def offered_names(kind: Kind) -> tuple[str, ...]:
    """The names under which installed distributions offer plugins, in order; imports none."""
    return _names_of(_offers(kind))


def _load_one(kind: Kind, name: str) -> _Loader:
    loader = _Loader()
    loader.load(kind, name, _offers(kind))
    if not loader.rows:
        raise PluginError(f"no {kind} {name!r} is installed; installed: {', '.join(offered_names(kind)) or 'none'}")
    if loader.rows[0].status != "ok":
        raise PluginError(f"the {kind} {name!r} cannot be used: {loader.rows[0].reason}")
    return loader


class _Loader:
    """Loads plugins one by one, and notes what became of each."""

    def __init__(self) -> None:
        self.hooks = pluggy.PluginManager(hookspecs.PROJECT)
        self.hooks.add_hookspecs(hookspecs)
        self.providers: dict[str, Provider] = {}
        self.binders: dict[str, Binder] = {}
        self.modules: dict[tuple[str, str], ModuleType] = {}
        self.rows: list[PluginRow] = []

    def load(self, kind: Kind, name: str, installed: Sequence[EntryPoint]) -> None:
        offers = [offer for offer in installed if offer.name == name]
        if len(offers) == 1:
            self._load(kind, offers[0])
            return
        sources = printable(" and ".join(sorted(origin_of(offer)[0] for offer in offers)))
        for offer in offers:
            reason = f"{sources} offer the same name: uninstall all but one of them"
            self.rows.append(PluginRow(kind, name, *origin_of(offer), None, "conflict", reason))

    def _load(self, kind: Kind, offer: EntryPoint) -> None:
        api: int | None = None
        try:
            module = _import(offer)
            self._register(kind, offer.name, module)
            plugin = self._ask(kind, module)
            api = stated_version(plugin)
            check_version(api, origin_of(offer)[0])
            if isinstance(plugin, Provider):
                provider = PROVIDER_ADAPTERS[api](plugin) if api in PROVIDER_ADAPTERS else plugin
                check_provider(provider, offer.name)
                self.providers[offer.name] = provider
            else:
                check_binder(plugin, offer.name)
                self.binders[offer.name] = plugin
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # SystemExit too: whatever a plugin does while it loads is the plugin's fault
            if self.hooks.has_plugin(f"{kind}:{offer.name}"):
                self.hooks.unregister(name=f"{kind}:{offer.name}")
            self.rows.append(PluginRow(kind, offer.name, *origin_of(offer), api, "broken", _reason(fault, offer)))
        else:
            self.modules[kind, offer.name] = module
            self.rows.append(PluginRow(kind, offer.name, *origin_of(offer), api, "ok", ""))

    def _register(self, kind: Kind, name: str, module: ModuleType) -> None:
        """Hands the module to pluggy, which checks the signatures; that every hook exists is checked here, because
        pluggy's own check blames the whole program."""
        if other := self.hooks.get_name(module):
            fault(f"its module is that of {other} already; each plugin needs one of its own")
        known = [name for name in vars(hookspecs) if name.startswith("freeride_")]
        for name_in_module, value in vars(module).items():
            if not name_in_module.startswith("freeride_") or not inspect.isroutine(value):
                continue
            if self.hooks.parse_hookimpl_opts(module, name_in_module) is None:
                lacks = "lacks @hookimpl" if name_in_module in known else f"is no hook; there are {', '.join(known)}"
                fault(f"{name_in_module} {lacks}")
        self.hooks.register(module, f"{kind}:{name}")
        for caller in self.hooks.get_hookcallers(module) or ():
            if not caller.has_spec() and not all(impl.optionalhook for impl in caller.get_hookimpls()):
                fault(f"{caller.name} is no hook; there are {', '.join(known)}")

    def _ask(self, kind: Kind, module: ModuleType) -> Provider | Binder:
        hook = f"freeride_register_{kind}"
        caller: pluggy.HookCaller = getattr(self.hooks.hook, hook)
        own = [impl for impl in caller.get_hookimpls() if impl.plugin is module]
        if not own:
            fault(f"its module has no {hook}")
        plugin: object = own[0].function()
        if not isinstance(plugin, Provider if kind == "provider" else Binder):
            fault(f"{hook} returned {article(type(plugin))}, not a {kind.capitalize()}")
        return plugin


def _import(offer: EntryPoint) -> ModuleType:
    module = load_entry_point(offer)
    if not isinstance(module, ModuleType):
        fault(f"its entry point names {article(type(module))}, not a module")
    return module


def _offers(kind: Kind) -> list[EntryPoint]:
    """Reads the metadata of every distribution that is installed, whatever it offers."""
    return list(entry_points(group=GROUPS[kind]))


def _names_of(offers: Sequence[EntryPoint]) -> tuple[str, ...]:
    return tuple(sorted({offer.name for offer in offers}))


def origin_of(offer: EntryPoint) -> tuple[str, str]:
    """The distribution's name and version, whatever state its metadata are in."""
    try:
        return (offer.dist.name or "unknown", offer.dist.version or "") if offer.dist else ("unknown", "")
    except Exception:  # metadata can be damaged in as many ways as a file
        return "unknown", ""


def requirements_of(offer: EntryPoint) -> list[str]:
    """What the distribution says that it needs; nothing where its metadata cannot be read."""
    try:
        return (offer.dist.requires if offer.dist else None) or []
    except Exception:  # as with the origin
        return []


def _reason(fault: BaseException, offer: EntryPoint) -> str:
    """What is wrong, fit to show: a package's exception may quote its settings, keys and all."""
    return printable(_redacted(_words_of(fault, offer)))


def _redacted(text: str) -> str:
    from freeride_core.privacy.redaction import redactor_of
    from freeride_core.settings.home import SettingsError, home_of, read_files

    environ = dict(os.environ)
    with contextlib.suppress(SettingsError):
        environ = {**read_files(home_of(environ)).values, **environ}
    return redactor_of(environ)(text)


def _words_of(fault: BaseException, offer: EntryPoint) -> str:
    text = " ".join(str(fault).split())[:_LONGEST_REASON]
    if isinstance(fault, Faulty):
        return text
    if isinstance(fault, pluggy.PluginValidationError):
        return f"wrong signature: {text}"
    if isinstance(fault, ImportError) and (fault.name or "").partition(".")[0] == "freeride_core":
        # Most likely it was written for another core, and its own metadata say which.
        needs = ", ".join(need for need in requirements_of(offer) if need.startswith("freeride-core"))
        wanted = needs or "another freeride-core"
        return f"ImportError: {text}; it needs {wanted}, and this is {__version__}; run: {upgrade_command()}"
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__
