"""A rig: one provider, its profile played by a simulator, and a real gateway in front of it."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from freeride_core.gateway.server import GatewayThread
from freeride_core.ledger.cooldown import Cooldown
from freeride_core.ledger.slots import Slot
from freeride_core.plugins import Plugins, load_plugins
from freeride_core.provider import Model, Provider
from freeride_core.settings import load_settings
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.profile import Profile

PROMPT = "Join these words with underscores and reply with only the result: FREERIDE CONFORMS"
ANSWER = "FREERIDE_CONFORMS"
_TIMEOUT_S = 20
_CATALOG_S = 5


@dataclass(frozen=True)
class Subject:
    """What is certified: a provider, and what its package says its upstream does."""

    provider: Provider
    profile: Profile


@dataclass(frozen=True, slots=True)
class Reply:
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


class Rig:
    """A context: `ask` sends a request as a client would."""

    def __init__(self, subject: Subject, *, extra_keys: tuple[str, ...] = (), patience_s: float = 10.0) -> None:
        self.subject = subject
        self.simulator = Simulator(subject.profile, quotas=False, pace=0.0)
        self._thread = SimulatorThread(self.simulator)
        self._extra_keys = extra_keys
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory(prefix="freeride-conformance-")
        self._thread.__enter__()
        environ = {**self.simulator.env, "FREERIDE_HOME": self._home.name, "FREERIDE_TELEMETRY": "off"}
        if self._extra_keys:
            keys = [*self._extra_keys, self.subject.profile.good_key]
            environ[self.subject.profile.key_variable] = json.dumps(keys)
        settings = load_settings(
            environ, first_byte_timeout=self._patience_s, answer_timeout=self._patience_s, idle_timeout=self._patience_s
        )
        self._gateway = GatewayThread(settings, _only(self.subject.provider))
        self._gateway.__enter__()
        self._wait_for_catalog()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gateway.__exit__(kind, error, trace)
        self._thread.__exit__(kind, error, trace)
        self._home.cleanup()

    def _wait_for_catalog(self) -> None:
        """So that a test sees the free models of the live list, and not by chance the dated ones."""
        catalogs, name = self._gateway.gateway.catalogs, self.subject.provider.name
        due = time.monotonic() + _CATALOG_S
        while not catalogs.is_known(name) and time.monotonic() < due:
            time.sleep(0.01)
        assert catalogs.is_known(name), "the gateway got no model list out of the profile's catalog"

    @property
    def cooldowns(self) -> list[tuple[Slot, Cooldown]]:
        return self._gateway.gateway.ledger.cooldowns.items()

    def models(self, name: str) -> tuple[Model, ...]:
        """What the gateway takes the provider's models to be."""
        return self._gateway.gateway.catalogs.models(name)

    @property
    def home(self) -> Path:
        return Path(self._home.name)

    def ask(self, body: dict[str, Any] | bytes, path: str = "/v1/chat/completions") -> Reply:
        """POST as a client would; the answer is read to its end."""
        return self._request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())

    def get(self, path: str) -> Reply:
        return self._request("GET", path, b"")

    def _request(self, method: str, path: str, body: bytes) -> Reply:
        where = urlsplit(self._gateway.url)
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body or None, {"content-type": "application/json"} if body else {})
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, headers, answer.read())
        finally:
            connection.close()

    def statuses(self) -> list[str]:
        """How the attempts so far went, as `freeride watch` shows it."""
        due = time.monotonic() + 2
        path = self.home / "events.jsonl"
        while time.monotonic() < due:
            lines = path.read_text().splitlines() if path.exists() else []
            events = [json.loads(line) for line in lines]
            if any(event["type"] in ("request_complete", "request_failed") for event in events):
                return [event["status"] for event in events if event["type"] == "provider_response"]
            time.sleep(0.02)
        raise AssertionError("the gateway wrote no events")


def chat(model: str, text: str = PROMPT, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def _only(provider: Provider) -> Plugins:
    nothing = load_plugins(())
    by_name = MappingProxyType({provider.name: provider})
    return Plugins(
        providers=by_name, binders=MappingProxyType({}), rows=(), hooks=nothing.hooks, modules=MappingProxyType({})
    )


def events_of(body: bytes) -> list[bytes]:
    """The data of a stream's events, in order."""
    blocks = body.replace(b"\r\n", b"\n").split(b"\n\n")
    return [
        line.removeprefix(b"data:").strip()
        for block in blocks
        for line in block.split(b"\n")
        if line.startswith(b"data:")
    ]
