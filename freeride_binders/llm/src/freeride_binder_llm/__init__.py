"""Binds LLM to the FreeRide gateway."""

from __future__ import annotations

import sys
from pathlib import Path

from freeride_core import Binder, Endpoint, hookimpl
from freeride_core.binder import Place
from freeride_core.editing.yaml import YamlDocument

_MODEL = "freeride"
"""By this name it is asked for: `llm -m freeride`."""
_PLACES = {"darwin": "Library/Application Support", "win32": "AppData/Roaming"}
_VARIABLES = {"darwin": (), "win32": (("APPDATA", _PLACES["win32"]),)}


class LlmBinder(Binder):
    """Adds a model named freeride to `extra-openai-models.yaml`. Read in llm 0.36 and tried, 2026-11-25."""

    api_version = 1
    name = "llm"
    title = "LLM"
    homepage = "https://llm.datasette.io"
    programs = ("llm",)
    reloads = True
    after = "Ask it with `llm -m freeride`, or make that the default: `llm models default freeride`."

    def __init__(self, platform: str = sys.platform) -> None:
        self._folder = f"{_PLACES.get(platform, '.config')}/io.datasette.llm"
        self.moved_by = (("LLM_USER_PATH", self._folder), *_VARIABLES.get(platform, (("XDG_CONFIG_HOME", ".config"),)))

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / self._folder / "extra-openai-models.yaml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = YamlDocument(text or "", is_list=True)
        connection = {"model_name": endpoint.model, "api_base": endpoint.openai}
        # A key by name would be looked for in `keys.json`; a header stands here.
        bearer = f"Bearer {endpoint.key}"
        headers = {"Authorization": bearer}
        abilities = {"supports_tools": True, "supports_schema": True}
        entry = document.find(None, "model_id", _MODEL)
        if entry is None:
            document.append(None, {"model_id": _MODEL, **connection, "headers": headers, **abilities})
            return document.text
        for key, value in connection.items():
            document.set(key, value, within=entry)
        document.add("headers", headers, within=entry)
        document.set("Authorization", bearer, within=(*entry, "headers"))
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = YamlDocument(text, is_list=True)
        entry = document.find(None, "model_id", _MODEL)
        if entry is None or document.get("api_base", within=entry) != endpoint.openai:
            return ()
        model = document.get("model_name", within=entry)
        return (model,) if model else ()


@hookimpl
def freeride_register_binder() -> Binder:
    return LlmBinder()
