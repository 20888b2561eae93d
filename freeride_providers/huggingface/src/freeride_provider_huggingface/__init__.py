"""Hugging Face Inference Providers for the FreeRide gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freeride_core import (
    About,
    Account,
    AnyOf,
    CompatibleProbe,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    ErrorKind,
    Key,
    Limit,
    Promoted,
    Proof,
    Provider,
    Rule,
    Scope,
    UnbillableAccount,
    UpstreamRequest,
    bearer,
    hookimpl,
)
from freeride_provider_huggingface.models import CATALOG, CHECKED

BASE_URL = "https://router.huggingface.co/v1"
_PRICING = "https://huggingface.co/docs/inference-providers/pricing"

RULES = (
    # No reset is stated: included credits come monthly, on a day that no response tells.
    Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=402, scope=Scope.ACCOUNT),
)

# Members of messages that clients send back. The hosting provider decides, and several, such as Groq and Cerebras, refuse what
# they do not know.
MESSAGES_REFUSED = frozenset({"annotations", "audio", "extra_content", "parsed", "provider_specific_fields", "refusal"})


@dataclass(frozen=True, kw_only=True)
class AccountProbe(CompatibleProbe):
    """Asks the Hub who the token belongs to, and whether that account can be billed."""

    def request(self, key: Key) -> UpstreamRequest | None:
        # The Hub is another host than the router, so another base URL does not tell where it is.
        return UpstreamRequest("GET", self.path, bearer(key, {})) if key.base_url == BASE_URL else None


def describe(body: Mapping[str, Any]) -> Proof:
    """A PRO account has included credits. Without a means of payment and without a prepaid balance that is all it can spend."""
    is_pro, can_pay = body.get("isPro") is True, body.get("canPay")
    is_prepaid = body.get("billingMode") == "prepaid"
    if can_pay is True:
        return Proof(True, Account(can_be_billed=True), "this account can be billed")
    if is_pro and can_pay is False and not is_prepaid:
        return Proof(True, Account(can_be_billed=False), "PRO: included credits, and nothing beyond them")
    return Proof(True, Account(), "no included credits are known; only promotions are used")


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="huggingface",
        rank=50,
        about=About(
            title="Hugging Face Inference Providers",
            homepage="https://huggingface.co/docs/inference-providers",
            keys_url="https://huggingface.co/settings/tokens",
            free_day="nothing for free accounts but models on promotion; PRO includes 2 USD of credits a month",
            sign_up="e-mail",
            data_use="Hugging Face stores no prompts; the hosting provider's own policy applies",
            source=_PRICING,
            checked=CHECKED,
        ),
        credentials=(
            Credential(
                variable="HF_TOKEN",
                aliases=("HUGGINGFACE_API_KEY", "HUGGINGFACEHUB_API_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
                pattern=r"hf_[A-Za-z0-9]{20,}",
            ),
        ),
        base_url=BASE_URL,
        free=AnyOf((Promoted(), UnbillableAccount())),
        catalog=CATALOG,
        chat=CompatibleWire(
            path="/chat/completions",
            messages_drop=MESSAGES_REFUSED,
            reasoning="drop",
            response_headers=("x-inference-provider",),
            rules=RULES,
        ),
        limits=(
            Limit(
                unit="usd",
                amount=0,
                window="month",
                scope=Scope.ACCOUNT,
                source=_PRICING,
                checked=CHECKED,
                note="free accounts; PRO 2.00, Team and Enterprise 2.00 a seat",
            ),
        ),
        probe=AccountProbe(path="https://huggingface.co/api/whoami-v2", refusals={401: ""}, describe=describe),
        meter=Scope.ACCOUNT,
    )
