"""Binds Claude Code to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import Binder, ClientProtocol, Endpoint, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument

_ELSEWHERE = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
"""Each sends all requests to a cloud, whatever the base URL says."""
_SIDE_MODELS = (
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
)


class ClaudeBinder(Binder):
    """Sets variables in the `env` of `settings.json`, which win over the process's own. Read in 2.1.330, 2026-11-23."""

    api_version = 1
    name = "claude"
    title = "Claude Code"
    homepage = "https://code.claude.com"
    needs = ClientProtocol.MESSAGES
    programs = ("claude",)
    moved_by = (("CLAUDE_CONFIG_DIR", ".claude"),)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".claude" / "settings.json"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        for name in _ELSEWHERE:
            document.remove(["env", name])
        allowed = document.get(["availableModels"])
        if isinstance(allowed, list) and endpoint.model not in allowed:
            document.append(["availableModels"], endpoint.model)
        document.set(
            ["env"],
            {
                "ANTHROPIC_BASE_URL": endpoint.root,
                "ANTHROPIC_AUTH_TOKEN": endpoint.key,
                "ANTHROPIC_MODEL": endpoint.model,
                "ANTHROPIC_DEFAULT_HAIKU_MODEL": "freeride/fast",
                # It takes a model that it does not know for one with a context of a million tokens.
                "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(endpoint.context),
                "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(endpoint.max_output),
                "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
                "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
            },
        )
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        if document.get(["env", "ANTHROPIC_BASE_URL"]) != endpoint.root:
            return ()
        chosen = (document.get(["env", name]) for name in ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"))
        return tuple(dict.fromkeys(model for model in chosen if isinstance(model, str)))

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        document = JsonDocument(text)
        base = document.get(["env", "ANTHROPIC_BASE_URL"])
        names = [*_ELSEWHERE, *_SIDE_MODELS, *(["ANTHROPIC_MODEL"] if base not in (None, endpoint.root) else [])]
        found = [(f"env.{name}", document.get(["env", name])) for name in names]
        if base not in (None, endpoint.root):
            found.insert(0, ("env.ANTHROPIC_BASE_URL", base))
        known = (endpoint.model, "freeride/fast", "", "0", "false")
        return tuple(OtherModel(where, str(model)) for where, model in found if model and model not in known)

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - they are a project's
        return (cwd / ".claude" / "settings.local.json", cwd / ".claude" / "settings.json")


@hookimpl
def freeride_register_binder() -> Binder:
    return ClaudeBinder()
