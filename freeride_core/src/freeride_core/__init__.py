"""What plugin authors import. Start with `freeride_core.hookspecs`."""

from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Reading, Scope, UpstreamRequest
from freeride_core.binder import Binder, Endpoint, Launch, Unreadable
from freeride_core.call import Call, Feature, Operation
from freeride_core.compatible.catalog import CompatibleCatalog, canonical_of, operations_of
from freeride_core.compatible.midnight import Midnight
from freeride_core.compatible.probe import CompatibleProbe
from freeride_core.compatible.provider import CompatibleProvider
from freeride_core.compatible.rules import Rule
from freeride_core.compatible.wire import CompatibleWire, bearer
from freeride_core.free import Allowlist, AnyOf, FreeSuffix, Promoted, UnbillableAccount, WholeCatalog, ZeroPrice
from freeride_core.hookspecs import API_VERSION, hookimpl
from freeride_core.model import Model
from freeride_core.provider import (
    About,
    Account,
    Catalog,
    Credential,
    Decoder,
    FreePolicy,
    Key,
    Limit,
    Probe,
    Proof,
    Provider,
    Wire,
)

__version__ = "0.5.0"

__all__ = [
    "API_VERSION",
    "About",
    "Account",
    "Allowlist",
    "Answer",
    "AnyOf",
    "Binder",
    "Call",
    "Catalog",
    "CompatibleCatalog",
    "CompatibleProbe",
    "CompatibleProvider",
    "CompatibleWire",
    "Credential",
    "Decoder",
    "Endpoint",
    "ErrorKind",
    "Failure",
    "Feature",
    "FreePolicy",
    "FreeSuffix",
    "Key",
    "Launch",
    "Limit",
    "Midnight",
    "Model",
    "Operation",
    "Phase",
    "Probe",
    "Promoted",
    "Proof",
    "Provider",
    "Reading",
    "Rule",
    "Scope",
    "UnbillableAccount",
    "Unreadable",
    "UpstreamRequest",
    "WholeCatalog",
    "Wire",
    "ZeroPrice",
    "bearer",
    "canonical_of",
    "hookimpl",
    "operations_of",
]
