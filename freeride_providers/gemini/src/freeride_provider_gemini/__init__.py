"""Google Gemini for the FreeRide gateway: the free tier of the Gemini API, through its OpenAI-compatible endpoint."""

from __future__ import annotations

from freeride_core import (
    About,
    Allowlist,
    CompatibleProvider,
    Credential,
    ErrorKind,
    Limit,
    Midnight,
    Provider,
    QuotaText,
    Rule,
    Scope,
    hookimpl,
)
from freeride_provider_gemini.models import CATALOG
from freeride_provider_gemini.wire import BAD_KEY, GeminiProbe, GeminiWire

RULES = (
    # Words, code and delay are the same for a minute, for a day, and for what this project gets nothing of: the quota tells.
    Rule(
        kind=ErrorKind.MODEL_NOT_FOUND,
        status=429,
        body=r'\blimit: 0\b|"quotaValue":\s*"0"',
        scope=Scope.ACCOUNT_MODEL,
        overrules_hint=True,
    ),
    Rule(
        kind=ErrorKind.QUOTA_EXHAUSTED,
        status=429,
        body=r'"quotaId":\s*"[^"]*PerDay',
        scope=Scope.ACCOUNT_MODEL,
        wait=Midnight("America/Los_Angeles"),
        overrules_hint=True,
        limit="rpd",
    ),
    Rule(
        kind=ErrorKind.RATE_LIMIT,
        status=429,
        body=r'"quotaId":\s*"[^"]*Requests[^"]*PerMinute',
        scope=Scope.ACCOUNT_MODEL,
        limit="rpm",
    ),
    Rule(
        kind=ErrorKind.RATE_LIMIT,
        status=429,
        body=r'"quotaId":\s*"[^"]*Tokens[^"]*PerMinute',
        scope=Scope.ACCOUNT_MODEL,
        limit="tpm",
    ),
    Rule(kind=ErrorKind.UNAVAILABLE, status=429, text="no capacity available"),
    # Of a project with prepaid billing, which has no free tier.
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=(402, 429), text="prepayment credits are depleted"),
    Rule(kind=ErrorKind.AUTH, status=400, body=BAD_KEY),
    # No key is served in the country of this gateway.
    Rule(kind=ErrorKind.AUTH, status=400, text="user location is not supported", scope=Scope.PROVIDER),
)

# Google publishes no table since December 2025: AI Studio shows a project its own. These are the narrowest that were seen, those of
# Flash; what an answer says counts more.
_SEEN = "community readings, July and August 2026"
_SEEN_UNTIL = "2026-08-31"

# Members of messages that clients send back, unknown to Google's schema, which refuses unknown names. `extra_content` holds
# signatures, and stays.
MESSAGES_REFUSED = frozenset({"annotations", "audio", "parsed", "provider_specific_fields", "refusal"})

# Each limit that was reached is a violation, with its amount.
QUOTA_TEXTS = tuple(
    QuotaText(
        limit_name=name,
        pattern=rf'"quotaId":\s*"[^"]*{unit}[^"]*{window}(?:(?!"quotaId")[\s\S]){{0,500}}?"quotaValue":\s*"(?P<limit>[1-9]\d{{0,8}})"',
    )
    for name, unit, window in (
        ("rpd", "Requests", "PerDay"),
        ("rpm", "Requests", "PerMinute"),
        ("tpm", "Tokens", "PerMinute"),
    )
)

_LITE, _GEMMA = ("*flash-lite*",), ("gemma-*",)


def _limit(unit: str, amount: float, window: str, models: tuple[str, ...] = (), note: str = "") -> Limit:
    return Limit(
        unit=unit,
        amount=amount,
        window=window,
        scope=Scope.ACCOUNT_MODEL,
        source=_SEEN,
        checked=_SEEN_UNTIL,
        note=note,
        zone="America/Los_Angeles",
        models=models,
        refusals_count=True,
    )


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="gemini",
        rank=60,
        about=About(
            title="Google Gemini",
            homepage="https://ai.google.dev/gemini-api/docs",
            keys_url="https://aistudio.google.com/app/apikey",
            free_day="about 20 requests/day with each Flash model, 500 with each Flash-Lite, 14,400 with each Gemma",
            sign_up="a Google account, 18 or older",
            data_use="prompts may be used to improve products and be read by people",
            source="https://ai.google.dev/gemini-api/docs/rate-limits",
            checked=CATALOG.checked,
        ),
        # Not GOOGLE_API_KEY: that may be for any of Google's products, and of a project that pays.
        credentials=(
            Credential(
                variable="GEMINI_API_KEY",
                pattern=r"AIza[0-9A-Za-z_-]{35}|AQ\..+",
            ),
        ),
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        # No list and no answer says what is free.
        free=Allowlist(frozenset(model.id for model in CATALOG.models), CATALOG.checked),
        catalog=CATALOG,
        chat=GeminiWire(
            path="/chat/completions",
            messages_drop=MESSAGES_REFUSED,
            reasoning="drop",
            rules=RULES,
            quota_texts=QUOTA_TEXTS,
        ),
        limits=(
            _limit("requests", 15, "minute", _LITE),
            _limit("requests", 30, "minute", _GEMMA),
            _limit("requests", 5, "minute"),
            _limit("requests", 500, "day", _LITE),
            _limit("requests", 14_400, "day", _GEMMA),
            _limit("requests", 20, "day"),
            _limit("tokens_in", 15_000, "minute", _GEMMA),
            _limit("tokens_in", 250_000, "minute"),
        ),
        probe=GeminiProbe(path="/models"),
        meter=Scope.ACCOUNT_MODEL,
    )
