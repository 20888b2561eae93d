"""Binds Hermes Agent to the FreeRide gateway."""

from __future__ import annotations

import sys
from pathlib import Path

from freeride_core import Binder, Endpoint, Launch, Place, hookimpl
from freeride_core.editing import Value, YamlDocument


class HermesBinder(Binder):
    """Writes the mapping `model` of `config.yaml`. Read in hermes-agent 0.19.0, 2026-11-23."""

    api_version = 1
    name = "hermes"
    title = "Hermes Agent"
    homepage = "https://hermes-agent.nousresearch.com"
    programs = ("hermes",)

    def __init__(self, platform: str = sys.platform) -> None:
        is_windows = platform == "win32"
        self._folder = "AppData/Local/hermes" if is_windows else ".hermes"
        system = (("LOCALAPPDATA", "AppData/Local"),) if is_windows else ()
        self.moved_by = (("HERMES_HOME", self._folder), *system)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / self._folder / "config.yaml"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = YamlDocument(text or "")
        connection: dict[str, Value] = {
            "default": endpoint.model,
            "provider": "custom",
            "base_url": endpoint.openai,
            "api_key": endpoint.key,  # it drops one of less than four characters
            "context_length": endpoint.context,  # it does not start with less than 64,000
        }
        if isinstance(document.get(["model"]), str):  # the short form: a name alone
            document.set(["model"], None)
        document.set(["model"], connection)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = YamlDocument(text)
        if document.get(["model", "base_url"]) != endpoint.openai:
            return ()
        model = document.get(["model", "default"])
        return (model,) if isinstance(model, str) else ()

    def launch(self, endpoint: Endpoint) -> Launch | None:
        # Its provider `custom` takes no key from the environment.
        return Launch(
            program="hermes",
            environment={"OPENAI_BASE_URL": endpoint.openai, "OPENAI_API_KEY": endpoint.key},
            arguments=("--provider", "openai-api", "--model", endpoint.model),
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return HermesBinder()
