"""Keys and providers: which can be used and reached. Sends no request that needs a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx

from freeride_core.cli.checks.finding import Finding, broken, ok, warning
from freeride_core.cli.keys import odd_keys
from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders
from freeride_core.ledger.readiness import Ledger
from freeride_core.ledger.slots import ALL_MODELS
from freeride_core.plugins.discovery import Plugins
from freeride_core.settings.advice import check_settings
from freeride_core.settings.resolver import Settings

_PATIENCE_S = 10.0
_SKEW_S = 60.0
"""Further off than this, the hours at which quotas come back are told wrongly."""


def check_plugins(plugins: Plugins) -> Iterator[Finding]:
    """Whether all that is installed can be used."""
    for row in plugins.rows:
        if row.status != "ok":
            yield broken("plugins", f"the {row.kind} {row.name!r} from {row.distribution} cannot be used: {row.reason}")
    usable = [row.name for row in plugins.rows if row.status == "ok"]
    if usable:
        yield ok("plugins", ", ".join(usable))
    else:
        yield broken("plugins", "no provider is installed; the usual ones come with: pip install freeride-gateway")


def check_keys(settings: Settings, enabled: EnabledProviders, ledger: Ledger) -> Iterator[Finding]:
    """Which keys can be used, which were dropped, and why."""
    for line in (*check_settings(settings, enabled.registered), *enabled.warnings, *odd_keys(enabled)):
        yield warning("keys", line)
    for member in enabled.members:
        cooling = [key for key in member.keys if ledger.state(key, ALL_MODELS).cooldown]
        count = len(member.keys)
        text = f"{member.provider.name}: {count} usable"
        if cooling:
            text += f", {'all' if len(cooling) == count else len(cooling)} of them cooling down: freeride keys"
        yield (warning if len(cooling) == count else ok)("keys", text)
    if not enabled.members:
        yield broken("keys", "no provider has a key: freeride init")


def check_reach(settings: Settings, enabled: EnabledProviders) -> Iterator[Finding]:
    """Who can be reached, and what their clocks say. Shows no key and spends no quota."""
    moments: list[float] = []
    for member, answer in zip(enabled.members, asyncio.run(_knock_all(settings, enabled)), strict=True):
        name, origin = member.provider.name, _origin(member)
        if isinstance(answer, str):
            yield broken("reach", f"{name}: {origin} cannot be reached: {answer}")
            continue
        yield ok("reach", f"{name}: {origin}")
        if answer is not None:
            moments.append(answer)
    if moments:
        yield _judge(sorted(moments)[len(moments) // 2])


def _judge(ahead_s: float) -> Finding:
    if abs(ahead_s) > _SKEW_S:
        side = "behind" if ahead_s > 0 else "ahead"
        return warning("clock", f"this machine's clock is {abs(ahead_s):.0f} s {side} of the providers'")
    return ok("clock", "as the providers' are")


def _origin(member: EnabledProvider) -> httpx.URL:
    return httpx.URL(member.keys[0].base_url).copy_with(path="/", query=None)


async def _knock_all(settings: Settings, enabled: EnabledProviders) -> list[float | str | None]:
    """Return for each why it cannot be reached, or by how many seconds its clock is ahead, or None if it does not say."""
    timeout = httpx.Timeout(_PATIENCE_S, connect=settings.connect_timeout)
    async with httpx.AsyncClient(timeout=timeout, follow_redirects=False) as client:
        return list(await asyncio.gather(*(_knock(client, _origin(member)) for member in enabled.members)))


async def _knock(client: httpx.AsyncClient, origin: httpx.URL) -> float | str | None:
    begun = time.time()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            answer = await client.head(origin)
    except (httpx.TimeoutException, TimeoutError):
        return "no answer in time"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return "the certificate is not valid" if "CERTIFICATE" in str(error) else "no connection"
    try:
        moment = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    return moment - (begun + time.time()) / 2
