"""NVIDIA NIM (build.nvidia.com) for the FreeRide gateway."""

from __future__ import annotations

from freeride_core import (
    About,
    Allowlist,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    ErrorKind,
    Limit,
    Provider,
    Rule,
    Scope,
    hookimpl,
)
from freeride_provider_nvidia.models import CATALOG, CHECKED, MODELS

_SOURCE = "https://build.nvidia.com"
LIMITS_CHECKED = "2026-10-05"

RULES = (
    # A sick deployment says 400.
    Rule(kind=ErrorKind.UNAVAILABLE, status=400, text="degraded function", wait=300),
    Rule(kind=ErrorKind.MODEL_NOT_FOUND, status=404, text="not found for account", scope=Scope.ACCOUNT_MODEL),
    Rule(kind=ErrorKind.RATE_LIMIT, status=429, text="requests per minute", scope=Scope.ACCOUNT),
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=402, scope=Scope.ACCOUNT),  # credits that have expired, of all models
    # The answer is to be fetched elsewhere, later: nothing that a client could wait for.
    Rule(kind=ErrorKind.TIMEOUT, status=202),
    Rule(kind=ErrorKind.UNSUPPORTED, status=500, text="failed to decode json"),
)

_ACCOUNT = r"for account '([^']+)'"

# Members of messages that clients send back. Some containers forbid what their schema does not have, and none needs these.
MESSAGES_REFUSED = frozenset({"annotations", "audio", "extra_content", "parsed", "provider_specific_fields", "refusal"})


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="nvidia",
        rank=30,
        about=About(
            title="NVIDIA NIM",
            homepage="https://build.nvidia.com",
            keys_url="https://build.nvidia.com/settings/api-keys",
            free_day="up to 40 requests/min per model and 10,000 requests/day; busy models throttle earlier",
            sign_up="e-mail, phone",
            data_use="trial terms: evaluation only, no personal or confidential data; use is logged to improve NVIDIA's products",
            source=_SOURCE,
            checked=CHECKED,
        ),
        credentials=(
            Credential(
                variable="NVIDIA_API_KEY",
                aliases=("NIM_API_KEY", "NVIDIA_NIM_API_KEY", "NGC_API_KEY"),
                pattern=r"nvapi-[A-Za-z0-9_-]{20,}",
            ),
        ),
        base_url="https://integrate.api.nvidia.com/v1",
        # The catalog is public and lists much that does not answer, without a mark for what is free.
        free=Allowlist(frozenset(model.id for model in MODELS), CHECKED),
        catalog=CATALOG,
        chat=CompatibleWire(
            path="/chat/completions",
            renamed={"max_completion_tokens": "max_tokens"},
            messages_drop=MESSAGES_REFUSED,
            reasoning="drop",
            response_headers=("nvcf-reqid", "nvcf-status"),
            rules=RULES,
            account_pattern=_ACCOUNT,
        ),
        embeddings=CompatibleWire(
            path="/embeddings",
            defaults={"input_type": "query"},
            response_headers=("nvcf-reqid", "nvcf-status"),
            rules=RULES,
            account_pattern=_ACCOUNT,
        ),
        limits=(
            Limit(
                unit="requests",
                amount=40,
                window="minute",
                scope=Scope.ACCOUNT_MODEL,
                source=_SOURCE,
                checked=LIMITS_CHECKED,
                note="a ceiling: busy models throttle earlier",
            ),
            Limit(
                unit="requests",
                amount=10_000,
                window="day",
                scope=Scope.ACCOUNT,
                source=_SOURCE,
                checked=LIMITS_CHECKED,
            ),
        ),
        meter=Scope.ACCOUNT_MODEL,
        # Headers come at once, then the prompt may be worked on for minutes.
        first_byte_timeout=180,
        # Some new keys list every model and may ask none (October 2026).
        missing_models_most=3,
        free_models_variables=("NVIDIA_NIM_FREE_MODELS_OVERRIDE",),
        former_names=("nvidia_nim",),
    )
