"""Binds OpenClaw to the FreeRide gateway."""

from __future__ import annotations

from pathlib import Path

from freeride_core import FILES, Binder, Endpoint, Launch, Place, hookimpl
from freeride_core.editing import JsonDocument, Value

PROVIDER = "freeride"


class OpenClawBinder(Binder):
    """Adds a provider to `openclaw.json` and makes its model the first choice. Read in openclaw 2026.9.6, 2026-11-23."""

    api_version = 1
    name = "openclaw"
    title = "OpenClaw"
    homepage = "https://openclaw.ai"
    programs = ("openclaw",)
    moved_by = (
        ("OPENCLAW_CONFIG_PATH", ".openclaw/openclaw.json"),
        ("OPENCLAW_STATE_DIR", ".openclaw"),
        ("OPENCLAW_HOME", "."),
    )
    after = "With `openclaw agent --local` there is nothing to restart."

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - it has one file, in the home folder
        return home / ".openclaw" / "openclaw.json"

    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:  # noqa: ARG002 - likewise
        former = (".openclaw/clawdbot.json", ".clawdbot/openclaw.json", ".clawdbot/clawdbot.json")
        return tuple(home / file for file in former)  # it still reads them

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        document = JsonDocument(text or "")
        document.add(["models", "mode"], "merge")
        provider = ["models", "providers", PROVIDER]
        connection = {"baseUrl": endpoint.openai, "apiKey": endpoint.key, "api": "openai-completions"}
        document.set(provider, connection)
        # Its schema is strict: an unknown member keeps it from starting.
        limits = {"contextWindow": endpoint.context, "maxTokens": endpoint.max_output}
        models = [*provider, "models"]
        if document.find(models, "id", endpoint.model) is None:
            free = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
            entry: dict[str, Value] = {"id": endpoint.model, "name": f"FreeRide {endpoint.model}", **limits}
            document.append(models, {**entry, "input": ["text"], "reasoning": False, "cost": free})
        chosen, ref = ["agents", "defaults", "model"], f"{PROVIDER}/{endpoint.model}"
        is_bare = isinstance(document.get(chosen), str)
        document.set(chosen if is_bare else [*chosen, "primary"], ref)
        if document.get(["agents", "defaults", "models"]):  # where there is such a list, nothing else may be used
            document.add(["agents", "defaults", "models", ref], {})
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        if document.get(["models", "providers", PROVIDER, "baseUrl"]) != endpoint.openai:
            return ()
        chosen = document.get(["agents", "defaults", "model"])
        refs = [chosen.get("primary"), *chosen.get("fallbacks", ())] if isinstance(chosen, dict) else [chosen]
        lead = f"{PROVIDER}/"
        return tuple(ref.removeprefix(lead) for ref in refs if isinstance(ref, str) and ref.startswith(lead))

    def launch(self, endpoint: Endpoint) -> Launch | None:
        return Launch(
            program="openclaw",
            environment={"OPENCLAW_CONFIG_PATH": f"{FILES}/openclaw.json"},
            files={"openclaw.json": self.edit(None, endpoint)},
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return OpenClawBinder()
