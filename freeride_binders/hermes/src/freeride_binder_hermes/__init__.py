"""Binds Hermes Agent to the FreeRide gateway."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from freeride_core import Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import Value, YamlDocument

_SIDE_JOBS = ("auxiliary", "delegation", "fallback_model", "fallback_providers")
_INHERITING = ("", "auto", "main", "none", "custom")
_VARIABLE = re.compile(r"^[ \t]*+(?:export[ \t]++)?CUSTOM_BASE_URL[ \t]*+=[ \t]*+(.*?)[ \t\r]*$", re.MULTILINE)
"""As a `.env` sets it. No configuration, which is a mapping, has such a line at its root."""


class HermesBinder(Binder):
    """Writes the mapping `model` of `config.yaml`. Read in hermes-agent 0.19.0, 2026-11-23."""

    api_version = 1
    name = "hermes"
    title = "Hermes Agent"
    homepage = "https://hermes-agent.nousresearch.com"
    programs = ("hermes",)
    shared_client_names = ("OpenAI/Python",)
    overruled_by = ("CUSTOM_BASE_URL",)

    def __init__(self, platform: str = sys.platform) -> None:
        is_windows = platform == "win32"
        self._folder = "AppData/Local/hermes" if is_windows else ".hermes"
        system = (("LOCALAPPDATA", "AppData/Local"),) if is_windows else ()
        self.moved_by = (("HERMES_HOME", self._folder), *system)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / self._folder / "config.yaml"

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        return (home / self._folder / ".env",)

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
        if document.get(["model", "api_mode"]) is not None:  # Hermes writes it at each choice of a model
            document.set(["model", "api_mode"], "chat_completions")
        document.set(["model"], connection)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = YamlDocument(text)
        if document.get(["model", "base_url"]) != endpoint.openai:
            return ()
        model = document.get(["model", "default"])
        return (model,) if isinstance(model, str) else ()

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        if variables := _VARIABLE.findall(text):
            base = variables[-1].strip("\"'")
            return () if base in ("", endpoint.openai) else (OtherModel("CUSTOM_BASE_URL", _host(base)),)
        document = YamlDocument(text)
        found = [each for job in _SIDE_JOBS for each in _chosen(job, document.get([job]), endpoint)]
        namesake = document.get(["providers", "custom", "base_url"]) or document.get(["providers", "custom", "api"])
        if namesake is not None and namesake != endpoint.openai:  # it is taken before what `model` says
            found.insert(0, OtherModel("providers.custom", str(namesake)))
        return tuple(found)

    def launch(self, endpoint: Endpoint) -> Launch | None:
        # Its provider `custom` takes no key from the environment.
        return Launch(
            program="hermes",
            environment={"OPENAI_BASE_URL": endpoint.openai, "OPENAI_API_KEY": endpoint.key},
            arguments=("--provider", "openai-api", "--model", endpoint.model),
        )


def _host(base: str) -> str:
    """All that is told of an address in a `.env`, where the rest may be secret."""
    try:
        return urlsplit(base).hostname or "another address"
    except ValueError:
        return "another address"


def _chosen(where: str, job: object, endpoint: Endpoint) -> Iterator[OtherModel]:
    """What a side job asks that has a provider or an address of its own, and what those in it ask."""
    if isinstance(job, list):
        for index, entry in enumerate(job):
            yield from _chosen(f"{where}.{index}", entry, endpoint)
    if not isinstance(job, dict):
        return
    provider, base = str(job.get("provider") or ""), job.get("base_url")
    if provider not in _INHERITING or base not in (None, "", endpoint.openai):
        yield OtherModel(where, str(job.get("model") or provider or base))
    for name, inner in job.items():
        yield from _chosen(f"{where}.{name}", inner, endpoint)


@hookimpl
def freeride_register_binder() -> Binder:
    return HermesBinder()
