"""Binds Codex CLI to the FreeRide gateway."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

import tomlkit
from tomlkit.items import InlineTable, Table

from freeride_core import Binder, Endpoint, Unreadable, hookimpl
from freeride_core.binder import ClientProtocol, Place
from freeride_core.editing.toml import TomlDocument

_PROVIDER = "freeride"


class CodexBinder(Binder):
    """Adds a provider to `config.toml` and selects it. Read in @openai/codex 0.169.0, 2026-11-23."""

    api_version = 1
    name = "codex"
    title = "Codex CLI"
    homepage = "https://developers.openai.com/codex/cli"
    needs = ClientProtocol.RESPONSES
    programs = ("codex",)
    moved_by = (("CODEX_HOME", ".codex"),)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".codex" / "config.toml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        config = TomlDocument(text or "")
        config.set(config.document, {"model": endpoint.model, "model_provider": _PROVIDER})
        config.set(config.document, {"model_context_window": endpoint.context})
        providers = config.document.setdefault("model_providers", tomlkit.table(is_super_table=True))
        if not isinstance(providers, MutableMapping):
            raise Unreadable("`model_providers` is not a table")
        # A block of its own: with the built-in provider's it would try a WebSocket first.
        is_amid = isinstance(providers, Table) and providers.as_string().endswith("\n\n") and _PROVIDER not in providers
        is_inline = isinstance(providers, InlineTable)
        provider = providers.setdefault(_PROVIDER, tomlkit.inline_table() if is_inline else tomlkit.table())
        if not isinstance(provider, MutableMapping):
            raise Unreadable(f"`model_providers.{_PROVIDER}` is not a table")
        connection = {"name": "FreeRide", "base_url": endpoint.openai, "wire_api": "responses"}
        config.set(provider, {**connection, "experimental_bearer_token": endpoint.key})
        if is_amid and isinstance(provider, Table):
            provider.add(tomlkit.nl())
        return config.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = TomlDocument(text).document.unwrap()
        providers, model = document.get("model_providers"), document.get("model")
        provider = providers.get(_PROVIDER) if isinstance(providers, dict) else None
        base_url = provider.get("base_url") if isinstance(provider, dict) else None
        is_bound = document.get("model_provider") == _PROVIDER and base_url == endpoint.openai
        return (model,) if is_bound and isinstance(model, str) else ()


@hookimpl
def freeride_register_binder() -> Binder:
    return CodexBinder()
