"""Binds Codex CLI to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import Binder, ClientProtocol, Endpoint, OtherModel, Place, hookimpl
from freeride_core.editing import TomlDocument

_PROVIDER = "freeride"
_STALE = ("env_key", "env_key_instructions", "requires_openai_auth", "auth", "query_params", "env_http_headers")
"""Of an entry of the same name: another way to sign in, without which Codex does not start, or another address."""
_CONNECTION = ("model_providers", _PROVIDER)


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
        config.set([], {"model": endpoint.model, "model_provider": _PROVIDER, "model_context_window": endpoint.context})
        # A block of its own: with the built-in provider's it would try a WebSocket first.
        for member in _STALE:
            config.remove([*_CONNECTION, member])
        connection = {"name": "FreeRide", "base_url": endpoint.openai, "wire_api": "responses"}
        config.set(_CONNECTION, {**connection, "experimental_bearer_token": endpoint.key})
        return config.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        config = TomlDocument(text)
        model = config.get(["model"])
        is_chosen = config.get(["model_provider"]) == _PROVIDER
        is_bound = is_chosen and config.get([*_CONNECTION, "base_url"]) == endpoint.openai
        return (model,) if is_bound and isinstance(model, str) else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        config = TomlDocument(text)
        profile = config.get(["profile"])
        ways: list[tuple[str | int, ...]] = [(), *([("profiles", profile)] if isinstance(profile, str) else [])]
        found = [OtherModel("review_model", str(config.get(["review_model"])))] if config.get(["review_model"]) else []
        for way in ways:
            provider, model = config.get([*way, "model_provider"]), config.get([*way, "model"])
            if provider not in (None, _PROVIDER) or (
                model is not None and provider is None and model != endpoint.model
            ):
                found.append(OtherModel(".".join(map(str, (*way, "model"))), str(model or provider)))
        return tuple(each for each in found if each.model != endpoint.model)

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - it is a trusted project's
        return (cwd / ".codex" / "config.toml",)


@hookimpl
def freeride_register_binder() -> Binder:
    return CodexBinder()
