"""Acme for the FreeRide gateway."""

from __future__ import annotations

from freeride_core import (
    About,
    Allowlist,
    CompatibleCatalog,
    CompatibleProbe,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    ErrorKind,
    Limit,
    Midnight,
    Model,
    Provider,
    Rule,
    Scope,
    hookimpl,
)

CHECKED = "2026-11-20"
LIMITS_PAGE = "https://acme.example/docs/limits"
MODELS = (
    Model(id="acme/anvil-70b", canonical="acme/anvil-70b", tier=2, context=131_072, tools=True, vision=False),
    Model(id="acme/rocket-8b", canonical="acme/rocket-8b", tier=3, context=32_768, tools=False, vision=False),
)
SOLD_OUT = Rule(kind=ErrorKind.QUOTA_EXHAUSTED, status=429, code="daily_allowance", wait=Midnight())


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="acme",
        about=About(
            title="Acme",
            homepage="https://acme.example",
            keys_url="https://acme.example/keys",
            free_day="20 requests/min, 500 requests/day",
            sign_up="e-mail",
            data_use="prompts are not kept",
            source=LIMITS_PAGE,
            checked=CHECKED,
        ),
        credentials=(Credential(variable="ACME_API_KEY", pattern="ak-[a-z0-9-]{12,}", key_header="acme-key"),),
        base_url="https://api.acme.example/v1",
        free=Allowlist(frozenset(model.id for model in MODELS), CHECKED),
        catalog=CompatibleCatalog(models=MODELS, checked=CHECKED),
        chat=CompatibleWire(path="/chat/completions", dropped=frozenset({"store"}), rules=(SOLD_OUT,)),
        limits=(
            Limit(unit="requests", amount=500, window="day", scope=Scope.ACCOUNT, source=LIMITS_PAGE, checked=CHECKED),
        ),
        probe=CompatibleProbe(path="/models", refusals={401: ""}),
    )
