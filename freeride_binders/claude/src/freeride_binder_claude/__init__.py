"""Binds Claude Code to the FreeRide gateway."""

from __future__ import annotations

import json
from pathlib import Path

from freeride_core import FILES, Binder, ClientProtocol, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument

_ELSEWHERE = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
)
"""Each sends all requests to a cloud, whatever the base URL says."""
_ROLES = ("ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_FABLE_MODEL")
"""Models for roles that subagents and skills name. Without them it asks for its vendor's."""
_SIDE_MODELS = (*_ROLES, "ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL")


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
        followed = (None, document.get(["env", "ANTHROPIC_MODEL"]))
        chosen = [name for name in _ROLES if document.get(["env", name]) not in followed]
        document.set(["env"], {name: value for name, value in _variables(endpoint).items() if name not in chosen})
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

    def launch(self, endpoint: Endpoint) -> Launch | None:
        elsewhere = dict.fromkeys(_ELSEWHERE, "0")
        settings = {"env": {**_variables(endpoint), **elsewhere, "ANTHROPIC_API_KEY": ""}}
        return Launch(
            program="claude",
            arguments=("--settings", f"{FILES}/settings.json"),  # outranks every file of the user's and of a project
            files={"settings.json": json.dumps(settings)},
        )

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - they are a project's
        return (cwd / ".claude" / "settings.local.json", cwd / ".claude" / "settings.json")


def _variables(endpoint: Endpoint) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": endpoint.root,
        "ANTHROPIC_AUTH_TOKEN": endpoint.key,
        "ANTHROPIC_MODEL": endpoint.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "freeride/fast",
        **dict.fromkeys(_ROLES, endpoint.model),
        # It takes a model that it does not know for one with a context of a million tokens.
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(endpoint.context),
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(endpoint.max_output),
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
    }


@hookimpl
def freeride_register_binder() -> Binder:
    return ClaudeBinder()
