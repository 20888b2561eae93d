"""A provider that behaves: whom the gateway turns to when the one under test fails, and from whom it turns away."""

from __future__ import annotations

from freeride_core import About, CompatibleCatalog, CompatibleProvider, CompatibleWire, Credential, Model, WholeCatalog
from freeride_core.simulator.profile_file import parse_profile

NAME = "conformance_partner"

PROVIDER = CompatibleProvider(
    api_version=1,
    name=NAME,
    about=About(
        title="Partner",
        homepage="https://partner.invalid",
        keys_url="https://partner.invalid/keys",
        free_day="everything",
        sign_up="none",
        data_use="none",
        source="https://partner.invalid",
        checked="2026-11-25",
    ),
    credentials=(Credential(variable="CONFORMANCE_PARTNER_API_KEY"),),
    base_url="https://partner.invalid/v1",
    free=WholeCatalog(),
    catalog=CompatibleCatalog(
        models=(Model(id="partner/one", canonical="partner/one", tier=1, tools=True),), checked="2026-11-25", path=None
    ),
    chat=CompatibleWire(path="/chat/completions"),
)

PROFILE = parse_profile("""
provider = "conformance_partner"
checked = 2026-11-25
base_path = "/v1"
key_variable = "CONFORMANCE_PARTNER_API_KEY"
good_key = "partner-simulated-0000000000"
default_model = "partner/one"
[catalog]
path = "/v1/models"
body = '{"data":[{"id":"partner/one"}]}'
[[case]]
name = "rate-limited"
status = 429
headers = { retry-after = "30" }
body = '{"error":{"message":"slow down"}}'
expect = { kind = "rate_limit", retry_after = 30 }
source = "made up"
confidence = "guess"
[[case]]
name = "bad-key"
status = 401
body = '{"error":{"message":"no such key"}}'
expect = { kind = "auth" }
source = "made up"
confidence = "guess"
[[case]]
name = "unknown-model"
status = 404
body = '{"error":{"message":"no such model"}}'
expect = { kind = "model_not_found" }
source = "made up"
confidence = "guess"
[[case]]
name = "server-error"
status = 500
body = '{"error":{"message":"sorry"}}'
expect = { kind = "unavailable" }
source = "made up"
confidence = "guess"
""")
