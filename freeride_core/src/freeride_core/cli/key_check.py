"""Asks providers whether they take a key, without spending any of its quota."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx

from freeride_core.answer import Answer, ErrorKind, Phase, UpstreamRequest
from freeride_core.provider import Key, Provider
from freeride_core.settings.resolver import Settings

_PATIENCE_S = 20.0
_LONGEST_BODY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """What a provider said of a key."""

    valid: bool | None
    note: str

    @property
    def word(self) -> str:
        return {True: "valid", False: "refused", None: "unknown"}[self.valid]


def check_keys(settings: Settings, keys: Sequence[tuple[Provider, Sequence[Key]]]) -> list[KeyVerdict]:
    """A verdict on each key, in their order. All are asked at the same time, and the progress is told on stderr."""
    return asyncio.run(_check_all(settings, [(provider, key) for provider, own in keys for key in own]))


async def _check_all(settings: Settings, keys: Sequence[tuple[Provider, Key]]) -> list[KeyVerdict]:
    progress = _Progress(len(keys))
    timeout = httpx.Timeout(_PATIENCE_S, connect=settings.connect_timeout)
    async with httpx.AsyncClient(timeout=timeout, follow_redirects=False) as client:

        async def check(provider: Provider, key: Key) -> KeyVerdict:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    return await _check(client, provider, key)
            except (httpx.TimeoutException, TimeoutError):
                return KeyVerdict(None, "no answer in time")
            except (httpx.HTTPError, httpx.InvalidURL):
                return KeyVerdict(None, "it cannot be reached")
            except Exception as fault:  # a plugin's fault with one key says nothing about the others
                return KeyVerdict(None, f"the provider's plugin failed: {type(fault).__name__}")
            finally:
                progress.step()

        return list(await asyncio.gather(*(check(provider, key) for provider, key in keys)))


async def _check(client: httpx.AsyncClient, provider: Provider, key: Key) -> KeyVerdict:
    if provider.probe is not None and (request := provider.probe.request(key)) is not None:
        proof = provider.probe.read(await _ask(client, request))
        return KeyVerdict(proof.valid, proof.note)
    if (request := provider.catalog.request(key)) is None:
        return KeyVerdict(None, "the provider has nothing that can be asked for free")
    if not key.secret:
        answer = await _ask(client, request)
        return KeyVerdict(answer.status == 200 or None, f"it wants no key; it answered {answer.status}")
    answer, without_key = await asyncio.gather(_ask(client, request), _ask(client, _without(key, request)))
    if answer.status == 200:
        # A list that is shown to everybody says nothing about a key.
        return (
            KeyVerdict(True, "") if without_key.status in {401, 403} else KeyVerdict(None, "its model list is public")
        )
    failure = next(iter(provider.wires.values())).read(answer).failure
    if failure is not None and failure.kind == ErrorKind.AUTH:
        return KeyVerdict(False, "")
    return KeyVerdict(None, f"it answered {answer.status}")


def _without(key: Key, request: UpstreamRequest) -> UpstreamRequest:
    return replace(request, headers=tuple(header for header in request.headers if key.secret not in header[1]))


async def _ask(client: httpx.AsyncClient, request: UpstreamRequest) -> Answer:
    sent = client.build_request(
        request.method, request.url, headers=list(request.headers), content=request.body or None
    )
    answer = await client.send(sent, stream=True)
    body = bytearray()
    try:
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _LONGEST_BODY:
                break
    finally:
        await answer.aclose()
    phase = Phase.BODY if answer.status_code == 200 else Phase.STATUS
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(answer.status_code, headers, bytes(body), time.time(), phase)


class _Progress:
    """One line on stderr, kept up to date where that is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._is_live = sys.stderr.isatty()
        sys.stderr.write(f"checking {total} {'key' if total == 1 else 'keys'} ...{'' if self._is_live else chr(10)}")
        sys.stderr.flush()

    def step(self) -> None:
        self._done += 1
        if self._is_live:
            end = "\n" if self._done == self._total else ""
            sys.stderr.write(f"\rchecked {self._done} of {self._total} keys    {end}")
            sys.stderr.flush()
