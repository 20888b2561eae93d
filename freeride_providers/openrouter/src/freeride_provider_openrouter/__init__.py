"""OpenRouter for the FreeRide gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from freeride_core import (
    About,
    Allowlist,
    Answer,
    AnyOf,
    Call,
    CompatibleProbe,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    ErrorKind,
    FreeSuffix,
    Limit,
    LimitKind,
    Model,
    Proof,
    Provider,
    Quota,
    QuotaText,
    Reading,
    Rule,
    Scope,
    ZeroPrice,
    hookimpl,
)
from freeride_provider_openrouter.models import CATALOG, CHECKED, ROUTER, SUFFIX

_SOURCE = "https://openrouter.ai/docs/api/reference/limits"

RULES = (
    # `limit_source` tells what limits: OpenRouter limits the account, the hosting provider limits all accounts.
    Rule(kind=ErrorKind.RATE_LIMIT, code="openrouter_free_tier_per_minute", scope=Scope.ACCOUNT, limit="rpm"),
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, code="openrouter_free_tier_daily", scope=Scope.ACCOUNT, limit="rpd"),
    Rule(kind=ErrorKind.RATE_LIMIT, code="upstream_provider_shared_pool", scope=Scope.MODEL),
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, code="openrouter_key_limit", scope=Scope.KEY),
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=(402, 403), text="^key limit exceeded", scope=Scope.KEY),
    # Older answers have no `limit_source`.
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, text="free-models-per-day", scope=Scope.ACCOUNT, limit="rpd"),
    Rule(kind=ErrorKind.RATE_LIMIT, status=429, text="free-models-per-min", scope=Scope.ACCOUNT, limit="rpm"),
    # A 402 that says when to come back is too much spending in flight, not an empty purse.
    Rule(kind=ErrorKind.RATE_LIMIT, status=402, header="retry-after", scope=Scope.ACCOUNT),
    # Below zero nothing is served, what is free neither.
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=402, scope=Scope.ACCOUNT),
    Rule(
        kind=ErrorKind.UNAVAILABLE, code=("capacity_exhausted", "temporarily_unavailable", "model_unavailable_upstream")
    ),
    # What is left of the 429s comes from behind OpenRouter: another free model may still answer.
    Rule(kind=ErrorKind.RATE_LIMIT, status=429, code="rate_limit_exceeded", scope=Scope.MODEL),
    Rule(
        kind=ErrorKind.RATE_LIMIT, status=429, text="provider returned error|rate-limited upstream", scope=Scope.MODEL
    ),
    # What kind of 404 it is, in the newer shape.
    Rule(kind=ErrorKind.UNSUPPORTED, code=("constraint_filtered", "wrong_endpoint")),
    Rule(
        kind=ErrorKind.MODEL_NOT_FOUND,
        code=("free_variant_ended", "model_deprecated", "no_endpoints", "region_restricted"),
    ),
    # The account's privacy settings rule out every endpoint: a matter of settings, not of the model.
    Rule(kind=ErrorKind.AUTH, status=404, code="privacy_restricted", scope=Scope.ACCOUNT),
    Rule(kind=ErrorKind.AUTH, status=404, text="data policy|guardrail restrictions", scope=Scope.ACCOUNT),
    Rule(kind=ErrorKind.CONTENT_FILTER, status=403, text="request blocked|was flagged|requires moderation"),
)

# Each of these can cost money although the model is free: other models to fall back on, and paid extras.
COSTLY = frozenset({"models", "plugins", "preset", "route", "service_tier", "web_search_options"})

# "The maximum pricing you want to pay for this request": an endpoint with a higher price is not used (documentation, August 2026).
NOTHING = {"prompt": 0, "completion": 0, "request": 0, "image": 0}

HEADERS = {
    "HTTP-Referer": "https://free-ride.xyz",
    "X-OpenRouter-Title": "FreeRide",
    "X-OpenRouter-Categories": "cli-agent,personal-agent",  # two at most (October 2026)
}


@dataclass(frozen=True, kw_only=True)
class FreeWire(CompatibleWire):
    """Leaves out the tools that OpenRouter runs itself, and can bill on a free model too. Where its list price is all that makes a
    model free, OpenRouter is told to charge nothing: the price may have changed since it was read. That no endpoint is left for a
    request with a routing wish of its own says nothing of others."""

    def read(self, answer: Answer) -> Reading:
        reading = super().read(answer)
        failure = reading.failure
        if (
            failure is None
            or answer.status not in _NO_ENDPOINT
            or failure.kind not in _OF_ALL
            or not _has_wish(answer.call)
        ):
            return reading
        if any(code in answer.text for code in _OF_THE_MODEL):
            return reading
        return replace(reading, failure=replace(failure, kind=ErrorKind.UNSUPPORTED, scope=None, retry_at=None))

    def changes(self, call: Call, model: Model) -> dict[str, bytes | None]:
        changes = super().changes(call, model)
        if "tools" in call.fields and (own := _functions(bytes(call.fields["tools"]))) is not None:
            changes["tools"] = own
        if model.price == 0 and not model.id.endswith(SUFFIX) and not model.router:
            preferences = call.value("provider")
            capped = {**preferences, "max_price": NOTHING} if isinstance(preferences, dict) else {"max_price": NOTHING}
            changes["provider"] = json.dumps(capped).encode()
        return changes


_NO_ENDPOINT = (404, 503)
_OF_ALL = (ErrorKind.AUTH, ErrorKind.MODEL_NOT_FOUND, ErrorKind.UNAVAILABLE)
_OF_THE_MODEL = ('"free_variant_ended"', '"model_deprecated"', '"model_not_found"')


def _has_wish(call: Call | None) -> bool:
    """Whether the client itself says which endpoints may serve it."""
    return call is not None and bytes(call.fields.get("provider", b"")).strip() not in (b"", b"null", b"{}")


@lru_cache(maxsize=16)
def _functions(tools: bytes) -> bytes | None:
    """Return the client's own functions among the tools, or None if all are. `web_search` and its like are OpenRouter's, as is all
    that begins `openrouter:` (documentation, August 2026). An agent sends the same tools with each of its requests."""
    listed = json.loads(tools)
    if not isinstance(listed, list):
        return None
    kept = [tool for tool in listed if isinstance(tool, dict) and tool.get("type") == "function"]
    return None if kept == listed else json.dumps(kept).encode()


# Beside the words, a refusal repeats the headers that OpenRouter would send (live, August and September 2026).
QUOTA_TEXTS = (QuotaText(pattern=r'"X-RateLimit-Limit":\s*"?(?P<limit>[1-9]\d{0,8})\b'),)


def _wire(path: str) -> CompatibleWire:
    return FreeWire(
        path=path,
        headers=HEADERS,
        response_headers=("x-generation-id",),
        dropped=COSTLY,
        # Messages stay as they are: it takes `reasoning` and `reasoning_details` back, and reads over what it does not know.
        rules=RULES,
        reset_headers=("x-ratelimit-reset",),
        quota_texts=QUOTA_TEXTS,
        account_pattern=r'"user_id"\s*:\s*"(user_\w+)"',
    )


def _describe(body: Any) -> Proof:
    day = body["data"]["free_model_daily_requests"]
    note = f"{day['remaining']:d} of {day['limit']:d} free requests left today (UTC)"
    return Proof(
        valid=True, note=note, quota=(Quota(limit_name="rpd", limit=day["limit"], remaining=day["remaining"]),)
    )


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="openrouter",
        rank=10,
        about=About(
            title="OpenRouter",
            homepage="https://openrouter.ai",
            keys_url="https://openrouter.ai/settings/keys",
            free_day="20 requests/min and 50 requests/day over all :free models (1,000/day once 10 credits were bought)",
            sign_up="e-mail",
            data_use="free endpoints may log prompts and train on them; the account's privacy settings must allow it",
            source=_SOURCE,
            checked=CHECKED,
        ),
        credentials=(Credential(variable="OPENROUTER_API_KEY", pattern=r"sk-or-v1-[0-9a-f]{16,}"),),
        base_url="https://openrouter.ai/api/v1",
        free=AnyOf((FreeSuffix(SUFFIX), ZeroPrice(), Allowlist(frozenset({ROUTER}), CHECKED))),
        catalog=CATALOG,
        chat=_wire("/chat/completions"),
        embeddings=_wire("/embeddings"),
        limits=(
            Limit(
                unit="requests",
                amount=20,
                window="minute",
                scope=Scope.ACCOUNT,
                source=_SOURCE,
                checked=CHECKED,
                note="minutes of the clock, as X-RateLimit-Reset says",
                kind=LimitKind.FIXED,
            ),
            Limit(
                unit="requests",
                amount=50,
                window="day",
                scope=Scope.ACCOUNT,
                source=_SOURCE,
                checked=CHECKED,
                note="UTC day; 1,000 once 10 credits were bought; embeddings are counted apart",
            ),
        ),
        probe=CompatibleProbe(path="/key", describe=_describe),
        meter=Scope.ACCOUNT,
    )
