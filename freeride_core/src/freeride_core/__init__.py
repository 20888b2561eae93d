"""What plugin authors import. Start with `freeride_core.hookspecs`.

Each name is loaded when it is first used: `freeride --version` needs none of them, and saves 45 ms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Quota, Reading, Scope, UpstreamRequest
    from freeride_core.binder import (
        FILES,
        Binder,
        ClientProtocol,
        Endpoint,
        EnvironmentBinder,
        Launch,
        OtherModel,
        Place,
        Unreadable,
    )
    from freeride_core.call import Call, Feature, Operation
    from freeride_core.compatible.catalog import CompatibleCatalog, canonical_of, operations_of
    from freeride_core.compatible.midnight import Midnight
    from freeride_core.compatible.probe import CompatibleProbe
    from freeride_core.compatible.provider import CompatibleProvider
    from freeride_core.compatible.quota_headers import QuotaHeaders
    from freeride_core.compatible.quota_texts import QuotaText
    from freeride_core.compatible.rules import Rule
    from freeride_core.compatible.wire import CompatibleWire, bearer
    from freeride_core.free import Allowlist, AnyOf, FreeSuffix, Promoted, UnbillableAccount, WholeCatalog, ZeroPrice
    from freeride_core.hookspecs import API_VERSION, hookimpl
    from freeride_core.ledger.store.store import Entry, Store, StoreError, StoreUrlError
    from freeride_core.limit import Limit, LimitKind
    from freeride_core.model import Model, is_model_name
    from freeride_core.provider import (
        About,
        Account,
        Catalog,
        Credential,
        Decoder,
        FreePolicy,
        Key,
        Probe,
        Proof,
        Provider,
        Wire,
    )

__version__ = "0.5.0"

__all__ = [
    "API_VERSION",
    "FILES",
    "About",
    "Account",
    "Allowlist",
    "Answer",
    "AnyOf",
    "Binder",
    "Call",
    "Catalog",
    "ClientProtocol",
    "CompatibleCatalog",
    "CompatibleProbe",
    "CompatibleProvider",
    "CompatibleWire",
    "Credential",
    "Decoder",
    "Endpoint",
    "Entry",
    "EnvironmentBinder",
    "ErrorKind",
    "Failure",
    "Feature",
    "FreePolicy",
    "FreeSuffix",
    "Key",
    "Launch",
    "Limit",
    "LimitKind",
    "Midnight",
    "Model",
    "Operation",
    "OtherModel",
    "Phase",
    "Place",
    "Probe",
    "Promoted",
    "Proof",
    "Provider",
    "Quota",
    "QuotaHeaders",
    "QuotaText",
    "Reading",
    "Rule",
    "Scope",
    "Store",
    "StoreError",
    "StoreUrlError",
    "UnbillableAccount",
    "Unreadable",
    "UpstreamRequest",
    "WholeCatalog",
    "Wire",
    "ZeroPrice",
    "bearer",
    "canonical_of",
    "hookimpl",
    "is_model_name",
    "operations_of",
]

_NAMES = {
    "answer": ("Answer", "ErrorKind", "Failure", "Phase", "Quota", "Reading", "Scope", "UpstreamRequest"),
    "binder": (
        "FILES",
        "Binder",
        "ClientProtocol",
        "Endpoint",
        "EnvironmentBinder",
        "Launch",
        "OtherModel",
        "Place",
        "Unreadable",
    ),
    "call": ("Call", "Feature", "Operation"),
    "compatible.catalog": ("CompatibleCatalog", "canonical_of", "operations_of"),
    "compatible.midnight": ("Midnight",),
    "compatible.probe": ("CompatibleProbe",),
    "compatible.provider": ("CompatibleProvider",),
    "compatible.quota_headers": ("QuotaHeaders",),
    "compatible.quota_texts": ("QuotaText",),
    "compatible.rules": ("Rule",),
    "compatible.wire": ("CompatibleWire", "bearer"),
    "free": ("Allowlist", "AnyOf", "FreeSuffix", "Promoted", "UnbillableAccount", "WholeCatalog", "ZeroPrice"),
    "hookspecs": ("API_VERSION", "hookimpl"),
    "ledger.store.store": ("Entry", "Store", "StoreError", "StoreUrlError"),
    "limit": ("Limit", "LimitKind"),
    "model": ("Model", "is_model_name"),
    "provider": (
        "About",
        "Account",
        "Catalog",
        "Credential",
        "Decoder",
        "FreePolicy",
        "Key",
        "Probe",
        "Proof",
        "Provider",
        "Wire",
    ),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
