"""A plugin for the contract before this one serves through today's gateway; one adapter module knows the difference."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from freeride_conformance import second_provider
from freeride_conformance.rig import ANSWER, Rig, chat, wait_until_closed
from freeride_conformance.subject import PluginOrigin, ProviderSubject
from freeride_core.answer import Answer, ErrorKind
from freeride_core.call import Operation
from freeride_core.plugins.discovery import load_plugins

FORMER = """
from freeride_core import (
    About, Answer, CompatibleCatalog, CompatibleProvider, CompatibleWire, Credential, Failure, Model, Provider,
    WholeCatalog, hookimpl,
)

class FormerWire(CompatibleWire):
    def read(self, answer: Answer) -> Failure | None:
        return super().read(answer).failure

    def decoder(self, call):
        assert call.stream
        return None

@hookimpl
def freeride_register_provider() -> Provider:
    return CompatibleProvider(
        api_version=0, name="acme",
        about=About(title="Acme", homepage="h", keys_url="k", free_day="f", sign_up="s", data_use="d", source="s",
                    checked="2026-11-23"),
        credentials=(Credential(variable="ACME_API_KEY"),), base_url="https://acme.example/v1", free=WholeCatalog(),
        catalog=CompatibleCatalog(checked="2026-11-23", models=(Model(id="acme/large", canonical="acme/large"),)),
        chat=FormerWire(path="/chat/completions"),
    )
"""


def test_a_plugin_for_the_contract_before_this_one_is_used(install: Any) -> None:
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=FORMER)
    plugins = load_plugins(("provider",))
    (row,) = [row for row in plugins.rows if row.name == "acme"]
    assert (row.status, row.api) == ("ok", 0)
    wire = plugins.providers["acme"].wires[Operation.CHAT]
    refused = wire.read(Answer(429, {"retry-after": "7"}, b"{}", 1_795_406_400.0))
    assert refused.failure is not None
    assert (refused.failure.kind, refused.failure.retry_at) == (ErrorKind.RATE_LIMIT, 1_795_406_407.0)


PROFILE = msgspec.structs.replace(
    second_provider.PROFILE, provider="acme", key_variable="ACME_API_KEY", default_model="acme/large"
)


@pytest.mark.parametrize("stream", [False, True])
def test_it_serves_and_fails_over_through_todays_gateway(install: Any, stream: bool) -> None:
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=FORMER)
    provider = load_plugins(("provider",)).providers["acme"]
    subject = ProviderSubject(
        provider, PROFILE, PluginOrigin("provider", "acme", "acme-dist", "1.2.3", "acme_plugin", ())
    )
    with Rig(subject, with_partner=True) as rig:
        served = rig.ask(chat("auto", stream=stream))
        rig.simulator.always("rate-limited")
        failed = rig.ask(chat("auto", stream=stream))
        kinds = [cooldown.kind for _, cooldown in rig.cooldowns]
    wait_until_closed()
    assert served.headers["x-freeride-provider"] == "acme"
    assert failed.headers["x-freeride-provider"] == second_provider.NAME
    assert ANSWER.encode() in (served.body if not stream else served.text.encode())
    assert kinds == ["rate_limit"]
