"""Binds Crush to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import Binder, Endpoint, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument

_PROVIDER = "freeride"
_SMALL = "freeride/fast"
"""For titles and summaries, of which it asks one for each session: the quota of the quick models serves them."""


class CrushBinder(Binder):
    """Adds a provider with its models to `crush.json`. Read in github.com/charmbracelet/crush (docs/config/README.md and
    internal/config), of which 0.96.1 was the newest release, 2026-11-25."""

    api_version = 1
    name = "crush"
    title = "Crush"
    homepage = "https://github.com/charmbracelet/crush"
    scopes = (Place.HOME, Place.PROJECT)
    programs = ("crush",)
    key_reference = "$NAME"
    merges = True
    moved_by = (("CRUSH_GLOBAL_CONFIG", ".config/crush"), ("XDG_CONFIG_HOME", ".config"))
    after = "If it keeps a model that you chose in it before, choose FreeRide with ctrl+l."

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        return _folder(scope, home, cwd) / "crush.json"

    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - the project has two names
        return (cwd / ".crush.json",) if scope is Place.PROJECT else ()

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - nor a folder
        # What is chosen in it is kept there, and outranks the file of the home folder. A project's outranks both.
        return (home / ".local" / "share" / "crush" / "crush.json",) if scope is Place.HOME else ()

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "", is_plain=True)
        document.add(["$schema"], "https://charm.land/crush.json")
        provider = ["providers", _PROVIDER]
        document.add([*provider, "name"], "FreeRide")
        document.remove([*provider, "disable"])
        # `openai` is for OpenAI itself, and what speaks like it in everything.
        document.set([*provider, "type"], "openai-compat")
        document.set([*provider, "base_url"], endpoint.openai)
        document.set([*provider, "api_key"], endpoint.key)
        for model in dict.fromkeys((endpoint.model, _SMALL)):  # it fetches no list of models
            if document.find([*provider, "models"], "id", model) is None:
                limits = {"context_window": endpoint.context, "default_max_tokens": endpoint.max_output}
                document.append([*provider, "models"], {"id": model, "name": f"FreeRide {model}", **limits})
        for size, model in (("large", endpoint.model), ("small", _SMALL)):
            document.set(["models", size], {"provider": _PROVIDER, "model": model})
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        if document.get(["providers", _PROVIDER, "base_url"]) != endpoint.openai:
            return ()
        chosen = [document.get(["models", size]) for size in ("large", "small")]
        ours = [each.get("model") for each in chosen if isinstance(each, dict) and each.get("provider") == _PROVIDER]
        return tuple(dict.fromkeys(model for model in ours if isinstance(model, str)))

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by the provider's name
        document = JsonDocument(text)
        found: list[OtherModel] = []
        for size in ("large", "small"):
            provider, model = (document.get(["models", size, member]) for member in ("provider", "model"))
            if provider is not None and provider != _PROVIDER:
                found.append(OtherModel(f"models.{size}", f"{provider}/{model}"))
        if document.get(["providers", _PROVIDER, "disable"]) is True:
            found.append(OtherModel(f"providers.{_PROVIDER}.disable", "its other providers"))
        return tuple(found)


def _folder(scope: Place, home: Path, cwd: Path) -> Path:
    return cwd if scope is Place.PROJECT else home / ".config" / "crush"


@hookimpl
def freeride_register_binder() -> Binder:
    return CrushBinder()
