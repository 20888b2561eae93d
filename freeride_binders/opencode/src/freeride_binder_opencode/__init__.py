"""Binds OpenCode to the FreeRide gateway."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from freeride_core import Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument

_PROVIDER = "freeride"
_PROMPTS = ("agent", "agents", "command", "commands", "mode", "modes")
_SMALL = "freeride/fast"
"""For titles and summaries, of which it asks one for each session: the quota of the quick models serves them."""


class OpenCodeBinder(Binder):
    """Adds a provider with its models to `opencode.json`. Read in opencode-ai 1.18.33, 2026-11-23.

    A base for the binders of agents that were forked from it: their files, folders and variables have their own name in it."""

    api_version = 1
    name = "opencode"
    title = "OpenCode"
    homepage = "https://opencode.ai"
    scopes = (Place.HOME, Place.PROJECT)
    merges = True
    programs = ("opencode",)
    client_names = ("opencode",)
    key_reference = "{env:NAME}"
    overruled_by = ("OPENCODE_CONFIG_CONTENT", "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR")
    moved_by = (("XDG_CONFIG_HOME", ".config"),)
    schema = "https://opencode.ai/config.json"
    agents: tuple[str, ...] = ("build", "plan")
    """What it begins with. A model that a file gives to one of them outranks the chosen one."""

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        return self._folder(scope, home, cwd) / f"{self.name}.json"

    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:
        return (self._folder(scope, home, cwd) / f"{self.name}.jsonc",)

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - they are the same
        folders = [folder / f".{self.name}" for folder in dict.fromkeys((cwd, home))]
        return tuple(folder / f"{self.name}{suffix}" for folder in folders for suffix in (".jsonc", ".json"))

    def prompt_folders(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:
        of_home = (self._folder(scope, home, cwd), home / f".{self.name}")
        folders = (cwd / f".{self.name}",) if scope is Place.PROJECT else of_home
        return tuple(folder / name for folder in folders for name in _PROMPTS)

    def is_own(self, model: str) -> bool:
        return model.startswith(f"{_PROVIDER}/")

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        document.add(["$schema"], self.schema)
        document.set(["model"], f"{_PROVIDER}/{endpoint.model}")
        document.set(["small_model"], f"{_PROVIDER}/{_SMALL}")
        provider = ["provider", _PROVIDER]
        document.set([*provider, "npm"], "@ai-sdk/openai-compatible")
        document.add([*provider, "name"], "FreeRide")
        document.set([*provider, "options"], {"baseURL": endpoint.openai, "apiKey": endpoint.key})
        self._open_lists(document, provider, (endpoint.model, _SMALL))
        for model in dict.fromkeys((endpoint.model, _SMALL)):  # it fetches no list of models
            limit = {"context": endpoint.context, "output": endpoint.max_output}
            document.add([*provider, "models", model], {"name": f"FreeRide {model}", "limit": limit})
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        if document.get(["provider", _PROVIDER, "options", "baseURL"]) != endpoint.openai:
            return ()
        chosen = [document.get([member]) for member in ("model", "small_model")]
        lead = f"{_PROVIDER}/"
        ids = [ref.removeprefix(lead) for ref in chosen if isinstance(ref, str) and ref.startswith(lead)]
        return tuple(dict.fromkeys(ids))

    def _open_lists(self, document: JsonDocument, provider: Sequence[str], models: Sequence[str]) -> None:
        """Lists of what may be used take the provider and its models in, and lists of what may not be used let go of them."""
        _drop(document, ["disabled_providers"], _PROVIDER)
        _put(document, ["enabled_providers"], _PROVIDER)
        for model in dict.fromkeys(models):
            _drop(document, [*provider, "blacklist"], model)
            _put(document, [*provider, "whitelist"], model)

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by the provider's name
        document = JsonDocument(text)
        settings = [(member, document.get([member])) for member in ("model", "small_model")]
        for kind in ("agent", "mode", "command"):
            each = document.get([kind])
            named = each.items() if isinstance(each, dict) else ()
            settings += [(f"{kind}.{name}.model", own.get("model")) for name, own in named if isinstance(own, dict)]
        lead = f"{_PROVIDER}/"
        return tuple(OtherModel(at, ref) for at, ref in settings if isinstance(ref, str) and not ref.startswith(lead))

    def launch(self, endpoint: Endpoint) -> Launch | None:
        # This outranks its files, the project's too. Providers of a project's own, which its agents may name, are left out.
        # Tried: opencode-ai 1.18.33 and @kilocode/cli 7.7.7, 2026-12-01.
        document = JsonDocument(self.edit(None, endpoint))
        document.set(["enabled_providers"], [_PROVIDER])
        document.set(["disabled_providers"], [])
        for agent in self.agents:
            document.set(["agent", agent, "model"], f"{_PROVIDER}/{endpoint.model}")
        return Launch(
            program=self.programs[0],
            environment={self.overruled_by[0]: document.text},
            outranked_by=(f".{self.name}/plugin", f".{self.name}/plugins"),
        )

    def _folder(self, scope: Place, home: Path, cwd: Path) -> Path:
        return cwd if scope is Place.PROJECT else home / ".config" / self.name


def _put(document: JsonDocument, path: Sequence[str], name: str) -> None:
    listed = document.get(path)
    if isinstance(listed, list) and name not in listed:
        document.append(path, name)


def _drop(document: JsonDocument, path: Sequence[str], name: str) -> None:
    listed = document.get(path)
    if isinstance(listed, list) and name in listed:
        document.remove([*path, listed.index(name)])


@hookimpl
def freeride_register_binder() -> Binder:
    return OpenCodeBinder()
