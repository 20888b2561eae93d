"""A server of the user's own: found, asked for a few words, and written into `config.toml`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import typer

from freeride_core.binder import Unreadable
from freeride_core.call import Operation
from freeride_core.cli.terminal import fail
from freeride_core.cli.upstream import UnreachableUpstream, UpstreamClient
from freeride_core.editing.document import Document
from freeride_core.model import Model
from freeride_core.provider import Provider
from freeride_core.settings.home import PREFIX, variable_stem
from freeride_core.settings.own_providers import with_own_providers
from freeride_core.settings.provider_tables import ProviderTable
from freeride_core.settings.resolver import Settings, check_url
from freeride_core.system.files import write_atomically

_PRIVATE = 0o600
_OPTIONAL = "/v1"


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that has answered."""

    name: str
    url: str
    key_variable: str | None
    new_key: str | None
    """The key that the user has typed; None if it is set already or none is needed."""
    listed: tuple[str, ...]
    """The models that the user has named."""
    models: tuple[str, ...]
    asked: str
    """The model that has answered."""
    answered_s: float


def find_server(
    settings: Settings,
    installed: Mapping[str, Provider],
    name: str,
    url: str,
    key_variable: str | None,
    listed: tuple[str, ...],
) -> FoundServer:
    """Ask the server for its models, and one of them for a few words. Ends the command if it does not answer."""
    check_tables(settings)
    check_url(f"{variable_stem(name)}_BASE_URL", url)
    table = ProviderTable(name=name, enabled=True, key_variable=key_variable, models=listed)
    _provider_at(settings, installed, table, url)  # before the key is asked for: what cannot be used says so
    new_key = None
    if key_variable is not None and not settings.environ.get(key_variable, "").strip():
        new_key = _ask_for_key(key_variable)
        settings = replace(settings, environ=MappingProxyType({**settings.environ, key_variable: new_key}))
    answers: list[str] = []
    found: FoundServer | None = None
    for address in [url, *([] if url.endswith(_OPTIONAL) else [url + _OPTIONAL])]:
        there, provider = _provider_at(settings, installed, table, address)
        client = UpstreamClient(provider, there)
        try:
            if not client.keys:
                fail(f"{key_variable} holds no key that can be used: {' '.join(client.warnings)}")
            models = _models(client, provider, answers)
            if models:
                asked, answered_s = _probe(client, models, address)
                names = tuple(model.id for model in models)
                found = FoundServer(name, address, key_variable, new_key, listed, names, asked, answered_s)
                break
        finally:
            client.close()
    if found is None:
        fail(f"No models were found. {' '.join(answers)} Nothing was written.")
    return found


def _provider_at(
    settings: Settings, installed: Mapping[str, Provider], table: ProviderTable, url: str
) -> tuple[Settings, Provider]:
    environ = MappingProxyType({**settings.environ, f"{variable_stem(table.name)}_BASE_URL": url})
    tables = MappingProxyType({**settings.provider_tables, table.name: table})
    there = replace(settings, environ=environ, provider_tables=tables)
    return there, with_own_providers(there, installed)[table.name]


def _ask_for_key(variable: str) -> str:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        fail(f"{variable} is not set. Set it, or run this in a terminal to be asked for the key.")
    key: str = typer.prompt(f"Paste the key for {variable} (hidden)", hide_input=True, err=True)
    return key.strip()


def _models(client: UpstreamClient, provider: Provider, answers: list[str]) -> tuple[Model, ...]:
    """Return the models that can chat. If no model can, the reason is added to `answers`."""
    if provider.catalog.models:
        return provider.catalog.models
    request = provider.catalog.request(client.keys[0])
    if request is None:
        raise AssertionError("a server without configured models has its own list")
    try:
        answer = client.ask(request)
        if answer.status in (401, 403):
            advice = "Name the variable that holds its key with --key-variable."
            answers.append(f"{request.url} rejected the request ({answer.status}). {advice}")
            return ()
        models = provider.catalog.parse(answer) if answer.status == 200 else ()
    except (UnreachableUpstream, ValueError) as error:
        answers.append(
            f"{error}."
            if isinstance(error, UnreachableUpstream)
            else f"{request.url} returned something that is not a list of models."
        )
        return ()
    if not models:
        answers.append(
            f"{request.url} answered {answer.status}{'' if answer.status != 200 else ' with an empty list'}."
        )
    return tuple(model for model in models if Operation.CHAT in model.operations)


def _probe(client: UpstreamClient, models: tuple[Model, ...], url: str) -> tuple[str, float]:
    """The first model that answers, and how long that took, seconds."""
    begun = time.monotonic()
    verdict = client.probe(models[0].id, client.keys[0])
    if not verdict.is_ok:
        fail(
            f"{url} lists {models[0].id}, but that model did not answer ({verdict.kind}). Load the model there, or name "
            "another one with --model. Nothing was written."
        )
    return models[0].id, time.monotonic() - begun


def save_server(settings: Settings, found: FoundServer) -> None:
    """Write its lines, and its key if the user has typed one."""
    from freeride_core.settings.dotenv import set_variables

    lines: dict[str, Any] = {"base_url": found.url, "enabled": True}
    if found.key_variable is not None:
        lines["key_variable"] = found.key_variable
    if found.listed:
        lines["models"] = list(found.listed)
    edit_config(settings, lambda document: document.set(("providers", found.name), lines))
    if found.key_variable is not None and found.new_key is not None:
        set_variables(settings.home / ".env", {found.key_variable: found.new_key})


def check_tables(settings: Settings) -> None:
    """End the command if `config.toml` has a list where tables would have to be."""
    if settings.origins.get(f"{PREFIX}PROVIDERS") == settings.home / "config.toml" and settings.providers:
        fail(
            "config.toml has a list `providers`, and TOML cannot hold tables [providers.NAME] beside it. Remove the list, and put "
            f"this line into {settings.home / '.env'}: {PREFIX}PROVIDERS={','.join(settings.providers)}"
        )


def edit_config(settings: Settings, edit: Callable[[Document], None]) -> None:
    """Change `config.toml` in place, comments and order kept. Ends the command if that cannot be done."""
    try:
        from freeride_core.editing import TomlDocument
    except ImportError as error:
        fail(str(error))
    check_tables(settings)
    path = (settings.home / "config.toml").resolve()
    try:
        document = TomlDocument(path.read_text("utf-8-sig") if path.exists() else "")
        edit(document)
        write_atomically(path, document.text.encode(), _PRIVATE)
    except Unreadable as error:
        fail(f"{path} stays as it is: {error}")
    except OSError as error:
        fail(f"{path} stays as it is: {error.strerror}")
