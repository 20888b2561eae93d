"""Orbit for the FreeRide gateway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from freeride_core import (
    About,
    Allowlist,
    Call,
    CompatibleCatalog,
    CompatibleProbe,
    CompatibleProvider,
    CompatibleWire,
    Credential,
    Decoder,
    ErrorKind,
    Key,
    Limit,
    Midnight,
    Model,
    Provider,
    Rule,
    Scope,
    UpstreamRequest,
    hookimpl,
)
from freeride_provider_orbit.answer import StreamDecoder, WholeDecoder
from freeride_provider_orbit.request import translate

CHECKED = "2026-11-20"
DOCS = "https://orbit.example/docs/limits"
MODELS = (
    Model(
        id="models/nova-large",
        canonical="orbit/nova-large",
        tier=1,
        context=1_048_576,
        max_output=65_536,
        tools=True,
        vision=True,
        json_schema=True,
        reasoning=True,
    ),
    Model(
        id="models/nova-small",
        canonical="orbit/nova-small",
        tier=3,
        context=131_072,
        max_output=8_192,
        tools=True,
        vision=False,
    ),
)
RULES = (
    Rule(kind=ErrorKind.AUTH, status=400, code="API_KEY_INVALID"),
    Rule(
        kind=ErrorKind.QUOTA_EXHAUSTED,
        scope=Scope.ACCOUNT_MODEL,
        status=429,
        code="DAILY_ALLOWANCE",
        wait=Midnight(),
    ),
)


class OrbitWire(CompatibleWire):
    """Orbit's `generateContent`."""

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        method = ":streamGenerateContent?alt=sse" if call.stream else ":generateContent"
        return UpstreamRequest(
            method="POST",
            url=f"{key.base_url}/{model.id}{method}",
            headers=((key.key_header, key.secret), ("content-type", "application/json")),
            body=json.dumps(translate(call, model)).encode(),
        )

    def decoder(self, call: Call, model: Model) -> Decoder:
        return StreamDecoder(call) if call.stream else WholeDecoder(call)


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> tuple[Model, ...]:
    """One entry of `GET /models`; nothing for those that cannot chat."""
    if "generateContent" not in row["supportedGenerationMethods"]:
        return ()
    name: str = row["name"]
    known = dated.get(name) or Model(id=name, canonical=name.replace("models/", "orbit/").lower())
    return (replace(known, context=int(row["inputTokenLimit"]), max_output=int(row["outputTokenLimit"])),)


@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=1,
        name="orbit",
        about=About(
            title="Orbit",
            homepage="https://orbit.example",
            keys_url="https://orbit.example/keys",
            free_day="per model: 10 requests/min, 250 requests/day",
            sign_up="e-mail",
            data_use="prompts may be used for training",
            source=DOCS,
            checked=CHECKED,
        ),
        credentials=(Credential(variable="ORBIT_API_KEY", pattern="orb_[a-z0-9]{20,}", key_header="x-goog-api-key"),),
        base_url="https://api.orbit.example/v1beta",
        free=Allowlist(frozenset(model.id for model in MODELS), CHECKED),
        catalog=CompatibleCatalog(models=MODELS, checked=CHECKED, rows="models", parse_entry=parse_entry),
        chat=OrbitWire(path=":generateContent", rules=RULES),
        limits=(
            Limit(unit="requests", amount=250, window="day", scope=Scope.ACCOUNT_MODEL, source=DOCS, checked=CHECKED),
        ),
        probe=CompatibleProbe(path="/models", refusals={400: "", 403: ""}),
        meter=Scope.ACCOUNT_MODEL,
    )
