"""Binds the chat of Visual Studio Code to the FreeRide gateway."""

from __future__ import annotations

import sys
from pathlib import Path

from freeride_core import Binder, Endpoint, Place, hookimpl
from freeride_core.editing import JsonDocument, Value

_NAME = "FreeRide"
_FOLDERS = {"darwin": "Library/Application Support", "win32": "AppData/Roaming"}
_EDITIONS = ("Code", "Code - Insiders", "VSCodium")


class VsCodeBinder(Binder):
    """Adds a custom endpoint with its model to `chatLanguageModels.json`, which is a list. Read in microsoft/vscode#316916 and
    code.visualstudio.com/docs/agent-customization/model-providers, 2026-12-01; not run here."""

    api_version = 1
    name = "vscode"
    title = "VS Code"
    homepage = "https://code.visualstudio.com"
    programs = ("code", "code-insiders", "codium")
    reloads = True
    after = "Choose FreeRide in the chat's list of models (VS Code 1.122 or newer). It may appear only after a restart."

    def __init__(self, platform: str = sys.platform) -> None:
        self._folder = _FOLDERS.get(platform, ".config")
        moved = {"darwin": (), "win32": (("APPDATA", _FOLDERS["win32"]),)}
        self.moved_by = moved.get(platform, (("XDG_CONFIG_HOME", ".config"),))

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return self._file(home, _EDITIONS[0])

    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        return tuple(self._file(home, edition) for edition in _EDITIONS[1:])

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        address = f"{endpoint.openai}/chat/completions"
        connection = {"vendor": "customendpoint", "apiKey": endpoint.key, "apiType": "chat-completions"}
        # A model that cannot call tools is not shown.
        model: dict[str, Value] = {
            "id": endpoint.model,
            "name": f"FreeRide {endpoint.model}",
            "url": address,
            "toolCalling": True,
            "vision": False,
            "maxInputTokens": endpoint.context,
            "maxOutputTokens": endpoint.max_output,
        }
        entry = document.find([], "name", _NAME)
        if entry is None:
            document.append([], {"name": _NAME, **connection, "models": [model]})
            return document.text
        document.set(entry, connection)
        found = document.find([*entry, "models"], "id", endpoint.model)
        if found is None:
            document.append([*entry, "models"], model)
        else:
            document.set([*found, "url"], address)
        models = document.get([*entry, "models"])
        for index, other in enumerate(models if isinstance(models, list) else ()):
            # Of another gateway, or another route of this one.
            if isinstance(other, dict) and other.get("url") != address:
                document.set([*entry, "models", index, "url"], address)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        entry = document.find([], "name", _NAME)
        models = document.get([*entry, "models"]) if entry else None
        address = f"{endpoint.openai}/chat/completions"
        ours = [each for each in models if isinstance(each, dict)] if isinstance(models, list) else []
        asked = [each.get("id") for each in ours if each.get("url") == address]
        return tuple(model for model in asked if isinstance(model, str))

    def _file(self, home: Path, edition: str) -> Path:
        return home / self._folder / edition / "User" / "chatLanguageModels.json"


@hookimpl
def freeride_register_binder() -> Binder:
    return VsCodeBinder()
