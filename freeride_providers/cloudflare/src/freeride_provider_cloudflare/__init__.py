"""Cloudflare Workers AI for the FreeRide gateway."""

from __future__ import annotations

from dataclasses import dataclass

from freeride_core import (
    About,
    Allowlist,
    Call,
    CompatibleProbe,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    Decoder,
    ErrorKind,
    Limit,
    Midnight,
    Model,
    Operation,
    Provider,
    Rule,
    Scope,
    hookimpl,
)
from freeride_provider_cloudflare.models import CATALOG, CHECKED, DEFAULT_OUTPUT, LIST_PATH, MODELS
from freeride_provider_cloudflare.stream import WithoutLegacyEvents

_SOURCE = "https://developers.cloudflare.com/workers-ai/platform/pricing/"

# The codes are Cloudflare's, in an envelope of its own.
RULES = (
    # Documented as 3036, seen as 4006: the text decides.
    Rule(
        kind=ErrorKind.QUOTA_EXHAUSTED,
        text="daily free allocation",
        scope=Scope.ACCOUNT,
        wait=Midnight(),
        limit="neurons",
    ),
    Rule(kind=ErrorKind.UNAVAILABLE, code="3040", text="no more data centers", wait=60),
    Rule(kind=ErrorKind.UNAVAILABLE, code="3040", wait=30),
    Rule(kind=ErrorKind.RATE_LIMIT, code="971", scope=Scope.ACCOUNT, wait=300),
    Rule(kind=ErrorKind.RATE_LIMIT, code=("3021", "10429"), wait=60),
    Rule(kind=ErrorKind.AUTH, code="7003", scope=Scope.ACCOUNT),  # a wrong account id
    Rule(kind=ErrorKind.AUTH, code=("6003", "9106", "9109", "10000")),
    Rule(kind=ErrorKind.AUTH, code="5016", scope=Scope.MODEL),  # a licence to be accepted
    Rule(
        kind=ErrorKind.MODEL_NOT_FOUND, code=("5018", "5035", "3041"), scope=Scope.ACCOUNT_MODEL
    ),  # not in this account's plan
    Rule(kind=ErrorKind.MODEL_NOT_FOUND, code=("5007", "5028", "3042")),
    Rule(kind=ErrorKind.UNSUPPORTED, status=405, scope=Scope.PROVIDER),
)

# Members of messages that clients send back. The schema of a model decides, and none has these.
MESSAGES_REFUSED = frozenset({"annotations", "audio", "extra_content", "parsed", "provider_specific_fields", "refusal"})


@dataclass(frozen=True, kw_only=True)
class ChatWire(CompatibleWire):
    """Chat as OpenAI has it, but for an event of an older protocol at the end of some streams."""

    def decoder(self, call: Call, model: Model) -> Decoder | None:  # noqa: ARG002 - all models alike
        return WithoutLegacyEvents() if call.stream else None


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="cloudflare",
        rank=40,
        about=About(
            title="Cloudflare Workers AI",
            homepage="https://developers.cloudflare.com/workers-ai/",
            keys_url="https://dash.cloudflare.com/profile/api-tokens",
            free_day="10,000 neurons/day over everything: about 200,000 tokens of gpt-oss-120b; 300 requests/min per model",
            sign_up="e-mail",
            data_use="prompts are not used for training",
            source=_SOURCE,
            checked=CHECKED,
        ),
        credentials=(
            Credential(
                variable="CLOUDFLARE_API_TOKEN",
                aliases=("CLOUDFLARE_API_KEY", "CF_API_TOKEN", "CLOUDFLARE_AUTH_TOKEN"),
                pattern=r"(?:cf[a-z]{1,3}t?_)?[A-Za-z0-9_-]{40,}",
                account_variable="CLOUDFLARE_ACCOUNT_ID",
                account_aliases=("CF_ACCOUNT_ID",),
                account_help="the 32 hex digits in the address of dash.cloudflare.com once you have signed in",
            ),
        ),
        base_url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        free=Allowlist(frozenset(model.id for model in MODELS), CHECKED),
        catalog=CATALOG,
        chat=ChatWire(
            path="/chat/completions",
            renamed={"max_completion_tokens": "max_tokens"},
            dropped=frozenset({"store"}),
            messages_drop=MESSAGES_REFUSED,
            reasoning="drop",
            defaults={"max_tokens": DEFAULT_OUTPUT},
            response_headers=("cf-ray",),
            rules=RULES,
        ),
        embeddings=CompatibleWire(path="/embeddings", response_headers=("cf-ray",), rules=RULES),
        limits=(
            Limit(
                unit="neurons",
                amount=10_000,
                window="day",
                scope=Scope.ACCOUNT,
                source=_SOURCE,
                checked=CHECKED,
                note="UTC day; chat, embeddings and images together",
                operations=frozenset(Operation),
            ),
            Limit(
                unit="requests",
                amount=300,
                window="minute",
                scope=Scope.ACCOUNT_MODEL,
                source="https://developers.cloudflare.com/workers-ai/platform/limits/",
                checked=CHECKED,
            ),
            Limit(
                unit="requests",
                amount=3000,
                window="minute",
                scope=Scope.ACCOUNT_MODEL,
                source="https://developers.cloudflare.com/workers-ai/platform/limits/",
                checked=CHECKED,
                operations=frozenset({Operation.EMBEDDINGS}),
            ),
        ),
        # A token may be allowed to run models and not to list them, which answers 403 and proves nothing.
        probe=CompatibleProbe(
            path=LIST_PATH,
            base_suffix="/v1",
            refusals={
                400: "the token is malformed",
                401: "",
                404: "there is no account of this id: look at CLOUDFLARE_ACCOUNT_ID",
            },
        ),
        meter=Scope.ACCOUNT_MODEL,
        free_models_variables=("CF_WAI_FREE_MODELS_OVERRIDE",),
        former_names=("cloudflare_wai",),
    )
