"""The provider that is described by data alone."""

from __future__ import annotations

from freeride_core.answer import Scope
from freeride_core.call import Operation
from freeride_core.limit import Limit
from freeride_core.provider import About, Catalog, Credential, FreePolicy, Probe, Provider, Wire


class CompatibleProvider(Provider):
    """A provider that is all data."""

    def __init__(
        self,
        *,
        api_version: int,
        name: str,
        about: About,
        credentials: tuple[Credential, ...],
        base_url: str,
        free: FreePolicy,
        catalog: Catalog,
        chat: Wire | None = None,
        embeddings: Wire | None = None,
        limits: tuple[Limit, ...] = (),
        probe: Probe | None = None,
        meter: Scope = Scope.ACCOUNT,
        first_byte_timeout: float | None = None,
        missing_models_most: int | None = None,
        free_models_variables: tuple[str, ...] = (),
        former_names: tuple[str, ...] = (),
        rank: int = 100,
    ) -> None:
        self.api_version = api_version
        self.name = name
        self.rank = rank
        self.about = about
        self.credentials = credentials
        self.base_url = base_url
        self.free = free
        self.catalog = catalog
        wires = {Operation.CHAT: chat, Operation.EMBEDDINGS: embeddings}
        self.wires = {operation: wire for operation, wire in wires.items() if wire is not None}
        self.limits = limits
        self.probe = probe
        self.meter = meter
        self.first_byte_timeout = first_byte_timeout
        self.missing_models_most = missing_models_most
        self.free_models_variables = free_models_variables
        self.former_names = former_names
