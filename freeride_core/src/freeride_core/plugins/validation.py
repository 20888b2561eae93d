"""Validation: what a plugin must have, checked once when it is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, NoReturn, TypeVar

from freeride_core.answer import Scope
from freeride_core.binder import Binder, EnvironmentBinder, Place
from freeride_core.call import Operation
from freeride_core.hookspecs import API_VERSION
from freeride_core.limit import Limit
from freeride_core.model import Model, is_model_name
from freeride_core.plugins.adapters import PROVIDER_ADAPTERS
from freeride_core.provider import About, Catalog, Credential, Probe, Provider, Wire
from freeride_core.system.upgrade import upgrade_command

_Member = TypeVar("_Member")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Faulty(Exception):
    """The plugin breaks a rule; the text says which."""


def fault(reason: str) -> NoReturn:
    """Says which rule the plugin breaks."""
    raise Faulty(reason)


def article(kind: type) -> str:
    """`an About`, `a dict`."""
    return f"{'an' if kind.__name__[0] in 'AEIOUaeio' else 'a'} {kind.__name__}"


def stated_version(plugin: object) -> int:
    """The version of the contract that the plugin was written for; `Faulty` where it does not say."""
    api = getattr(plugin, "api_version", None)
    if isinstance(api, int) and not isinstance(api, bool):
        return api
    fault(f"it does not say for which version of the contract it was written, such as api_version = {API_VERSION}")


def check_version(api: int, distribution: str) -> None:
    """`Faulty` unless this core speaks that version."""
    if api > API_VERSION:
        fault(f"it speaks plugin API {api}, and this core speaks {API_VERSION}; run: {upgrade_command()}")
    if api < API_VERSION and api not in PROVIDER_ADAPTERS:
        spoken = " and ".join(map(str, (API_VERSION, *PROVIDER_ADAPTERS)))
        fault(f"it speaks plugin API {api}, and this core speaks {spoken}; get a newer {distribution}")


def check_provider(provider: Provider, name: str) -> None:
    """`Faulty` unless every member is there and of its type; `name` is the entry point's."""
    _check_name(provider, name)
    _member(provider, "rank", int)
    _member(provider, "about", About)
    if _member(provider, "base_url", str).endswith("/"):
        fault("`base_url` ends with '/', and paths are appended that begin with it")
    _member(provider, "meter", Scope)
    _members(provider, "limits", Limit)
    _members(provider, "free_models_variables", str)
    _members(provider, "former_names", str)
    for credential in _members(provider, "credentials", Credential):
        re.compile(credential.pattern or "")
    catalog = _member(provider, "catalog", Catalog)
    _member(catalog, "checked", str)
    for model in _members(catalog, "models", Model):
        check_model(model)
    free = _member(provider, "free", object)
    if not callable(getattr(free, "allows", None)):
        fault("`free` has no `allows`")
    _member(free, "asks_account", bool)
    wires = _member(provider, "wires", Mapping)
    if not wires or not all(
        isinstance(operation, Operation) and isinstance(wire, Wire) for operation, wire in wires.items()
    ):
        fault("`wires` does not map one or more of Operation to a Wire")
    _member(provider, "probe", (Probe, NoneType))
    _member(provider, "first_byte_timeout", (int, float, NoneType))
    _member(provider, "missing_models_most", (int, NoneType))


_FLAG, _SIZE = (bool, NoneType), (int, NoneType)
_OF_A_MODEL: Mapping[str, Any] = {
    **dict.fromkeys(("id", "canonical"), str),
    "operations": frozenset,
    "tier": int,
    **dict.fromkeys(("context", "max_output"), _SIZE),
    **dict.fromkeys(("tools", "vision", "json_schema", "reasoning"), _FLAG),
    "price": (int, float, NoneType),
    **dict.fromkeys(("promoted", "router"), bool),
    "retires": (str, NoneType),
}


def check_model(model: object) -> None:
    """`Faulty` unless it is a model and everything about it is of its type."""
    if not isinstance(model, Model):
        fault(f"{article(type(model))} stands for a model")
    for name, kind in _OF_A_MODEL.items():
        try:
            _member(model, name, kind)
        except Faulty as reason:
            fault(f"the model {model.id!r}: {reason}")
    if not (is_model_name(model.id) and is_model_name(model.canonical)):
        fault(f"the model {model.id[:64]!r}: a name has 1 to 256 printable ASCII characters and no blanks")
    if model.retires is not None and not _DATE.match(model.retires):
        fault(f"the model {model.id!r}: `retires` does not begin with an ISO date")


def check_binder(binder: Binder, name: str) -> None:
    """`Faulty` unless every member is there and of its type; `name` is the entry point's."""
    _check_name(binder, name)
    _member(binder, "title", str)
    _member(binder, "homepage", str)
    if not _members(binder, "scopes", Place) and not isinstance(binder, EnvironmentBinder):
        fault("`scopes` is empty")


def _check_name(plugin: Provider | Binder, name: str) -> None:
    own = _member(plugin, "name", str)
    if own != name:
        fault(f"its entry point is named {name!r}, and it names itself {own!r}")
    if not _NAME.fullmatch(name):
        fault(f"its name {name!r} has more than lower-case letters, digits and underscores")


def _member(owner: object, name: str, kind: Any) -> Any:
    try:
        value = getattr(owner, name)
    except AttributeError:
        fault(f"`{name}` is missing")
    if not isinstance(value, kind):
        fault(f"`{name}` is {article(type(value))}, not {article(kind[0] if isinstance(kind, tuple) else kind)}")
    return value


def _members(owner: object, name: str, kind: type[_Member]) -> tuple[_Member, ...]:
    values = _member(owner, name, tuple)
    for value in values:
        if not isinstance(value, kind):
            fault(f"`{name}` holds {article(type(value))}, not {article(kind)}")
    return tuple(values)
