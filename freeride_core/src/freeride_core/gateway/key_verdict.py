"""Whether a provider takes a key, shown by requests that spend nothing of its quota."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from freeride_core.answer import Answer, ErrorKind, Quota, UpstreamRequest
from freeride_core.gateway.http.aside import aside
from freeride_core.provider import Key, Provider
from freeride_core.system.json_values import LARGE

Ask = Callable[[UpstreamRequest], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """What a provider said of a key."""

    valid: bool | None
    note: str
    quota: tuple[Quota, ...] = ()

    @property
    def word(self) -> str:
        return {True: "valid", False: "rejected", None: "unknown"}[self.valid]


async def judge_key(provider: Provider, key: Key, ask: Ask) -> KeyVerdict:
    """Return what the provider's probe says of the key, or else its list of models. Raises what `ask` and the plugin raise."""
    if provider.probe is not None and (request := provider.probe.request(key)) is not None:
        answer, read = await ask(request), provider.probe.read
        proof = read(answer) if len(answer.body) <= LARGE else await aside(read, answer)
        return KeyVerdict(proof.valid, proof.note, proof.quota)
    if (request := provider.catalog.request(key)) is None:
        return KeyVerdict(None, "the provider has nothing that can be asked for free")
    if not key.secret:
        answer = await ask(request)
        return KeyVerdict(answer.status == 200 or None, f"it wants no key; it answered {answer.status}")
    answer, without_key = await asyncio.gather(ask(request), ask(_without(key, request)))
    if answer.status == 200:
        # A list that needs no key says nothing about a key.
        return (
            KeyVerdict(True, "") if without_key.status in {401, 403} else KeyVerdict(None, "its model list is public")
        )
    failure = next(iter(provider.wires.values())).read(answer).failure
    if failure is not None and failure.kind == ErrorKind.AUTH:
        return KeyVerdict(False, "")
    return KeyVerdict(None, f"it answered {answer.status}")


def _without(key: Key, request: UpstreamRequest) -> UpstreamRequest:
    return replace(request, headers=tuple(header for header in request.headers if key.secret not in header[1]))
