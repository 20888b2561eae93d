"""Binds Mistral Vibe to the FreeRide gateway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from freeride_core import Binder, Endpoint, OtherModel, Place, hookimpl
from freeride_core.editing import TomlDocument, Value

_NAME = "freeride"
"""Of the provider, and by which its model is chosen."""

_ALIASES = (("active_model",), ("utility_models", "title"), ("utility_models", "smart_approve"))


class VibeBinder(Binder):
    """Adds a provider and a model to `config.toml` and selects it. Read in mistral-vibe 3.0.2 and tried, 2026-11-25."""

    api_version = 1
    name = "vibe"
    title = "Mistral Vibe"
    homepage = "https://docs.mistral.ai/mistral-vibe/"
    programs = ("vibe",)
    shared_client_names = ("python-httpx",)
    moved_by = (("VIBE_HOME", ".vibe"),)
    overruled_by = ("VIBE_ACTIVE_MODEL",)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - a project's file is read in trusted folders only
        return home / ".vibe" / "config.toml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        config = TomlDocument(text or "")
        config.set(["active_model"], _NAME)
        connection = {"api_base": endpoint.openai, "api_style": "openai", "backend": "generic"}
        # A key by name would be looked for in a variable or in the keyring; a header is read from here.
        provider: dict[str, Value] = {**connection, "extra_headers": {"Authorization": f"Bearer {endpoint.key}"}}
        # It compacts above 200,000 by itself, which may be more than fits; some room is for what comes at once.
        limit = {"auto_compact_threshold": endpoint.context * 3 // 4}
        _put(config, "providers", "name", provider, {})
        _put(config, "models", "alias", {"name": endpoint.model, "provider": _NAME}, limit)
        if entry := config.find(["providers"], "name", _NAME):
            config.remove([*entry, "api_key_env_var"])  # without that variable it does not start
        allowed = config.get(["allowed_models"])
        if isinstance(allowed, list) and allowed and endpoint.model not in allowed:
            config.append(["allowed_models"], endpoint.model)
        return config.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        config = TomlDocument(text)
        provider, model = config.find(["providers"], "name", _NAME), config.find(["models"], "alias", _NAME)
        if config.get(["active_model"]) != _NAME or provider is None or model is None:
            return ()
        is_bound = config.get([*provider, "api_base"]) == endpoint.openai
        is_bound = is_bound and config.get([*model, "provider"]) == _NAME
        name = config.get([*model, "name"])
        return (name,) if is_bound and isinstance(name, str) else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by its alias
        config = TomlDocument(text)
        vision = config.get(["vision_model", "provider"])
        found = [OtherModel("vision_model", f"{vision}/{config.get(['vision_model', 'name'])}")] if vision else []
        aliases = [(".".join(path), config.get(path)) for path in _ALIASES]
        found += [OtherModel(where, str(alias)) for where, alias in aliases if alias and alias != _NAME]
        return tuple(each for each in found if not each.model.startswith(f"{_NAME}/"))

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - it is a trusted project's
        return () if cwd == home else (cwd / ".vibe" / "config.toml",)


def _put(config: TomlDocument, key: str, field: str, values: Mapping[str, Value], if_new: Mapping[str, Value]) -> None:
    """Gives these values to our entry of the list of tables at `key`; a new one is put at the list's end."""
    entry = config.find([key], field, _NAME)
    if entry is None:
        config.append([key], {field: _NAME, **values, **if_new})
    else:
        config.set(entry, values)


@hookimpl
def freeride_register_binder() -> Binder:
    return VibeBinder()
