"""Binds Codex CLI to the FreeRide gateway."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from freeride_core import Binder, Endpoint, Unreadable, hookimpl
from freeride_core.binder import Route, Scope

_PROVIDER = "freeride"


class CodexBinder(Binder):
    """Adds a provider to `config.toml` and selects it. Read in @openai/codex 0.169.0, 2026-11-23."""

    api_version = 1
    name = "codex"
    title = "Codex CLI"
    homepage = "https://developers.openai.com/codex/cli"
    needs = Route.RESPONSES
    programs = ("codex",)

    def path(self, scope: Scope, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".codex" / "config.toml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        given = text or ""
        is_dos = "\r\n" in given and given.count("\n") == given.count("\r\n")
        document = _parse(given.replace("\r\n", "\n") if is_dos else given)
        _set(document, {"model": endpoint.model, "model_provider": _PROVIDER, "model_context_window": endpoint.context})
        providers = document.setdefault("model_providers", tomlkit.table(is_super_table=True))
        if not isinstance(providers, MutableMapping):
            raise Unreadable("`model_providers` is not a table")
        # A block of its own: with the built-in provider's it would try a WebSocket first.
        provider = providers.setdefault(_PROVIDER, tomlkit.table())
        if not isinstance(provider, MutableMapping):
            raise Unreadable(f"`model_providers.{_PROVIDER}` is not a table")
        connection = {"name": "FreeRide", "base_url": endpoint.openai, "wire_api": "responses"}
        _set(provider, {**connection, "experimental_bearer_token": endpoint.key})
        edited = tomlkit.dumps(document)
        return edited.replace("\n", "\r\n") if is_dos else edited

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = _parse(text).unwrap()
        provider = document.get("model_providers", {}).get(_PROVIDER, {})
        model = document.get("model")
        is_bound = document.get("model_provider") == _PROVIDER and provider.get("base_url") == endpoint.openai
        return (model,) if is_bound and isinstance(model, str) else ()


def _parse(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise Unreadable(str(error)) from None


def _set(table: MutableMapping[str, Any], values: Mapping[str, str | int]) -> None:
    for name, value in values.items():
        if table.get(name) != value:
            table[name] = value


@hookimpl
def freeride_register_binder() -> Binder:
    return CodexBinder()
