"""Providers that a user declares in `config.toml`: servers of their own that are compatible with OpenAI."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from freeride_core.compatible.catalog import CompatibleCatalog, canonical_of, operations_of
from freeride_core.compatible.provider import CompatibleProvider
from freeride_core.compatible.wire import CompatibleWire
from freeride_core.free import WholeCatalog
from freeride_core.hookspecs import API_VERSION
from freeride_core.model import Model
from freeride_core.provider import About, Credential, Provider
from freeride_core.settings.home import PREFIX, SettingsError, variable_stem
from freeride_core.settings.provider_tables import FOR_INSTALLED, ProviderTable
from freeride_core.settings.resolver import Settings
from freeride_core.system.loopback import is_loopback

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_TAKEN = frozenset({"auto", "default", "free", "coding", "fast", "quality", "freeride", "other"})
"""What clients and telemetry mean something else by."""
_KEY_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|SECRET)")
_OF_A_CLOUD = re.compile(r"ACCESS_(?:KEY|TOKEN)")
"""Variables of this name hold a cloud account's key, which no model server takes."""
_SUFFIX = re.compile(r"_\d+$")
_RANK = 500
"""After every installed provider of today that wants a key, before those of the user's own machine."""
_PATIENCE_S = 300.0
"""A server of one's own may load the model first, which takes from seconds to minutes."""
_DATA_USE = {
    "yes": "prompts are used for training, as you say",
    "no": "prompts are not used for training, as you say",
    "opt-out": "prompts are used for training unless you opt out, as you say",
    "unknown": "what happens to prompts is not known",
}


def with_own_providers(settings: Settings, installed: Mapping[str, Provider]) -> dict[str, Provider]:
    """Return the installed providers and those of the user's own. Raise `SettingsError` for a table that cannot be used."""
    own: dict[str, Provider] = {}
    for table in settings.provider_tables.values():
        if table.name not in installed:
            own[table.name] = _provider(_checked(table, settings, installed))
            continue
        for member in sorted(table.members.difference(FOR_INSTALLED)):
            _fail(
                settings,
                f"providers.{table.name}.{member}",
                f"a setting of an installed provider; there are {', '.join(FOR_INSTALLED)}",
            )
    return {**installed, **own}


def own_tables(settings: Settings, installed: Iterable[str]) -> list[ProviderTable]:
    """Return the tables of providers that are not installed, in the order of the file."""
    names = set(installed)
    return [table for table in settings.provider_tables.values() if table.name not in names]


def notices_of(settings: Settings, installed: Iterable[str]) -> Iterator[str]:
    """Give a line for each provider of the user's own: that it counts as free, and which key goes where."""
    for table in own_tables(settings, installed):
        if table.enabled is False:
            continue
        url = _url(table, settings)
        key = f" It is sent the key in {table.key_variable}." if table.key_variable else ""
        yield f"{table.name} at {url} counts as free, as config.toml says.{key}"


def _checked(table: ProviderTable, settings: Settings, installed: Mapping[str, Provider]) -> _OwnServer:
    where = f"providers.{table.name}"
    if not _NAME.fullmatch(table.name) or table.name in _TAKEN:
        _fail(
            settings,
            where,
            "a name of a provider; use up to 31 lower-case letters, digits and hyphens, and no word like auto",
        )
    for name in installed:
        if variable_stem(name) == variable_stem(table.name):
            _fail(settings, where, f"a free name: its variables would be those of {name}; choose another one")
    url = _url(table, settings)
    if not url:
        _fail(settings, f"{where}.base_url", "set; write the address of the server, such as http://127.0.0.1:1234/v1")
    host = urlsplit(url).hostname or ""
    if _is_link_local(host):
        _fail(
            settings,
            f"{where}.base_url",
            "an address for prompts: it is link-local, where machines of a cloud give out secrets",
        )
    if table.key_variable is not None:
        _check_variable(table, table.key_variable, settings, installed)
    return _OwnServer(table, url, is_loopback(host))


def _check_variable(table: ProviderTable, variable: str, settings: Settings, installed: Mapping[str, Provider]) -> None:
    where = f"providers.{table.name}.key_variable"
    if not _KEY_VARIABLE.fullmatch(variable) or variable.startswith(PREFIX) or _OF_A_CLOUD.search(variable):
        _fail(settings, where, "a variable for its key; use a name of its own that ends in _KEY, _TOKEN or _SECRET")
    for name, provider in installed.items():
        if _SUFFIX.sub("", variable) in variables_of(provider):
            _fail(
                settings,
                where,
                f"its own: {variable} holds a key of {name}, which must go nowhere else; choose another name",
            )
    for other in own_tables(settings, installed):
        if other.name != table.name and other.key_variable and _is_same_family(other.key_variable, variable):
            _fail(settings, where, f"its own: {other.name} has that variable; choose another name")


def _is_same_family(one: str, other: str) -> bool:
    return _SUFFIX.sub("", one) == _SUFFIX.sub("", other)


def variables_of(provider: Provider) -> set[str]:
    """Return the variables that hold its keys and accounts, without those with a number."""
    names: set[str] = set()
    for credential in provider.credentials:
        names |= {credential.variable, *credential.aliases, *credential.account_aliases}
        names |= {credential.account_variable} if credential.account_variable else set()
    return names


def _url(table: ProviderTable, settings: Settings) -> str:
    return settings.environ.get(f"{variable_stem(table.name)}_BASE_URL", "").strip().rstrip("/")


def _is_link_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_link_local


def _fail(settings: Settings, name: str, kind: str) -> NoReturn:
    kind, _, hint = kind.partition("; ")
    raise SettingsError(f"{settings.home / 'config.toml'}: {name}", kind, hint or "remove it")


@dataclass(frozen=True, slots=True)
class _OwnServer:
    """A table that was checked."""

    table: ProviderTable
    url: str
    is_on_this_machine: bool


def _provider(server: _OwnServer) -> Provider:
    table = server.table
    read_entry = _EntryReader(table.name, table.tier)
    listed = tuple(read_entry.model(name) for name in table.models)
    training = table.training or ("no" if server.is_on_this_machine else "unknown")
    return CompatibleProvider(
        api_version=API_VERSION,
        name=table.name,
        rank=_RANK,
        about=About(
            title=table.name,
            homepage=server.url,
            free_day="no limit that FreeRide knows of; you say that it is free",
            data_use=_DATA_USE[training],
            source="config.toml",
            checked="",
        ),
        credentials=() if table.key_variable is None else (Credential(variable=table.key_variable),),
        base_url=server.url,
        free=WholeCatalog(),
        catalog=CompatibleCatalog(
            models=listed, checked=server.url, path=None if listed else "/models", parse_entry=read_entry, fresh_s=60.0
        ),
        chat=CompatibleWire(path="/chat/completions"),
        embeddings=CompatibleWire(path="/embeddings"),
        first_byte_timeout=_PATIENCE_S if server.is_on_this_machine else None,
    )


@dataclass(frozen=True, slots=True)
class _EntryReader:
    """Reads one entry of a server's list."""

    provider: str
    tier: int

    def __call__(self, row: Mapping[str, Any], _dated: Mapping[str, Model]) -> Sequence[Model]:
        if not isinstance(row["id"], str):
            return ()
        return (self.model(row["id"], _context_of(row)),)

    def model(self, name: str, context: int | None = None) -> Model:
        # `maker/model` is the same model elsewhere; a bare name may be anything, so it is this server's alone.
        own = canonical_of(name)
        return Model(
            id=name,
            canonical=own if "/" in own else f"{self.provider}/{own}",
            operations=operations_of(name),
            tier=self.tier,
            context=context,
            tools=True,
            vision=True,
        )


def _context_of(row: Mapping[str, Any]) -> int | None:
    """What vLLM (`max_model_len`), LM Studio (`max_context_length`) and llama.cpp (`meta.n_ctx`) say, as of December 2026."""
    meta = row.get("meta")
    found = [row.get("max_model_len"), row.get("context_length"), row.get("max_context_length")]
    found += [meta.get("n_ctx")] if isinstance(meta, Mapping) else []
    return next((size for size in found if isinstance(size, int) and not isinstance(size, bool) and size > 0), None)
