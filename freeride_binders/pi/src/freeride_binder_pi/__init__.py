"""Binds pi to the FreeRide gateway."""

from __future__ import annotations

import json
from pathlib import Path

from freeride_core import FILES, Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument, Value

_PROVIDER = ("providers", "freeride")


class PiBinder(Binder):
    """Adds a provider with its model to `models.json`. Read in @mariozechner/pi-coding-agent 0.73.1, 2026-11-23."""

    api_version = 1
    name = "pi"
    title = "pi"
    homepage = "https://pi.dev"
    after = "Choose FreeRide with /model, or start it with --provider freeride --model MODEL."
    programs = ("pi",)
    client_names = ("pi",)
    shared_client_names = ("OpenAI/JS",)
    moved_by = (("PI_CODING_AGENT_DIR", ".pi/agent"),)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".pi" / "agent" / "models.json"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        connection = {"baseUrl": endpoint.openai, "apiKey": endpoint.key, "api": "openai-completions"}
        document.set(_PROVIDER, connection)
        found = document.find((*_PROVIDER, "models"), "id", endpoint.model)
        if found is None:
            limits = {"contextWindow": endpoint.context, "maxTokens": endpoint.max_output}
            free = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
            entry: dict[str, Value] = {"id": endpoint.model, "name": f"FreeRide {endpoint.model}", **limits}
            document.append((*_PROVIDER, "models"), {**entry, "input": ["text"], "reasoning": False, "cost": free})
        else:
            for member in ("api", "baseUrl"):  # they outrank the provider's
                document.remove((*found, member))
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        if document.get((*_PROVIDER, "baseUrl")) != endpoint.openai:
            return ()
        entries = document.get((*_PROVIDER, "models"))
        ids = [entry.get("id") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        return tuple(each for each in ids if isinstance(each, str))

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by the provider's name
        # The choice is in `settings.json` beside it, and in a project's.
        document = JsonDocument(text)
        provider, model = document.get(["defaultProvider"]), document.get(["defaultModel"])
        return (OtherModel("defaultModel", f"{provider}/{model}"),) if provider not in (None, _PROVIDER[1]) else ()

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - it has one scope
        return (cwd / ".pi" / "settings.json", home / ".pi" / "agent" / "settings.json")

    def launch(self, endpoint: Endpoint) -> Launch | None:
        # An extension adds the provider to those of its own files.
        provider = JsonDocument(self.edit(None, endpoint)).get(_PROVIDER)
        return Launch(
            program="pi",
            arguments=("-e", f"{FILES}/freeride.mjs", "--provider", "freeride", "--model", endpoint.model),
            files={
                "freeride.mjs": f'export default (pi) => pi.registerProvider("freeride", {json.dumps(provider)});\n'
            },
            outranked_by=(".pi/extensions",),
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return PiBinder()
