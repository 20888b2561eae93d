"""Binds LLM to the FreeRide gateway."""

from __future__ import annotations

import sys
from pathlib import Path

from freeride_core import Binder, Endpoint, Place, hookimpl
from freeride_core.editing import YamlDocument

_MODEL = "freeride"
"""By this name it is asked for: `llm -m freeride`."""
_STALE = ("api_type", "api_version", "api_engine", "completion")
"""Of an entry of the same name: another kind of upstream, or a route that the gateway does not serve."""
_PLACES = {"darwin": "Library/Application Support", "win32": "AppData/Roaming"}
_VARIABLES = {"darwin": (), "win32": (("APPDATA", _PLACES["win32"]),)}


class LlmBinder(Binder):
    """Adds a model named freeride to `extra-openai-models.yaml`. Read in llm 0.36 and tried, 2026-11-25."""

    api_version = 1
    name = "llm"
    title = "LLM"
    homepage = "https://llm.datasette.io"
    programs = ("llm",)
    shared_client_names = ("OpenAI/Python",)
    reloads = True
    after = "Ask it with `llm -m freeride`, or make that the default: `llm models default freeride`."

    def __init__(self, platform: str = sys.platform) -> None:
        self._folder = f"{_PLACES.get(platform, '.config')}/io.datasette.llm"
        self.moved_by = (("LLM_USER_PATH", self._folder), *_VARIABLES.get(platform, (("XDG_CONFIG_HOME", ".config"),)))

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / self._folder / "extra-openai-models.yaml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = YamlDocument(text or "")
        connection = {"model_name": endpoint.model, "api_base": endpoint.openai}
        # A key by name would be looked for in `keys.json`; a header is read from here.
        headers = {"Authorization": f"Bearer {endpoint.key}"}
        abilities = {"supports_tools": True, "supports_schema": True}
        entry = document.find([], "model_id", _MODEL)
        if entry is None:
            document.append([], {"model_id": _MODEL, **connection, "headers": headers, **abilities})
            return document.text
        for key in _STALE:
            document.remove([*entry, key])
        for key, value in connection.items():
            document.set([*entry, key], value)
        document.set([*entry, "headers"], headers)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = YamlDocument(text)
        entry = document.find([], "model_id", _MODEL)
        if entry is None or document.get([*entry, "api_base"]) != endpoint.openai:
            return ()
        model = document.get([*entry, "model_name"])
        return (model,) if isinstance(model, str) else ()


@hookimpl
def freeride_register_binder() -> Binder:
    return LlmBinder()
