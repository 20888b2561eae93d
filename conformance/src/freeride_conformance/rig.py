"""A rig: one provider, its profile played by a simulator, and a real gateway in front of it."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from freeride_conformance import second_provider
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.guard import GUARD
from freeride_conformance.subject import ProviderSubject
from freeride_core.gateway.http import sse
from freeride_core.gateway.server import GatewayThread
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.quota.allowance import Allowance
from freeride_core.ledger.slots import Slot
from freeride_core.model import Model
from freeride_core.plugins.discovery import Plugins, load_plugins
from freeride_core.provider import Provider
from freeride_core.settings.keys import read_keys
from freeride_core.settings.limits import limits_variable
from freeride_core.settings.resolver import Settings, load_settings
from freeride_core.simulator import SeenRequest, Simulator, SimulatorThread
from freeride_core.simulator.profile import Profile

PROMPT = "Join these words with underscores and answer with only the result: FREERIDE CONFORMS"
ANSWER = "FREERIDE_CONFORMS"
PATIENCE_S = 10.0
_TIMEOUT_S = 20
_CATALOG_S = 5
_POLL_S = 0.005
_MOST_CLOSING = 12


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """What the client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error

    @property
    def events(self) -> list[bytes]:
        """The data of a stream's events, in order."""
        blocks, rest = sse.split(self.body)
        return [data.strip() for block in (*blocks, rest) if (data := sse.parse(block).data) is not None]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        """The events of a stream as JSON, without `[DONE]`."""
        return [json.loads(event) for event in self.events if event != b"[DONE]"]

    @property
    def text(self) -> str:
        """What the chunks of a stream say, together."""
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk.get("choices") or []]
        return "".join(delta.get("content") or "" for delta in deltas).strip()


_closing: deque[threading.Thread] = deque()


def wait_until_closed() -> None:
    """Until every rig that was left is gone. To be called before the interpreter ends."""
    while _closing:
        _closing.popleft().join()


class Rig:
    """A context: `ask` sends a request as a client would."""

    def __init__(
        self,
        subject: ProviderSubject,
        *,
        profile: Profile | None = None,
        extra_keys: tuple[str, ...] = (),
        patience_s: float = PATIENCE_S,
        with_partner: bool = False,
        with_limits: bool = False,
        **environ: str,
    ) -> None:
        """`profile` is played instead of the subject's own. `extra_keys` come before the good one. `with_partner` adds another
        provider after the subject. `with_limits`: the gateway counts against the subject's limits. `environ` wins over what the
        simulators need."""
        self.subject = subject
        self.profile = profile or subject.profile
        self.simulator = Simulator(self.profile, quotas=False, pace=0.0)
        self.partner = Simulator(second_provider.PROFILE, quotas=False, pace=0.0) if with_partner else None
        self._extra_keys = extra_keys
        self._patience_s = patience_s
        self._more = environ if with_limits else {limits_variable(subject.provider): "none", **environ}
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:  # what has been opened is closed where the rest fails
            self._open(opened)
            self._opened = opened.pop_all()
        return self

    def _open(self, opened: ExitStack) -> None:
        home = opened.enter_context(tempfile.TemporaryDirectory(prefix="freeride-conformance-"))
        environ = {"FREERIDE_HOME": home, "FREERIDE_TELEMETRY": "off", "FREERIDE_EVENTS": "0"}
        environ["FREERIDE_PATIENCE"] = "0"  # a refused request would wait for room, and be served
        providers = [self.subject.provider, *([second_provider.PROVIDER] if self.partner else [])]
        for simulator in filter(None, (self.simulator, self.partner)):
            opened.enter_context(SimulatorThread(simulator))
            GUARD.allow(simulator.port)
            environ |= simulator.env
        environ["FREERIDE_PROVIDERS"] = ",".join(provider.name for provider in providers)
        if self._extra_keys:
            environ[self.profile.key_variable] = json.dumps([*self._extra_keys, self.profile.good_key])
        settings = load_settings(
            environ | self._more,
            first_byte_timeout=self._patience_s,
            answer_timeout=self._patience_s,
            idle_timeout=self._patience_s,
        )
        self._check_key(settings)
        self._gateway = GatewayThread(settings, _only(*providers))
        opened.enter_context(self._gateway)
        GUARD.allow(urlsplit(self._gateway.url).port or 0)
        self._wait_for_catalog()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A gateway takes its time to stop, and the next check need not wait for that.
        closing = threading.Thread(target=self._opened.close, name="closing a rig")
        closing.start()
        _closing.append(closing)
        while len(_closing) > _MOST_CLOSING:
            _closing.popleft().join()

    def _check_key(self, settings: Settings) -> None:
        """Without a key the gateway would send no request, and every check would wait for one."""
        provider, profile = self.subject.provider, self.profile
        keys, warnings = read_keys(provider, settings)
        if keys:
            return
        given = ", ".join(filter(None, (profile.key_variable, profile.account_variable))) or "no key"
        read = {
            name: None
            for credential in provider.credentials
            for name in (credential.variable, *credential.aliases, credential.account_variable)
            if name
        }
        more = "".join(f"; {warning}" for warning in warnings)
        raise AssertionError(
            f"the gateway finds no key: simulator.toml gives {given}, and the package reads {', '.join(read)}{more}"
        )

    def _wait_for_catalog(self) -> None:
        """So that a check sees the free models of the live list, and not by chance the dated ones."""
        catalogs, name = self._gateway.gateway.catalogs, self.subject.provider.name
        due = time.monotonic() + _CATALOG_S
        while not catalogs.has_tried(name) and time.monotonic() < due:
            time.sleep(_POLL_S)

    @property
    def cooldowns(self) -> list[tuple[Slot, Cooldown]]:
        """What the gateway has cooled."""
        return self._gateway.gateway.ledger.cooldowns.items()

    @property
    def allowances(self) -> list[Allowance]:
        """What the gateway counts of the subject's limits."""
        return self._gateway.gateway.ledger.quotas.allowances()

    @property
    def models(self) -> tuple[Model, ...]:
        """What the gateway takes the subject's models to be."""
        return self._gateway.gateway.catalogs.models(self.subject.provider.name)

    @property
    def asked(self) -> list[SeenRequest]:
        """The chat and embeddings requests that reached the subject's simulator."""
        return [seen for seen in self.simulator.requests if seen.method == "POST"]

    def ask(self, body: dict[str, Any] | bytes, path: str = "/v1/chat/completions", **headers: str) -> GatewayResponse:
        """POST as a client would; the answer is read to its end. An underscore in a header's name stands for a hyphen."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._request("POST", path, sent, {name.replace("_", "-"): value for name, value in headers.items()})

    def get(self, path: str) -> GatewayResponse:
        """GET as a client would."""
        return self._request("GET", path, b"", {})

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> GatewayResponse:
        where = urlsplit(self._gateway.url)
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=_TIMEOUT_S)
        before = len(self.asked)
        try:
            connection.request(method, path, body or None, {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            reply = GatewayResponse(answer.status, named, answer.read())
        finally:
            connection.close()
        upstream = [
            f"by the gateway: {seen.method} {seen.path} {seen.body[:300].decode('utf-8', 'replace')} -> {seen.answered}"
            for seen in self.asked[before:]
        ]
        client = f"by the client: {method} {path} {body.decode('utf-8', 'replace')}"
        EVIDENCE.note([client, *upstream], f"{reply.status} {reply.body.decode('utf-8', 'replace')}")
        return reply


def chat(model: str, text: str = PROMPT, **more: Any) -> dict[str, Any]:
    """A chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def _only(*providers: Provider) -> Plugins:
    nothing = load_plugins(())
    by_name = MappingProxyType({provider.name: provider for provider in providers})
    return Plugins(
        providers=by_name, binders=MappingProxyType({}), rows=(), hooks=nothing.hooks, modules=MappingProxyType({})
    )
