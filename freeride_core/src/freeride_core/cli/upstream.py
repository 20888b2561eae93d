"""One provider, asked by a plugin's command with the user's keys and without a gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import httpx

from freeride_core.answer import Answer, ErrorKind, Failure, Phase, Scope, UpstreamRequest
from freeride_core.call import Operation
from freeride_core.gateway.http.encoding import DecodedTooLarge, EncodingFault, decode_whole
from freeride_core.gateway.protocols.request import parse_call
from freeride_core.gateway.walk.enabled import EnabledProvider, enabled_providers
from freeride_core.gateway.walk.reaction import cooled_scope, reaction_to
from freeride_core.model import Model
from freeride_core.plugins.discovery import load_provider, offered_names
from freeride_core.provider import Account, Key, Provider
from freeride_core.settings.resolver import Settings

_ANSWER_TIMEOUT_S = 60.0
_LONGEST_BODY = 16 * 1024 * 1024
"""Bytes. The longest list of models in 2026 has 800,000."""
_WIDE = frozenset({Scope.KEY, Scope.ACCOUNT, Scope.PROVIDER})


class UnreachableUpstream(Exception):
    """The upstream gave no usable answer. The text is one line for people."""


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """What one short request to a model showed."""

    kind: str
    """Of the failure, as in `ErrorKind`; empty if the model answers."""
    is_models_fault: bool
    """Another model might answer. False if the failure is about the key, the account or the network."""
    retry_at: float | None = None

    @property
    def is_ok(self) -> bool:
        return not self.kind


def find_provider(name: str) -> Provider | None:
    """Return the installed provider, or None if its package is missing. Raise `PluginError` if it cannot be used."""
    return load_provider(name) if name in offered_names("provider") else None


class UpstreamClient:
    """Asks one provider. `keys` is empty if the user has none; `warnings` says what is wrong with some of them."""

    def __init__(self, provider: Provider, settings: Settings, now: Callable[[], float] = time.time) -> None:
        # FREERIDE_PROVIDERS lists whom the gateway asks; a command names its provider itself.
        found = enabled_providers(replace(settings, providers=None), {provider.name: provider})
        self._enabled: EnabledProvider | None = found.by_name.get(provider.name)
        self.provider = provider
        self.keys: tuple[Key, ...] = self._enabled.keys if self._enabled else ()
        self.warnings = found.warnings
        self._now = now
        timeout = httpx.Timeout(_ANSWER_TIMEOUT_S, connect=settings.connect_timeout)
        self._client = httpx.Client(timeout=timeout, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def is_free(self, model: Model) -> bool:
        """Whether the user can call this model without a bill."""
        return self._enabled is not None and self._enabled.is_free(model, Account())

    def ask(self, request: UpstreamRequest) -> Answer:
        """Send what the provider has prepared. Raise `UnreachableUpstream` if no answer comes, `TimeoutError` if a request with a
        body is not answered in time: the model may be slow."""
        title = self.provider.about.title
        try:
            with self._client.stream(
                request.method, request.url, headers=list(request.headers), content=request.body or None
            ) as answer:
                body = _read_body(answer)
        except EncodingFault as fault:
            raise UnreachableUpstream(f"{title}'s answer is {fault}") from None
        except httpx.ReadTimeout:
            if request.body:
                raise TimeoutError from None
            raise UnreachableUpstream(f"{title} does not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise UnreachableUpstream(f"{title} cannot be reached") from None
        phase = Phase.BODY if answer.status_code == httpx.codes.OK else Phase.STATUS
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, headers, body, self._now(), phase)

    def probe(self, model_id: str, key: Key) -> ProbeVerdict:
        """Ask the model for a few words. This spends one request of the user's quota."""
        fields = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
        body = json.dumps(fields, separators=(",", ":")).encode()
        call = parse_call(Operation.CHAT, body, self._now())
        wire = self.provider.wires[Operation.CHAT]
        try:
            answer = self.ask(wire.prepare(call, Model(id=model_id, canonical=model_id), key))
        except UnreachableUpstream:
            return ProbeVerdict(ErrorKind.NETWORK, is_models_fault=False)
        except TimeoutError:
            return ProbeVerdict(ErrorKind.TIMEOUT, is_models_fault=True)
        failure = wire.read(answer).failure
        if failure is None and answer.status == httpx.codes.OK:
            return ProbeVerdict("", is_models_fault=False)
        failure = failure or Failure(kind=ErrorKind.PROTOCOL)
        reaction = reaction_to(failure)
        is_wide = reaction.cools and cooled_scope(failure, reaction, self.provider) in _WIDE
        return ProbeVerdict(str(failure.kind), is_models_fault=not is_wide, retry_at=failure.retry_at)


def _read_body(answer: httpx.Response) -> bytes:
    """Read and decode no more than is sensible: httpx would decode the body however large it becomes."""
    raw = bytearray()
    for part in answer.iter_raw():
        raw += part
        if len(raw) > _LONGEST_BODY:
            raise DecodedTooLarge(_LONGEST_BODY)
    return decode_whole(bytes(raw), ",".join(answer.headers.get_list("content-encoding")), _LONGEST_BODY)
