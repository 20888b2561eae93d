"""What is certified: a plugin, where it comes from, and what it says that it can do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, Literal

from freeride_conformance.direct import NOW
from freeride_conformance.samples import Samples, installed_samples
from freeride_core.answer import UpstreamRequest
from freeride_core.binder import Binder
from freeride_core.call import Call, Operation
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.model import Model
from freeride_core.plugins.discovery import Plugins, origin_of, requirements_of
from freeride_core.provider import Key, Provider, Wire
from freeride_core.settings.keys import fingerprint
from freeride_core.simulator.installed import installed_profile
from freeride_core.simulator.profile import Profile
from freeride_core.simulator.reading import catalog_of

Kind = Literal["provider", "binder"]
OPENAI = "OpenAI's requests"
OWN_FORMAT = "a wire format of its own"
TOOLS = "tools"
TOOL_PROMPT = "Use get_weather and tell me the weather in Paris"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SECRET = "conformance-secret-0123456789"  # noqa: S105 - what must not leak; it opens nothing


@dataclass(frozen=True)
class PluginOrigin:
    """The distribution that offers a plugin."""

    kind: Kind
    entry_point: str
    distribution: str
    version: str
    package: str
    """The module that the entry point names."""
    requires: tuple[str, ...]
    path: tuple[str, ...] = ()
    """Folders that must be on `sys.path` for it to be found, besides the usual ones."""


def _declares(answer: Callable[[], bool]) -> bool:
    """What a package that raises declares is nothing; a rule of its own is about that."""
    try:
        return answer()
    except Exception:
        return False


@dataclass(frozen=True)
class ProviderSubject:
    """A provider, and what its package says its upstream does."""

    provider: Provider
    profile: Profile
    origin: PluginOrigin

    @cached_property
    def capabilities(self) -> frozenset[str]:
        """What it declares; rules that need something else do not apply to it."""
        provider, profile = self.provider, self.profile
        wire = provider.wires.get(Operation.CHAT)
        declared = {
            "keys": bool(provider.credentials),
            "chat": wire is not None,
            OPENAI: wire is not None and self._speaks_openai(),
            "embeddings": Operation.EMBEDDINGS in provider.wires or profile.embeddings is not None,
            TOOLS: any(model.tools and model.id == profile.default_model for model in self._models()),
            OWN_FORMAT: wire is not None and self._decodes(wire),
            "a list of models": _declares(lambda: provider.catalog.request(self.key()) is not None)
            or bool(profile.catalog.paid or profile.catalog.unfit),
            "a probe": provider.probe is not None or bool(profile.pages or profile.proofs),
        }
        return frozenset(name for name, is_declared in declared.items() if is_declared)

    def divergence(self, rule: str, variant: str) -> str:
        """Why a case of the profile is known to be read otherwise than it should; nothing else may diverge."""
        case = self.profile.case(variant) if rule == "reads_its_cases" else None
        return (case.divergence or "") if case is not None else ""

    def _models(self) -> tuple[Model, ...]:
        """The dated ones, and what the package makes of the profile's live list."""
        catalog = self.provider.catalog
        try:
            return (*catalog.models, *catalog.parse(catalog_of(self.profile, NOW)))
        except Exception:  # a rule of its own is about that
            return catalog.models

    def _decodes(self, wire: Wire) -> bool:
        """Whether anything is decoded: some need to only where a tool may be called."""
        messages = [{"role": "user", "content": TOOL_PROMPT}]
        with_tool = json.dumps({"model": "auto", "messages": messages, "tools": [TOOL], "stream": True}).encode()
        calls = (self.call(), self.call(Operation.CHAT, with_tool))
        return _declares(lambda: any(wire.decoder(call, self.model()) is not None for call in calls))

    def _speaks_openai(self) -> bool:
        """Whether chat requests reach the upstream in the client's own format."""
        chat = self.provider.wires[Operation.CHAT]
        return _declares(lambda: "messages" in json.loads(chat.prepare(self.call(), self.model(), self.key()).body))

    def key(self, base_url: str | None = None, secret: str = SECRET) -> Key:
        """A key as the gateway would make it."""
        template = base_url or self.provider.base_url
        return Key(
            provider=self.provider.name,
            secret=secret if self.provider.credentials else "",
            fingerprint=fingerprint(secret),
            index=0,
            variable=self.profile.key_variable,
            key_header=next((each.key_header for each in self.provider.credentials), ""),
            account_id="0" * 32,
            base_url=template.replace("{account}", "0" * 32),
        )

    def call(self, operation: Operation = Operation.CHAT, body: bytes = b"") -> Call:
        """A client's request."""
        plain = (
            b'{"model":"auto","messages":[],"stream":true}'
            if operation is Operation.CHAT
            else b'{"model":"x","input":"y"}'
        )
        return parse_call(operation, body or plain)

    def request(
        self, body: Mapping[str, Any], model: Model | None = None, operation: Operation = Operation.CHAT
    ) -> UpstreamRequest:
        """What the package makes of a client's request, for its own tests."""
        call = self.call(operation, json.dumps({"model": "auto", **body}).encode())
        return self.provider.wires[operation].prepare(call, model or self.model(operation), self.key())

    def sent(self, model_id: str, body: Mapping[str, Any], operation: Operation = Operation.CHAT) -> dict[str, Any]:
        """The JSON that reaches the upstream, of a request that is routed to one of the models, dated or listed."""
        model = next(model for model in self._models() if model.id == model_id)
        decoded: dict[str, Any] = json.loads(self.request(body, model, operation).body)
        return decoded

    def model(self, operation: Operation = Operation.CHAT) -> Model:
        """One that it can be asked for."""
        dated = [model for model in self.provider.catalog.models if operation in model.operations]
        default = [model for model in dated if model.id == self.profile.default_model]
        return (default or dated or [Model(id=self.profile.default_model, canonical=self.profile.default_model)])[0]


@dataclass(frozen=True)
class BinderSubject:
    """A binder, and its samples of what it does to configurations."""

    binder: Binder
    samples: Samples
    origin: PluginOrigin

    @property
    def capabilities(self) -> frozenset[str]:
        """`files` where it edits one, `launch` where one process of its agent can be bound."""
        declared = {"files": bool(self.binder.scopes), "launch": type(self.binder).launch is not Binder.launch}
        return frozenset(name for name, has in declared.items() if has)

    def divergence(self, rule: str, variant: str) -> str:  # noqa: ARG002 - no binder has known ones
        return ""


def installed_provider(plugins: Plugins, name: str) -> ProviderSubject:
    """The subject of a usable provider. `ProfileError`: its profile has mistakes."""
    return ProviderSubject(
        plugins.providers[name], installed_profile(plugins, name), installed_origin("provider", name)
    )


def installed_binder(plugins: Plugins, name: str) -> BinderSubject:
    """The subject of a usable binder. `SamplesError`: its samples have mistakes."""
    origin = installed_origin("binder", name)
    return BinderSubject(plugins.binders[name], installed_samples(origin.package), origin)


def installed_origin(kind: Kind, name: str) -> PluginOrigin:
    """Where an installed plugin comes from."""
    (offer,) = entry_points(group=f"freeride.{kind}s", name=name)
    return PluginOrigin(kind, name, *origin_of(offer), offer.module, tuple(requirements_of(offer)))
