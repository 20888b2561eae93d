"""Binds Goose to the FreeRide gateway."""

from __future__ import annotations

import sys
from pathlib import Path

from freeride_core import Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument, YamlDocument

_PROVIDER = "freeride"
_STALE = ("base_path", "api_key_env", "dynamic_models")
"""Of a file of the same name: another path, a key from elsewhere, a list of models in place of the file's."""
_ACTIVE = ("active_provider", "GOOSE_PROVIDER")
"""Members of `config.yaml` that choose a provider, the stronger first."""
_JOBS = ("GOOSE_PLANNER", "GOOSE_SUBAGENT")
_ROUTE = "v1/chat/completions"


class GooseBinder(Binder):
    """Writes a provider of its own, a file in `custom_providers`. Read in github.com/aaif-goose/goose
    (documentation/docs/guides/config-files.md, crates/goose/src/config/declarative_providers.rs and providers.rs,
    providers/openai.rs), 2026-12-01."""

    api_version = 1
    name = "goose"
    title = "Goose"
    homepage = "https://goose-docs.ai"
    programs = ("goose",)
    overruled_by = ("GOOSE_PROVIDER", "GOOSE_MODEL")
    after = "Choose FreeRide with `goose configure`, or start it as `GOOSE_PROVIDER=freeride GOOSE_MODEL={model} goose session`."

    def __init__(self, platform: str = sys.platform) -> None:
        is_windows = platform == "win32"
        self._folder = "AppData/Roaming/Block/goose/config" if is_windows else ".config/goose"
        self.moved_by = (("APPDATA", "AppData/Roaming"),) if is_windows else (("XDG_CONFIG_HOME", ".config"),)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / self._folder / "custom_providers" / f"{_PROVIDER}.json"

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        return (home / self._folder / "config.yaml",)

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "", is_plain=True)
        for member, value in (("name", _PROVIDER), ("engine", "openai"), ("display_name", "FreeRide")):
            document.set([member], value)
        document.set(["base_url"], _address(endpoint))
        for member in _STALE:
            document.remove([member])
        # A key by name is looked for in the keyring or in a variable; a header is read from here.
        document.set(["requires_auth"], False)
        document.set(["headers", "Authorization"], f"Bearer {endpoint.key}")
        if document.find(["models"], "name", endpoint.model) is None:
            document.append(["models"], {"name": endpoint.model, "context_limit": endpoint.context})
        document.add(["supports_streaming"], True)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        if document.get(["base_url"]) != _address(endpoint):
            return ()
        entries = document.get(["models"])
        ids = [entry.get("name") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        return tuple(each for each in ids if isinstance(each, str))

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by the provider's name
        if text.lstrip().startswith("{"):  # its own file, which chooses nothing
            return ()
        document = YamlDocument(text)
        active = next((each for each in _ACTIVE if document.get([each])), _ACTIVE[-1])
        chosen = document.get([active])
        settings = [
            (active, chosen, document.get(["providers", str(chosen), "model"]) or document.get(["GOOSE_MODEL"]))
        ]
        settings += [
            (f"{job}_PROVIDER", document.get([f"{job}_PROVIDER"]), document.get([f"{job}_MODEL"])) for job in _JOBS
        ]
        return tuple(
            OtherModel(where, f"{provider}/{model}" if model else provider)
            for where, provider, model in settings
            if isinstance(provider, str) and provider != _PROVIDER
        )

    def launch(self, endpoint: Endpoint) -> Launch | None:
        # Variables outrank its files and its keyring.
        return Launch(
            program="goose",
            environment={
                "GOOSE_PROVIDER": "openai",
                "GOOSE_MODEL": endpoint.model,
                "OPENAI_HOST": endpoint.root,
                "OPENAI_BASE_PATH": _ROUTE,
                "OPENAI_API_KEY": endpoint.key,
            },
        )


def _address(endpoint: Endpoint) -> str:
    """With the route, which not every version adds to a base URL by itself."""
    return f"{endpoint.root}/{_ROUTE}"


@hookimpl
def freeride_register_binder() -> Binder:
    return GooseBinder()
