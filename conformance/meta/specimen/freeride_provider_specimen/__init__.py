"""A provider that keeps every promise: what is broken about it in one way at a time, to see that the suite notices."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from freeride_core import (
    About,
    Call,
    CompatibleCatalog,
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
    QuotaHeaders,
    QuotaText,
    Rule,
    Scope,
    ZeroPrice,
    hookimpl,
)

CHECKED = "2026-11-25"
LARGE = Model(
    id="specimen/large",
    canonical="specimen/large",
    tier=2,
    context=32_000,
    max_output=4096,
    tools=True,
    efforts=("low", "medium"),
    price=0.0,
)
EMBED = Model(id="specimen/embed", canonical="specimen/embed", operations=frozenset({Operation.EMBEDDINGS}), price=0.0)
WIRE: dict[str, Any] = {
    "quota_texts": (QuotaText(limit_name="rpd", pattern=r"allowance of (?P<limit>\d+) requests"),),
    "quota_headers": (
        QuotaHeaders(
            limit_name="rpm",
            limit="x-ratelimit-limit",
            remaining="x-ratelimit-remaining",
            reset="x-ratelimit-reset",
        ),
    ),
    "messages_drop": frozenset({"annotations", "provider_specific_fields"}),
    "reasoning": "require reasoning_content",
}
RULES = (Rule(kind=ErrorKind.QUOTA_EXHAUSTED, text="daily allowance", wait=Midnight(), limit="rpd"),)


def parse_entry(row: Mapping[str, Any], dated: Mapping[str, Model]) -> list[Model]:
    """One entry; a price that is no number is unknown."""
    name = row["id"]
    if not isinstance(name, str) or not name:
        return []
    known = dated.get(name) or Model(id=name, canonical=name.lower(), max_output=4096)
    price = row.get("price")
    if not isinstance(price, (int, float)) or isinstance(price, bool) or price < 0:
        return [dataclasses.replace(known, price=None)]
    return [dataclasses.replace(known, price=float(price))]


class WholeEvents:
    """Passes a stream on event by event, and anything else at its end."""

    def __init__(self) -> None:
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        self.rest += data
        whole = b""
        while b"\n\n" in self.rest:
            event, _, self.rest = self.rest.partition(b"\n\n")
            whole += self.passed(event) + b"\n\n"
        return whole

    def passed(self, event: bytes) -> bytes:
        """What becomes of one event."""
        return event

    def flush(self) -> bytes:
        rest, self.rest = self.rest, b""
        return rest


class SpecimenWire(CompatibleWire):
    """Chat, through a decoder."""

    def decoder(self, call: Call, model: Model) -> Decoder | None:
        return WholeEvents()


def make(**changes: Any) -> CompatibleProvider:
    """The provider, with some of its parts replaced."""
    parts: dict[str, Any] = {
        "api_version": 1,
        "name": "specimen",
        "about": About(
            title="Specimen",
            homepage="https://specimen.invalid",
            keys_url="https://specimen.invalid/keys",
            free_day="30 requests/min, 1,000 requests/day",
            sign_up="e-mail",
            data_use="none",
            source="https://specimen.invalid/limits",
            checked=CHECKED,
        ),
        "credentials": (Credential(variable="SPECIMEN_API_KEY", pattern="specimen-.*"),),
        "base_url": "https://specimen.invalid/v1",
        "free": ZeroPrice(),
        "catalog": CompatibleCatalog(models=(LARGE, EMBED), checked=CHECKED, parse_entry=parse_entry),
        "chat": SpecimenWire(path="/chat/completions", rules=RULES, dropped=frozenset({"store"}), **WIRE),
        "embeddings": CompatibleWire(path="/embeddings"),
        "probe": CompatibleProbe(path="/key"),
        "limits": tuple(
            Limit(unit="requests", amount=amount, window=window, scope=Scope.ACCOUNT, source="made up", checked=CHECKED)
            for amount, window in ((30, "minute"), (1000, "day"))
        ),
    }
    return CompatibleProvider(**{**parts, **changes})


@hookimpl
def freeride_register_provider() -> Provider:
    return make()
