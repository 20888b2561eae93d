"""What plugin authors import. Start with `freeride_core.hookspecs`."""

from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Reading, Scope, UpstreamRequest
from freeride_core.binder import FILES, Binder, ClientProtocol, Endpoint, Launch, OtherModel, Place, Unreadable
from freeride_core.call import Call, Feature, Operation
from freeride_core.compatible.catalog import CompatibleCatalog, CompatibleProbe, canonical_of
from freeride_core.compatible.errors import Rule
from freeride_core.compatible.midnight import Midnight
from freeride_core.compatible.wire import CompatibleProvider, CompatibleWire, bearer
from freeride_core.free import Allowlist, AnyOf, FreeSuffix, Promoted, UnbillableAccount, WholeCatalog, ZeroPrice
from freeride_core.hookspecs import API_VERSION, hookimpl
from freeride_core.model import Model, is_model_name
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
    "OtherModel",
    "Phase",
    "Place",
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
    "is_model_name",
]
