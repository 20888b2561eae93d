"""A plugin for an older version of the contract serves through the gateway, where an adapter knows the difference.

No older version was published yet: the one here is made up, to keep the way open."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from freeride_conformance import second_provider
from freeride_conformance.rig import ANSWER, Rig, chat, wait_until_closed
from freeride_conformance.subject import PluginOrigin, ProviderSubject
from freeride_core.answer import Answer, ErrorKind, Reading, UpstreamRequest
from freeride_core.call import Call, Operation
from freeride_core.model import Model
from freeride_core.plugins.adapters import PROVIDER_ADAPTERS
from freeride_core.plugins.discovery import load_plugins
from freeride_core.provider import Decoder, Key, Provider, Wire

OLDER = """
from freeride_core import (
    About, Answer, CompatibleCatalog, CompatibleProvider, CompatibleWire, Credential, Failure, Model, Provider,
    WholeCatalog, hookimpl,
)

class OlderWire(CompatibleWire):
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
        chat=OlderWire(path="/chat/completions"),
    )
"""


class AdaptedWire(Wire):
    """`read` gave a `Failure` or None, `decoder` was asked for streams only, and there was no `refusal`."""

    def __init__(self, older: Any) -> None:
        self._older = older
        self.response_headers = older.response_headers

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        request: UpstreamRequest = self._older.prepare(call, model, key)
        return request

    def read(self, answer: Answer) -> Reading:
        return Reading(self._older.read(answer))

    def decoder(self, call: Call, model: Model) -> Decoder | None:
        decoder: Decoder | None = self._older.decoder(call) if call.stream else None
        return decoder


def adapt(older: Provider) -> Provider:
    provider = copy.copy(older)
    provider.wires = {operation: AdaptedWire(wire) for operation, wire in older.wires.items()}
    return provider


@pytest.fixture(autouse=True)
def an_older_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDER_ADAPTERS, 0, adapt)


def test_a_plugin_for_an_older_contract_is_adapted(install: Any) -> None:
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=OLDER)
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
def test_an_older_plugin_serves_and_fails_over(install: Any, stream: bool) -> None:
    install("acme-dist", {"freeride.providers": {"acme": "acme_plugin"}}, acme_plugin=OLDER)
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
