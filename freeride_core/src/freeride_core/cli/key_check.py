"""Asks providers whether they accept a key, without using its quota."""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Sequence

import httpx

from freeride_core.answer import Answer, Phase, UpstreamRequest
from freeride_core.gateway.http.encoding import EncodingFault, decode_whole
from freeride_core.gateway.key_verdict import KeyVerdict, judge_key
from freeride_core.provider import Key, Provider
from freeride_core.settings.resolver import Settings

_PATIENCE_S = 20.0
_LONGEST_BODY = 8 * 1024 * 1024


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
                    return await judge_key(provider, key, functools.partial(_ask, client))
            except (httpx.TimeoutException, TimeoutError):
                return KeyVerdict(None, "no answer in time")
            except (httpx.HTTPError, httpx.InvalidURL):
                return KeyVerdict(None, "it cannot be reached")
            except EncodingFault as fault:
                return KeyVerdict(None, f"its answer is {fault}")
            except Exception as fault:  # a plugin's fault with one key says nothing about the others
                return KeyVerdict(None, f"the provider's plugin failed: {type(fault).__name__}")
            finally:
                progress.step()

        return list(await asyncio.gather(*(check(provider, key) for provider, key in keys)))


async def _ask(client: httpx.AsyncClient, request: UpstreamRequest) -> Answer:
    sent = client.build_request(
        request.method, request.url, headers=list(request.headers), content=request.body or None
    )
    answer = await client.send(sent, stream=True)
    try:
        raw = bytearray()
        async for chunk in answer.aiter_raw():  # httpx would decode it, however large that becomes
            raw += chunk
            if len(raw) > _LONGEST_BODY:
                break
    finally:
        await answer.aclose()
    body = decode_whole(bytes(raw), ",".join(answer.headers.get_list("content-encoding")), _LONGEST_BODY)
    phase = Phase.BODY if answer.status_code == 200 else Phase.STATUS
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(answer.status_code, headers, body, time.time(), phase)


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
