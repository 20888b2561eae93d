"""Binds Cline CLI to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import FILES, Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument

_PROVIDER = "openai-compatible"
_STALE = ("protocol", "client", "routingProviderId", "apiLine", "region", "aws", "gcp", "azure", "sap", "oca", "auth")
"""Members of a provider's settings that say by which protocol, client or cloud it is asked."""
_UPDATED = "2026-11-23T00:00:00.000Z"


class ClineBinder(Binder):
    """Makes its OpenAI-compatible provider the last used one. Read in cline 3.0.65, 2026-11-23."""

    api_version = 1
    name = "cline"
    title = "Cline CLI"
    homepage = "https://cline.bot"
    programs = ("cline",)
    shared_client_names = ("ai-sdk/openai-compatible",)
    renewed = ("updatedAt",)
    moved_by = (
        ("CLINE_PROVIDER_SETTINGS_PATH", ".cline/data/settings/providers.json"),
        ("CLINE_DATA_DIR", ".cline/data"),
        ("CLINE_DIR", ".cline"),
    )

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".cline" / "data" / "settings" / "providers.json"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "", is_plain=True)
        document.add(["version"], 1)
        document.set(["lastUsedProvider"], _PROVIDER)
        document.add(["modes"], {})
        for member in _STALE:
            document.remove(["providers", _PROVIDER, "settings", member])
        document.set(
            ["providers", _PROVIDER, "settings"],
            {"provider": _PROVIDER, "apiKey": endpoint.key, "model": endpoint.model, "baseUrl": endpoint.openai},
        )
        document.add(["providers", _PROVIDER, "updatedAt"], _UPDATED)
        document.add(["providers", _PROVIDER, "tokenSource"], "manual")
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        settings = ["providers", _PROVIDER, "settings"]
        model = document.get([*settings, "model"])
        is_bound = document.get([*settings, "baseUrl"]) == endpoint.openai
        is_chosen = document.get(["lastUsedProvider"]) == _PROVIDER
        return (model,) if is_bound and is_chosen and isinstance(model, str) else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - modes name providers
        modes = JsonDocument(text).get(["modes"])
        chosen = (
            [(mode, own) for mode, own in modes.items() if isinstance(own, dict)] if isinstance(modes, dict) else []
        )
        named = [(mode, own.get("providerId"), own.get("modelId")) for mode, own in chosen]
        return tuple(
            OtherModel(f"modes.{mode}", f"{provider}/{model}")
            for mode, provider, model in named
            if provider not in (None, _PROVIDER)
        )

    def launch(self, endpoint: Endpoint) -> Launch | None:
        return Launch(
            program="cline",
            environment={"CLINE_PROVIDER_SETTINGS_PATH": f"{FILES}/providers.json"},
            files={"providers.json": self.edit(None, endpoint)},
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return ClineBinder()
