"""Binds OpenClaw to the FreeRide gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from freeride_core import FILES, Binder, Endpoint, Launch, OtherModel, Place, hookimpl
from freeride_core.editing import JsonDocument, Value

PROVIDER = "freeride"
_STALE = ("auth", "authHeader", "region", "injectNumCtxForOpenAICompat")
"""Of a provider of the same name: another way to sign in, or another kind of upstream."""
_SIDE_JOBS = (
    "imageModel",
    "pdfModel",
    "utilityModel",
    "decisionModel",
    "voiceModel",
    "heartbeat",
    "compaction",
    "subagents",
)


class OpenClawBinder(Binder):
    """Adds a provider to `openclaw.json` and makes its model the first choice. Read in openclaw 2026.9.6, 2026-11-23."""

    api_version = 1
    name = "openclaw"
    title = "OpenClaw"
    homepage = "https://openclaw.ai"
    programs = ("openclaw",)
    shared_client_names = ("OpenAI/JS",)
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
        for member in _STALE:
            document.remove([*provider, member])
        document.set(provider, connection)
        # Its schema is strict: an unknown member keeps it from starting.
        limits = {"contextWindow": endpoint.context, "maxTokens": endpoint.max_output}
        models = [*provider, "models"]
        found = document.find(models, "id", endpoint.model)
        if found is None:
            free = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
            entry: dict[str, Value] = {"id": endpoint.model, "name": f"FreeRide {endpoint.model}", **limits}
            document.append(models, {**entry, "input": ["text"], "reasoning": False, "cost": free})
        else:
            for member in ("api", "baseUrl"):  # they outrank the provider's
                document.remove([*found, member])
        chosen, ref = ["agents", "defaults", "model"], f"{PROVIDER}/{endpoint.model}"
        is_bare = isinstance(document.get(chosen), str)
        document.set(chosen if is_bare else [*chosen, "primary"], ref)
        if document.get(["agents", "defaults", "models"]):  # where there is such a list, nothing else may be used
            document.add(["agents", "defaults", "models", ref], {})
        policy = ["agents", "defaults", "modelPolicy", "allow"]
        allowed = document.get(policy)
        if isinstance(allowed, list) and allowed and not {ref, f"{PROVIDER}/*"} & set(map(str, allowed)):
            document.append(policy, ref)
        return document.text

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        document = JsonDocument(text)
        if document.get(["models", "providers", PROVIDER, "baseUrl"]) != endpoint.openai:
            return ()
        chosen = document.get(["agents", "defaults", "model"])
        refs = [chosen.get("primary"), *chosen.get("fallbacks", ())] if isinstance(chosen, dict) else [chosen]
        lead = f"{PROVIDER}/"
        return tuple(ref.removeprefix(lead) for ref in refs if isinstance(ref, str) and ref.startswith(lead))

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:  # noqa: ARG002 - by the provider's name
        document = JsonDocument(text)
        listed, entries = document.get(["agents", "list"]), document.get(["agents", "entries"])
        named = [("agents.defaults", document.get(["agents", "defaults"]))]
        for index, agent in enumerate(listed if isinstance(listed, list) else ()):
            identity = agent.get("id", index) if isinstance(agent, dict) else index
            named.append((f"agents.list.{identity}", agent))
        named += [(f"agents.entries.{name}", own) for name, own in entries.items()] if isinstance(entries, dict) else []
        found = [each for where, agent in named for each in _chosen(where, agent)]
        return tuple(OtherModel(where, ref) for where, ref in found if not ref.startswith(f"{PROVIDER}/"))

    def launch(self, endpoint: Endpoint) -> Launch | None:
        return Launch(
            program="openclaw",
            environment={"OPENCLAW_CONFIG_PATH": f"{FILES}/openclaw.json"},
            files={"openclaw.json": self.edit(None, endpoint)},
        )


def _chosen(where: str, agent: object) -> Iterator[tuple[str, str]]:
    """The settings of one agent that name a model, first choices and fallbacks."""
    if not isinstance(agent, dict):
        return
    for job in ("model", *_SIDE_JOBS):
        value = agent.get(job)
        at = f"{where}.{job}"
        if isinstance(value, dict) and "primary" not in value and job != "model":
            at, value = f"{at}.model", value.get("model")
        chosen = value.get("primary") if isinstance(value, dict) else value
        if isinstance(chosen, str) and "/" in chosen:
            yield at, chosen
        spare = value.get("fallbacks") if isinstance(value, dict) else None
        for index, each in enumerate(spare if isinstance(spare, list) else ()):
            if isinstance(each, str) and "/" in each:
                yield f"{at}.fallbacks.{index}", each


@hookimpl
def freeride_register_binder() -> Binder:
    return OpenClawBinder()
