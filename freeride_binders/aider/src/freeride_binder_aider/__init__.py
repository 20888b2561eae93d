"""Binds aider to the FreeRide gateway."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

from freeride_core import FILES, Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import YamlDocument

_VIA = "openai/"
"""What aider asks the base URL for; the rest of the name is the gateway's."""
_MODELS = ("model", "weak-model", "editor-model")
_OLD_CONNECTION = ("openai-api-type", "openai-api-version", "openai-api-deployment-id", "openai-organization-id")
"""Older options for another kind of upstream, which aider turns into variables of the library that connects."""
_SHORTCUTS = ("OPUS", "SONNET", "HAIKU", "4", "4O", "MINI", "4_TURBO", "35TURBO", "DEEPSEEK", "O1_MINI", "O1_PREVIEW")
"""The variables of older options that choose a model of a vendor's. They outrank the model."""

_VARIABLE = re.compile(
    r"^[ \t]*+(?:export[ \t]++)?(AIDER_[A-Z_]++|OPENAI_BASE_URL)[ \t]*+=[ \t]*+(.*?)[ \t\r]*$", re.MULTILINE
)
"""As a `.env` sets one. No configuration, which is a mapping, has such a line at its root."""


class AiderBinder(Binder):
    """Writes `.aider.conf.yml`. aider reads the home folder's file, then the project's, which wins key by key. The variables, which
    a `.env` may set, outrank both."""

    api_version = 1
    name = "aider"
    title = "aider"
    homepage = "https://aider.chat"
    scopes = (Place.HOME, Place.PROJECT)
    programs = ("aider",)
    shared_client_names = ("OpenAI/Python",)
    overruled_by = ("AIDER_OPENAI_API_BASE", "AIDER_OPENAI_API_KEY", "AIDER_MODEL", "OPENAI_BASE_URL")

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        return (cwd if scope is Place.PROJECT else home) / ".aider.conf.yml"

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - of both
        return (cwd / ".env", home / ".env")

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = YamlDocument(text or "")
        document.set(["openai-api-base"], endpoint.openai)
        document.set(["openai-api-key"], endpoint.key)
        # Without the prefix aider picks an upstream by the model's name and goes past the gateway.
        document.set(["model"], _VIA + endpoint.model)
        document.set(["show-model-warnings"], False)
        for option in (*_OLD_CONNECTION, *map(_option, _SHORTCUTS)):
            document.remove([option])
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = YamlDocument(text)
        if document.get(["openai-api-base"]) != endpoint.openai:
            return ()
        wanted = [str(document.get([name])) for name in _MODELS]
        # What has another prefix, or none, goes past the gateway.
        return tuple(dict.fromkeys(name.removeprefix(_VIA) for name in wanted if name.startswith(_VIA)))

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        if variables := _VARIABLE.findall(text):
            return _others_of({name: value.strip("\"'") for name, value in variables}, endpoint)
        document = YamlDocument(text)
        base, found = document.get(["openai-api-base"]), [(name, document.get([name])) for name in _MODELS]
        others = [OtherModel(name, str(model)) for name, model in found if model and not str(model).startswith(_VIA)]
        others += [OtherModel(name, name) for name in map(_option, _SHORTCUTS) if document.get([name]) is True]
        return (*([OtherModel("openai-api-base", str(base))] if base not in (None, endpoint.openai) else []), *others)

    def launch(self, endpoint: Endpoint) -> Launch | None:
        model = _VIA + endpoint.model
        own = {
            "AIDER_OPENAI_API_BASE": endpoint.openai,
            "AIDER_OPENAI_API_KEY": endpoint.key,
            "AIDER_MODEL": model,
            "AIDER_SHOW_MODEL_WARNINGS": "false",
            "OPENAI_BASE_URL": endpoint.openai,
        }
        # aider reads `.env` files, which outrank the environment: those of the home, the repository and the folder, then this one.
        # It puts settings of models together from as many places, in the same order. Read and tried: 0.86.2, 2026-12-01.
        host = urlsplit(endpoint.root).hostname or ""
        outranking = {
            **own,
            "AIDER_WEAK_MODEL": model,
            "AIDER_EDITOR_MODEL": model,
            "AIDER_ALIAS": f"freeride:{model}",
            "AIDER_SET_ENV": f"OPENAI_BASE_URL={endpoint.openai}",
            "NO_PROXY": f"${{NO_PROXY}},{host}",
            "no_proxy": f"${{NO_PROXY}},${{no_proxy}},{host}",
            **{f"AIDER_{name}": "false" for name in _SHORTCUTS},
        }
        settings = [
            {"name": "aider/extra_params", "extra_params": {"api_base": endpoint.openai, "base_url": endpoint.openai}}
        ]
        return Launch(
            program="aider",
            environment=own,
            arguments=(
                *("--env-file", f"{FILES}/freeride.env", "--model-settings-file", f"{FILES}/model.settings.yml"),
                *("--openai-api-base", endpoint.openai, "--model", model),
            ),
            files={
                "freeride.env": "".join(_assignment(name, value) for name, value in outranking.items()),
                "model.settings.yml": json.dumps(settings),
            },
        )


def _option(shortcut: str) -> str:
    """Return the name as the file has it: `35turbo`, `o1-mini`."""
    return shortcut.lower().replace("_", "-")


def _others_of(variables: dict[str, str], endpoint: Endpoint) -> tuple[OtherModel, ...]:
    """Show only the host of an address: the values of a `.env` are secret."""
    models = [
        (name, variables.get(name, "")) for name in (f"AIDER_{each.replace('-', '_').upper()}" for each in _MODELS)
    ]
    others = [OtherModel(name, model) for name, model in models if model and not model.startswith(_VIA)]
    # litellm asks the second first. Tried: aider 0.86.2, 2026-12-01.
    bases = [(name, variables.get(name)) for name in ("AIDER_OPENAI_API_BASE", "OPENAI_BASE_URL")]
    others += [OtherModel(name, _host(base)) for name, base in bases if base and base != endpoint.openai]
    return tuple(others)


def _host(base: str) -> str:
    try:
        return urlsplit(base).hostname or "another address"
    except ValueError:
        return "another address"


def _assignment(name: str, value: str) -> str:
    """A line of a `.env`."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'\n"


@hookimpl
def freeride_register_binder() -> Binder:
    return AiderBinder()
