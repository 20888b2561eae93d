"""Binds Zed to the FreeRide gateway."""

from __future__ import annotations

import sys
from pathlib import Path

from freeride_core import Binder, Endpoint, OtherModel, Place, Unreadable, hookimpl
from freeride_core.editing import JsonDocument

_PROVIDER = "freeride"
_SIDE_MODELS = ("inline_assistant_model", "commit_message_model", "thread_summary_model", "subagent_model")


class ZedBinder(Binder):
    """Adds an OpenAI-compatible provider to `settings.json` and selects its model. Read in github.com/zed-industries/zed
    (docs/src/ai/use-api-access.md, crates/language_models/src/provider/open_ai_compatible.rs), 2026-11-25."""

    api_version = 1
    name = "zed"
    title = "Zed"
    homepage = "https://zed.dev"
    programs = ("zed", "zeditor")
    reloads = True
    # It sends no request without a key, looks for it in this variable and in the system's keychain, and takes no
    # `Authorization` from its settings.
    after = (
        "Give Zed the key `{key}`: under `agent: open settings`, LLM Providers, freeride; "
        "or start it as `FREERIDE_API_KEY={key} zed`."
    )

    def __init__(self, platform: str = sys.platform) -> None:
        self._folder = "AppData/Roaming/Zed" if platform == "win32" else ".config/zed"
        self.moved_by = (("XDG_CONFIG_HOME", ".config"),) if platform == "linux" else ()

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - a project's file sets no language models
        return home / self._folder / "settings.json"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        if document.get(["assistant"]) is not None and document.get(["agent"]) is None:
            raise Unreadable(
                "`assistant` is the older name of `agent`, to which Zed renames it: run `zed: open settings` and accept that, "
                "then bind again"
            )
        provider = ["language_models", "openai_compatible", _PROVIDER]
        document.set([*provider, "api_url"], endpoint.openai)
        models = [*provider, "available_models"]
        if document.find(models, "name", endpoint.model) is None:
            limits = {"max_tokens": endpoint.context, "max_output_tokens": endpoint.max_output}
            document.append(models, {"name": endpoint.model, "display_name": f"FreeRide {endpoint.model}", **limits})
        document.set(["agent", "default_model"], {"provider": _PROVIDER, "model": endpoint.model})
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        chosen = ["agent", "default_model"]
        model = document.get([*chosen, "model"])
        is_here = document.get(["language_models", "openai_compatible", _PROVIDER, "api_url"]) == endpoint.openai
        is_chosen = document.get([*chosen, "provider"]) == _PROVIDER
        return (model,) if is_here and is_chosen and isinstance(model, str) else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by the provider's name
        document = JsonDocument(text)
        found: list[OtherModel] = []
        for job in _SIDE_MODELS:
            provider, model = (document.get(["agent", job, member]) for member in ("provider", "model"))
            if provider not in (None, _PROVIDER):
                found.append(OtherModel(f"agent.{job}", f"{provider}/{model}"))
        profiles = document.get(["agent", "profiles"])
        for name, profile in profiles.items() if isinstance(profiles, dict) else ():
            own = profile.get("default_model") if isinstance(profile, dict) else None
            if isinstance(own, dict) and own.get("provider") != _PROVIDER:
                model = f"{own.get('provider')}/{own.get('model')}"
                found.append(OtherModel(f"agent.profiles.{name}.default_model", model))
        return tuple(found)


@hookimpl
def freeride_register_binder() -> Binder:
    return ZedBinder()
