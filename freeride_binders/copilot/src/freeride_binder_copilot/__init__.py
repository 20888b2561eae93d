"""Binds GitHub Copilot CLI to the FreeRide gateway."""

from __future__ import annotations

from freeride_core import Binder, Endpoint, EnvironmentBinder, Launch, hookimpl


class CopilotBinder(EnvironmentBinder):
    """Sets the variables of its custom model providers. Read in `copilot help providers` of @github/copilot 1.0.102, and run,
    2026-12-01."""

    api_version = 1
    name = "copilot"
    title = "GitHub Copilot CLI"
    homepage = "https://docs.github.com/copilot/concepts/agents/about-copilot-cli"
    programs = ("copilot",)
    shared_client_names = ("OpenAI/JS",)

    def launch(self, endpoint: Endpoint) -> Launch:
        return Launch(
            program="copilot",
            environment={
                "COPILOT_OFFLINE": "true",  # without it, it wants a sign-in
                "COPILOT_PROVIDER_TYPE": "openai",
                "COPILOT_PROVIDER_WIRE_API": "completions",
                "COPILOT_PROVIDER_TRANSPORT": "http",
                "COPILOT_PROVIDER_BASE_URL": endpoint.openai,
                "COPILOT_PROVIDER_BEARER_TOKEN": endpoint.key,  # outranks a key
                "COPILOT_MODEL": endpoint.model,
                "COPILOT_PROVIDER_MODEL_ID": endpoint.model,  # this and the next outrank the one above
                "COPILOT_PROVIDER_WIRE_MODEL": endpoint.model,
                "COPILOT_PROVIDER_MAX_PROMPT_TOKENS": str(endpoint.context - endpoint.max_output),
                "COPILOT_PROVIDER_MAX_OUTPUT_TOKENS": str(endpoint.max_output),
            },
        )


@hookimpl
def freeride_register_binder() -> Binder:
    return CopilotBinder()
