"""Binds Qwen Code to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import FILES, Binder, Endpoint, Launch, OtherModel, Place, Unreadable, hookimpl
from freeride_core.editing import JsonDocument

_ENTRIES = ("modelProviders", "openai")
_ENTRY_NAME = "FreeRide"
_VERSION = 4
_OLDER = (
    *("selectedAuthType", "enforcedAuthType", "useExternalAuth", "theme", "customThemes", "hideTips", "vimMode"),
    *("preferredEditor", "language", "disableAutoUpdate", "checkpointing", "usageStatisticsEnabled", "ideMode"),
    *("excludeTools", "coreTools", "allowedTools", "autoAccept", "approvalMode", "sandbox", "allowMCPServers"),
    *("excludeMCPServers", "contextFileName", "includeDirectories", "maxSessionTurns", "sessionTokenLimit"),
)
"""Members of the flat layout from before version 2, which it turns into its present one at its next start."""
_KEY_VARIABLE = "FREERIDE_LOCAL_KEY"


class QwenBinder(Binder):
    """Adds a model named FreeRide to `settings.json` and selects it. Read in @qwen-code/qwen-code 0.24.4, 2026-11-23."""

    api_version = 1
    name = "qwen"
    title = "Qwen Code"
    homepage = "https://qwenlm.github.io/qwen-code-docs/"
    programs = ("qwen",)
    client_names = ("QwenCode",)
    moved_by = (("QWEN_HOME", ".qwen"),)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".qwen" / "settings.json"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        if document.get([]) in (None, {}):
            document.set(["$version"], _VERSION)  # else the one who wrote the rest says which layout it has
        elif document.get(["$version"]) is None and (
            older := [name for name in _OLDER if document.get([name]) is not None]
        ):
            raise Unreadable(
                f"`{older[0]}` is of an older layout, which Qwen Code turns into its present one when it starts: "
                "start it once, then bind again"
            )
        document.set(["env", _KEY_VARIABLE], endpoint.key)  # it takes a key from a variable alone
        entry = {"id": endpoint.model, "name": _ENTRY_NAME, "baseUrl": endpoint.openai, "envKey": _KEY_VARIABLE}
        found = document.find(_ENTRIES, "name", _ENTRY_NAME)
        if found is None:
            document.append(_ENTRIES, {**entry, "generationConfig": {"contextWindowSize": endpoint.context}})
        else:
            document.set(found, entry)
        found = document.find(_ENTRIES, "name", _ENTRY_NAME)
        document.set(["model", "name"], endpoint.model)
        # It chooses between entries of one id by the address, else it takes the first.
        if document.get(["model", "baseUrl"]) is not None or document.find(_ENTRIES, "id", endpoint.model) != found:
            document.set(["model", "baseUrl"], endpoint.openai)
        document.set(["security", "auth", "selectedType"], "openai")
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        entry = document.find(_ENTRIES, "name", _ENTRY_NAME)
        chosen = document.get(["model", "name"])
        if entry is None or document.get([*entry, "baseUrl"]) != endpoint.openai:
            return ()
        return (chosen,) if isinstance(chosen, str) and chosen == document.get([*entry, "id"]) else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        document = JsonDocument(text)
        found = [(name, document.get([name])) for name in ("fastModel", "visionModel")]
        entry = document.find(_ENTRIES, "name", _ENTRY_NAME)
        chosen, sign_in = document.get(["model", "name"]), document.get(["security", "auth", "selectedType"])
        if entry is None:  # a project's file: what it chooses outranks the user's
            found.append(("model.name", chosen))
        if sign_in not in (None, "openai"):
            found.append(("security.auth.selectedType", sign_in))
        return tuple(OtherModel(where, str(model)) for where, model in found if model and model != endpoint.model)

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - it is a project's
        return () if cwd == home else (cwd / ".qwen" / "settings.json",)

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


def _older_members(document: JsonDocument) -> list[str]:
    names = [name for name in _OLDER if document.get([name]) is not None]
    return [*names, *(["model"] if isinstance(document.get(["model"]), str) else [])]


@hookimpl
def freeride_register_binder() -> Binder:
    return QwenBinder()
