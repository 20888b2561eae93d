"""Packages that fail as indiscreetly as they can: with the key and the conversation in the words of what they raise.

`python -m saboteurs NAME...` serves them, with everything logged that anything here can log; `plain` among the names: in
asyncio's own event loop, which says more.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
import types
from collections.abc import Callable, Mapping
from typing import Any

from fake_upstream import MODEL, plugins, provider
from freeride_core import Account, Answer, Call, CompatibleWire, Credential, Decoder, Key, Model, Operation, Reading
from freeride_core.answer import Failure, UpstreamRequest
from freeride_core.gateway.server import listen, serve
from freeride_core.hookspecs import hookimpl
from freeride_core.provider import Catalog, FreePolicy, Probe, Proof, Provider
from freeride_core.settings.resolver import Settings, load_settings


class Tantrum(BaseException):
    """What nobody expects."""


ERRORS: Mapping[str, Callable[[str], BaseException]] = {"value": ValueError, "exit": SystemExit, "tantrum": Tantrum}
IN_A_REQUEST = ("refusal", "prepare", "read", "decoder", "decode", "flush", "kind")
ELSEWHERE = ("catalog_request", "catalog_parse", "free", "probe_request", "probe_read")
NAMES = tuple(f"{where}_{error}" for where in (*IN_A_REQUEST, *ELSEWHERE) for error in ERRORS)
PATH_SECRET = "worker-path-9Yc4Jt7Wq2"
SLOW_S = 0.11
"""Long enough for an event loop that is being debugged to say what took so long."""
_overheard: list[str] = []
"""What the packages of this process have heard so far, for those who are told nothing themselves."""


class Sabotage:
    """Fails in one place, with one kind of exception."""

    def __init__(self, name: str) -> None:
        self.place, _, error = name.rpartition("_")
        self._error = ERRORS[error]

    @property
    def kind(self) -> Any:
        """No kind at all, or what nobody should see in its place."""
        return None if self._error is Tantrum else " ".join(_overheard)

    def at(self, place: str, *heard: object) -> None:
        words = " ".join(str(each) for each in heard)
        _overheard[:] = [*_overheard, words][-40:]
        if place == self.place:
            if place == "prepare":
                time.sleep(SLOW_S)
            Doomed(words)  # its end is told on stderr by the interpreter itself
            gc.collect()
            try:
                raise LookupError(words)
            except LookupError as cause:
                raise self._error(f"{words} {_overheard}") from cause


class Doomed:
    """Raises where nobody can catch it."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._self = self

    def __del__(self) -> None:
        raise ValueError(self._words)


class SabotagedWire(CompatibleWire):
    sabotage: Sabotage

    def refusal(self, call: Call, model: Model) -> Failure | None:
        self.sabotage.at("refusal", call.body)
        return None

    def prepare(self, call: Call, model: Model, key: Key) -> UpstreamRequest:
        self.sabotage.at("prepare", key.secret, call.body)
        return super().prepare(call, model, key)

    def read(self, answer: Answer) -> Reading:
        self.sabotage.at("read", answer.body, answer.call.body if answer.call else "")
        if self.sabotage.place == "kind":
            return Reading(Failure(kind=self.sabotage.kind))
        return super().read(answer)

    def decoder(self, call: Call, model: Model) -> Decoder | None:
        self.sabotage.at("decoder", call.body)
        return SabotagedDecoder(self.sabotage, call)


class SabotagedDecoder:
    def __init__(self, sabotage: Sabotage, call: Call) -> None:
        self._sabotage = sabotage
        self._call = call

    def decode(self, data: bytes) -> bytes:
        self._sabotage.at("decode", data, self._call.body)
        return data

    def flush(self) -> bytes:
        self._sabotage.at("flush", self._call.body)
        return b""


class SabotagedCatalog(Catalog):
    models = (MODEL,)
    checked = "2026-11-23"

    def __init__(self, sabotage: Sabotage) -> None:
        self._sabotage = sabotage

    def request(self, key: Key) -> UpstreamRequest | None:
        self._sabotage.at("catalog_request", key.secret)
        return UpstreamRequest("GET", f"{key.base_url}/models", (("authorization", f"Bearer {key.secret}"),))

    def parse(self, answer: Answer) -> tuple[Model, ...]:
        self._sabotage.at("catalog_parse", answer.body)
        return self.models


class SabotagedProbe(Probe):
    def __init__(self, sabotage: Sabotage) -> None:
        self._sabotage = sabotage

    def request(self, key: Key) -> UpstreamRequest | None:
        self._sabotage.at("probe_request", key.secret)
        return UpstreamRequest("GET", f"{key.base_url}/key", (("authorization", f"Bearer {key.secret}"),))

    def read(self, answer: Answer) -> Proof:
        self._sabotage.at("probe_read", answer.body)
        return Proof(valid=True)


class SabotagedPolicy:
    asks_account = True

    def __init__(self, sabotage: Sabotage) -> None:
        self._sabotage = sabotage

    def allows(self, model: Model, account: Account) -> bool:
        self._sabotage.at("free", model, account)
        return True


def saboteur(name: str) -> Provider:
    made = provider(name)
    if name not in NAMES:
        return made
    sabotage = Sabotage(name)
    wire = SabotagedWire(path="/chat/completions")
    object.__setattr__(wire, "sabotage", sabotage)
    made.wires = {Operation.CHAT: wire}
    made.catalog = SabotagedCatalog(sabotage)
    made.probe = SabotagedProbe(sabotage)
    policy: FreePolicy = SabotagedPolicy(sabotage)
    made.free = policy
    made.credentials = (Credential(variable=f"{name.upper()}_KEY"),)
    return made


def _hooks(error: Callable[[str], BaseException]) -> object:
    """A module with hooks that fail."""

    @hookimpl
    def freeride_startup(settings: Settings) -> None:
        raise error(str(dict(settings.environ)))

    @hookimpl
    def freeride_event(event: Mapping[str, Any]) -> None:
        raise error(f"{event} {_overheard}")

    module = types.ModuleType(f"hooks_{error.__name__}")
    module.__dict__.update(freeride_startup=freeride_startup, freeride_event=freeride_event)
    return module


def main(names: list[str]) -> None:
    logging.basicConfig(level=1)
    logging.getLogger("saboteurs").debug("everything is logged")
    if "plain" in names:
        sys.modules["uvloop"] = None  # type: ignore[assignment]
    installed = plugins(*(saboteur(name) for name in names if name != "plain"))
    for name, error in ERRORS.items():
        installed.hooks.register(_hooks(error), name)
    serve(load_settings(), installed, listen("127.0.0.1", 0), lambda _, url: print(url, flush=True))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
