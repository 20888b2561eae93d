"""Binds Qwen Code to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import FILES, Binder, Endpoint, Launch, Place, hookimpl
from freeride_core.editing import JsonDocument

_ENTRIES = ("modelProviders", "openai")
_ENTRY_NAME = "FreeRide"
_KEY_VARIABLE = "FREERIDE_LOCAL_KEY"


class QwenBinder(Binder):
    """Adds a model named FreeRide to `settings.json` and selects it. Read in @qwen-code/qwen-code 0.24.4, 2026-11-23."""

    api_version = 1
    name = "qwen"
    title = "Qwen Code"
    homepage = "https://qwenlm.github.io/qwen-code-docs/"
    programs = ("qwen",)
    moved_by = (("QWEN_HOME", ".qwen"),)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".qwen" / "settings.json"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        document.add(["$version"], 4)
        document.set(["env", _KEY_VARIABLE], endpoint.key)  # it takes a key from a variable alone
        entry = {"id": endpoint.model, "name": _ENTRY_NAME, "baseUrl": endpoint.openai, "envKey": _KEY_VARIABLE}
        found = document.find(_ENTRIES, "name", _ENTRY_NAME)
        if found is None:
            document.append(_ENTRIES, {**entry, "generationConfig": {"contextWindowSize": endpoint.context}})
        else:
            document.set(found, entry)
        document.set(["model", "name"], endpoint.model)
        document.set(["security", "auth", "selectedType"], "openai")
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        entry = document.find(_ENTRIES, "name", _ENTRY_NAME)
        chosen = document.get(["model", "name"])
        if entry is None or document.get([*entry, "baseUrl"]) != endpoint.openai:
            return ()
        return (chosen,) if isinstance(chosen, str) and chosen == document.get([*entry, "id"]) else ()

    def launch(self, endpoint: Endpoint) -> Launch | None:
        # A model of this name in a project's `modelProviders` outranks the arguments, and settings of the system outrank that.
        # Tried: @qwen-code/qwen-code 0.24.4, 2026-12-01.
        document = JsonDocument("")
        entry = {"id": endpoint.model, "name": _ENTRY_NAME, "baseUrl": endpoint.openai, "envKey": "OPENAI_API_KEY"}
        document.append(_ENTRIES, entry)
        document.set(["model", "name"], endpoint.model)
        document.set(["security", "auth", "selectedType"], "openai")
        return Launch(
            program="qwen",
            environment={
                "OPENAI_API_KEY": endpoint.key,
                "QWEN_CODE_SYSTEM_SETTINGS_PATH": f"{FILES}/settings.json",
            },
            arguments=("--auth-type", "openai", "--openai-base-url", endpoint.openai, "--model", endpoint.model),
            files={"settings.json": document.text},
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return QwenBinder()
