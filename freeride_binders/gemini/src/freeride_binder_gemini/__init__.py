"""Binds Gemini CLI to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import Binder, ClientProtocol, Endpoint, OtherModel, Place, hookimpl
from freeride_core.editing import EnvDocument

_AUTO = "freeride/auto"
"""The gateway's other word for `auto`, which this agent keeps for a choice of its own."""


_ELSEWHERE = ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA")
"""Each chooses another sign-in, with an address of its own."""


class GeminiBinder(Binder):
    """Sets variables in its own `.env`. Read in @google/gemini-cli 0.61.0, 2026-11-23."""

    api_version = 1
    name = "gemini"
    title = "Gemini CLI"
    homepage = "https://geminicli.com"
    needs = ClientProtocol.GENERATE_CONTENT
    programs = ("gemini",)
    moved_by = (("GEMINI_CLI_HOME", "."),)
    overruled_by = ("GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY", "GEMINI_MODEL")
    after = "Choose the sign-in with an API key when it asks."

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".gemini" / ".env"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        model = _AUTO if endpoint.model == "auto" else endpoint.model
        wanted = {"GOOGLE_GEMINI_BASE_URL": endpoint.root, "GEMINI_API_KEY": endpoint.key, "GEMINI_MODEL": model}
        document = EnvDocument(text or "")
        for name in _ELSEWHERE:
            document.remove([name])
        for name, value in wanted.items():
            document.set([name], value)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = EnvDocument(text)
        model = document.get(["GEMINI_MODEL"])
        if document.get(["GOOGLE_GEMINI_BASE_URL"]) != endpoint.root or not isinstance(model, str) or not model:
            return ()
        return ("auto" if model == _AUTO else model,)

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        document = EnvDocument(text)
        # It reads one `.env`, the nearest: in a project's that says nothing of an address, the usual one counts.
        base = document.get(["GOOGLE_GEMINI_BASE_URL"]) or "its usual address"
        chosen = [(name, document.get([name])) for name in _ELSEWHERE]
        others = [OtherModel(name, str(value)) for name, value in chosen if value not in (None, "", "false")]
        return (*([OtherModel("GOOGLE_GEMINI_BASE_URL", str(base))] if base != endpoint.root else []), *others)

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - they are a project's
        return () if cwd == home else (cwd / ".gemini" / ".env", cwd / ".env")


@hookimpl
def freeride_register_binder() -> Binder:
    return GeminiBinder()
