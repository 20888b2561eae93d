"""Binds aider to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import Binder, Endpoint, Launch, hookimpl
from freeride_core.binder import Scope
from freeride_core.yaml_text import YamlText

_VIA = "openai/"
"""What aider asks the base URL for; the rest of the name is the gateway's."""


class AiderBinder(Binder):
    """Writes `.aider.conf.yml`. aider reads the home folder's file, then the project's, which wins key by key."""

    api_version = 1
    name = "aider"
    title = "aider"
    homepage = "https://aider.chat"
    scopes = (Scope.HOME, Scope.PROJECT)
    programs = ("aider",)

    def path(self, scope: Scope, home: Path, cwd: Path) -> Path:
        return (cwd if scope is Scope.PROJECT else home) / ".aider.conf.yml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = YamlText(text or "")
        document.set("openai-api-base", endpoint.openai)
        document.set("openai-api-key", endpoint.key)
        # Without the prefix aider picks an upstream by the model's name and goes past the gateway.
        document.set("model", _VIA + endpoint.model)
        document.set("show-model-warnings", False)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = YamlText(text)
        if document.get("openai-api-base") != endpoint.openai:
            return ()
        wanted = [document.get(name) or "" for name in ("model", "weak-model", "editor-model")]
        # What has another prefix, or none, goes past the gateway.
        return tuple(dict.fromkeys(name.removeprefix(_VIA) for name in wanted if name.startswith(_VIA)))

    def launch(self, endpoint: Endpoint) -> Launch | None:
        # aider's own names outrank its files, and a plain OPENAI_API_BASE that a `.env` of the project may hold.
        return Launch(
            program="aider",
            environment={
                "AIDER_OPENAI_API_BASE": endpoint.openai,
                "AIDER_OPENAI_API_KEY": endpoint.key,
                "AIDER_MODEL": _VIA + endpoint.model,
                "AIDER_SHOW_MODEL_WARNINGS": "false",
            },
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return AiderBinder()
