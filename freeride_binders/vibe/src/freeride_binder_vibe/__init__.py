"""Binds Mistral Vibe to the FreeRide gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, Table

from freeride_core import Binder, Endpoint, Unreadable, hookimpl
from freeride_core.binder import Place
from freeride_core.editing.toml import TomlDocument, Value

_NAME = "freeride"
"""Of the provider, and by which its model is chosen."""


class VibeBinder(Binder):
    """Adds a provider and a model to `config.toml` and selects it. Read in mistral-vibe 3.0.2 and tried, 2026-11-25."""

    api_version = 1
    name = "vibe"
    title = "Mistral Vibe"
    homepage = "https://docs.mistral.ai/mistral-vibe/"
    programs = ("vibe",)
    moved_by = (("VIBE_HOME", ".vibe"),)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - a project's file is read in trusted folders only
        return home / ".vibe" / "config.toml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        config = TomlDocument(text or "")
        config.set(config.document, {"active_model": _NAME})
        connection = {"api_base": endpoint.openai, "api_style": "openai", "backend": "generic"}
        # A key by name would be looked for in a variable or in the keyring; a header stands here.
        headers = {"Authorization": f"Bearer {endpoint.key}"}
        _put(config, "providers", "name", {**connection, "extra_headers": headers}, {})
        # It compacts above 200,000 by itself, which may be more than fits; some room is for what comes at once.
        limit = {"auto_compact_threshold": endpoint.context * 3 // 4}
        _put(config, "models", "alias", {"name": endpoint.model, "provider": _NAME}, limit)
        return config.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = TomlDocument(text).document.unwrap()
        provider, model = _find(document.get("providers"), "name"), _find(document.get("models"), "alias")
        is_bound = document.get("active_model") == _NAME and provider.get("api_base") == endpoint.openai
        name = model.get("name") if model.get("provider") == _NAME else None
        return (name,) if is_bound and isinstance(name, str) else ()


def _put(config: TomlDocument, key: str, field: str, values: Mapping[str, Value], if_new: Mapping[str, Value]) -> None:
    """Gives these values to our entry of the list of tables at `key`; a new one is put at the list's end."""
    document = config.document
    if key not in document:
        _leave_a_line(document, tomlkit.dumps(document))
        document.add(key, tomlkit.aot())
    entries = document[key]
    if not isinstance(entries, AoT):
        raise Unreadable(f"`{key}` is no list of tables, each below a `[[{key}]]`")
    for entry in entries:
        if entry.get(field) == _NAME:
            config.set(entry, values)
            return
    new = tomlkit.table()
    config.set(new, {field: _NAME, **values, **if_new})
    if entries and entries[-1].as_string().endswith("\n\n"):
        new.add(tomlkit.nl())  # something follows
    elif entries:
        _leave_a_line(entries[-1], entries[-1].as_string())
    entries.append(new)


def _leave_a_line(part: tomlkit.TOMLDocument | Table, text: str) -> None:
    if text and not text.endswith("\n\n"):
        part.add(tomlkit.nl())


def _find(entries: object, field: str) -> Mapping[str, Any]:
    tables = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return next((entry for entry in tables if entry.get(field) == _NAME), {})


@hookimpl
def freeride_register_binder() -> Binder:
    return VibeBinder()
