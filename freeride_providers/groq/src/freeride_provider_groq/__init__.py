"""Groq for the FreeRide gateway."""

from __future__ import annotations

from freeride_core import (
    About,
    Allowlist,
    CompatibleProbe,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    ErrorKind,
    Limit,
    LimitKind,
    Provider,
    QuotaHeaders,
    QuotaText,
    Rule,
    Scope,
    hookimpl,
)
from freeride_provider_groq.models import CATALOG, CHECKED, LIMITS_CHECKED, MODELS, RESERVED

_SOURCE = "https://console.groq.com/docs/rate-limits"

RULES = (
    # A blocked region or VPN: no fault of the key.
    Rule(kind=ErrorKind.AUTH, status=403, text="network settings", scope=Scope.PROVIDER),
    Rule(kind=ErrorKind.AUTH, code="model_terms_required", scope=Scope.MODEL),
    Rule(kind=ErrorKind.BAD_REQUEST, status=400, text="requested tool does not exist"),
    Rule(kind=ErrorKind.UNSUPPORTED, status=400, text="property '[^']+' is unsupported", scope=Scope.PROVIDER),
    Rule(kind=ErrorKind.UNAVAILABLE, status=500, text="^internal server error", scope=Scope.PROVIDER),
)

# Refused, or refused by some models. `n` stays: above 1 it is refused, and then the next candidate is asked.
REFUSED = frozenset(
    {"frequency_penalty", "logit_bias", "logprobs", "metadata", "presence_penalty", "store", "top_logprobs"}
)

# Members of messages that clients send back, and that are refused by name. Seen of reasoning and `provider_specific_fields`
# (issues, 2025 and 2026); the others are as unknown to Groq's schema.
MESSAGES_REFUSED = frozenset({"annotations", "audio", "extra_content", "parsed", "provider_specific_fields", "refusal"})


# `requests` is always the day and `tokens` always the minute (documentation, August 2026).
QUOTA_HEADERS = tuple(
    QuotaHeaders(
        limit_name=name,
        limit=f"x-ratelimit-limit-{unit}",
        remaining=f"x-ratelimit-remaining-{unit}",
        reset=f"x-ratelimit-reset-{unit}",
    )
    for name, unit in (("rpd", "requests"), ("tpm", "tokens"))
)

# "... on tokens per minute (TPM): Limit 8000, Used 6493, Requested 2000. Please try again in 3.7s." (live, 2026)
QUOTA_TEXTS = (
    QuotaText(
        pattern=r"\((?P<name>[RT]P[MD])\): Limit (?P<limit>\d+)(?:, Used (?P<used>\d+))?, Requested (?P<requested>\d+)"
    ),
)


def _limit(unit: str, amount: float, window: str, note: str, kind: LimitKind, reserve: int | None = None) -> Limit:
    return Limit(
        unit=unit,
        amount=amount,
        window=window,
        scope=Scope.ACCOUNT_MODEL,
        source=_SOURCE,
        checked=LIMITS_CHECKED,
        note=note,
        kind=kind,
        reserve=reserve,
        counts_cached=False,
    )


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="groq",
        rank=20,
        about=About(
            title="Groq",
            homepage="https://groq.com",
            keys_url="https://console.groq.com/keys",
            free_day="per model: 30 requests/min, 1,000 requests/day, 8,000 tokens/min, 200,000 tokens/day",
            sign_up="e-mail",
            data_use="prompts are not used for training",
            source=_SOURCE,
            checked=LIMITS_CHECKED,
        ),
        credentials=(Credential(variable="GROQ_API_KEY", pattern=r"gsk_[A-Za-z0-9]{20,}"),),
        base_url="https://api.groq.com/openai/v1",
        free=Allowlist(frozenset(model.id for model in MODELS), CHECKED),
        catalog=CATALOG,
        chat=CompatibleWire(
            path="/chat/completions",
            response_headers=("x-groq-region",),
            dropped=REFUSED,
            messages_drop=MESSAGES_REFUSED,
            reasoning="drop",
            rules=RULES,
            quota_headers=QUOTA_HEADERS,
            quota_texts=QUOTA_TEXTS,
            account_pattern=r"organization `(org_\w+)`",
        ),
        limits=(
            _limit("requests", 30, "minute", "in no header", LimitKind.ROLLING),
            _limit("requests", 1000, "day", "refills continuously", LimitKind.LEAKY),
            _limit(
                "tokens",
                8000,
                "minute",
                "refills continuously; prompt and max_tokens are reserved before running",
                LimitKind.LEAKY,
                RESERVED,
            ),
            _limit("tokens", 200_000, "day", "rolling; in no header", LimitKind.ROLLING),
        ),
        probe=CompatibleProbe(path="/models", refusals={401: ""}),
        meter=Scope.ACCOUNT_MODEL,
        free_models_variables=("GROQ_FREE_MODELS_OVERRIDE",),
    )
