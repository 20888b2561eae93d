"""Binds Continue to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import FILES, Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import YamlDocument

# Continue refuses a file without these.
_REQUIRED = {"name": "Local", "version": "1.0.0", "schema": "v1"}
_ENTRY_NAME = "FreeRide"
_STALE = (
    *(("useLegacyCompletionsEndpoint",), ("useResponsesApi",)),
    *(("env", name) for name in ("apiType", "apiVersion", "deployment", "useLegacyCompletionsEndpoint")),
)
"""Of an entry of the same name: other routes, and another kind of upstream."""


class ContinueBinder(Binder):
    """Puts one model named FreeRide into `config.yaml`, which the editor extensions and `cn` share."""

    api_version = 1
    name = "continue"
    title = "Continue"
    homepage = "https://continue.dev"
    programs = ("cn",)
    moved_by = (("CONTINUE_GLOBAL_DIR", ".continue"),)
    reloads = True
    after = "Choose FreeRide in Continue's list of models. Restart `cn` if it is running."

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".continue" / "config.yaml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = YamlDocument(text or "")
        for key, value in _REQUIRED.items():
            document.add([key], value)
        connection = {
            "provider": "openai",
            "model": endpoint.model,
            "apiBase": endpoint.openai,
            "apiKey": endpoint.key,
        }
        abilities = {"roles": ["chat", "edit", "apply"], "capabilities": ["tool_use"]}
        entry = document.find(["models"], "name", _ENTRY_NAME)
        if entry is None:
            document.append(["models"], {"name": _ENTRY_NAME, **connection, **abilities})
            return document.text
        for path in _STALE:
            document.remove([*entry, *path])
        for key, value in connection.items():
            document.set([*entry, key], value)
        for key, values in abilities.items():  # the user may have chosen others
            document.add([*entry, key], values)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = YamlDocument(text)
        entry = document.find(["models"], "name", _ENTRY_NAME)
        if entry is None or document.get([*entry, "apiBase"]) != endpoint.openai:
            return ()
        model = document.get([*entry, "model"])
        return (model,) if isinstance(model, str) else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by its place in the list
        models = YamlDocument(text).get(["models"])
        for index, entry in enumerate(models if isinstance(models, list) else ()):
            if not isinstance(entry, dict) or "chat" not in entry.get("roles", ("chat",)):
                continue
            # Until another is chosen in its list, it asks the first that chats.
            named = str(entry.get("model") or entry.get("uses"))
            return () if entry.get("name") == _ENTRY_NAME else (OtherModel(f"models.{index}", named),)
        return ()

    def retired_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        return (home / ".continue" / "config.json", home / ".continue" / "config.ts")

    def launch(self, endpoint: Endpoint) -> Launch | None:
        return Launch(
            program="cn",
            arguments=("--config", f"{FILES}/config.yaml"),
            files={"config.yaml": self.edit(None, endpoint)},
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return ContinueBinder()
