"""An OpenClaw of one's own, whose OpenRouter is a simulator on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner, Result

from freeride_core.cli.group import app
from freeride_core.editing import JsonDocument
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator
from freeride_core.simulator.installed import installed_profile

ULTRA = "nvidia/nemotron-3-ultra-550b-a55b:free"
"""The best of the simulator's list."""
OWN = """\
// my claw
{
  gateway: { port: 18789 }, // only here
  agents: {
    defaults: {
      model: {
        primary: 'other/large', // costs money
        fallbacks: [
          'other/small', // as well
        ],
      },
    },
  },
}
"""


def make_simulator(*, daily: int = 50, **more: Any) -> Simulator:
    """OpenRouter, for an account with so many free requests a day."""
    profile = installed_profile(load_plugins(("provider",)), "openrouter")
    quotas = tuple(
        msgspec.structs.replace(quota, amount=daily) if quota.window == "day" else quota for quota in profile.quotas
    )
    return Simulator(msgspec.structs.replace(profile, quotas=quotas), pace=0, **more)


def config_path() -> Path:
    return Path.home() / ".openclaw" / "openclaw.json"


def write_config(text: str) -> Path:
    path = config_path()
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def asking(model_id: str) -> str:
    return f"{{agents: {{defaults: {{model: {{primary: 'openrouter/{model_id}'}}}}}}}}\n"


def asking_gateway(root: str) -> str:
    """Bound by hand, to another address than the usual one."""
    provider = f"{{baseUrl: '{root}/v1', apiKey: 'freeride-local', api: 'openai-completions', models: []}}"
    return (
        f"{{models: {{providers: {{freeride: {provider}}}}}, "
        "agents: {defaults: {model: {primary: 'freeride/auto', fallbacks: ['other/small']}}}}\n"
    )


def primary() -> object:
    return JsonDocument(config_path().read_text()).get(["agents", "defaults", "model", "primary"])


def fallbacks() -> list[object]:
    found = JsonDocument(config_path().read_text()).get(["agents", "defaults", "model", "fallbacks"])
    assert isinstance(found, list)
    return found


def freeride(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    secret = os.environ.get("OPENROUTER_API_KEY")
    assert secret is None or secret not in result.output
    return result


def said(*arguments: str) -> dict[str, Any]:
    """What a command says as JSON."""
    result = freeride(*arguments, "--json")
    assert result.exit_code == 0, result.output
    shown: dict[str, Any] = json.loads(result.stdout)
    return shown


def chats(simulator: Simulator) -> list[str]:
    """The models that were asked for words, in order."""
    return [seen.model for seen in simulator.requests if seen.operation == "chat.completions"]
