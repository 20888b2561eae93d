"""The beacon: once an hour it sends the counts, which were shown on stderr before the first of them was sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from freeride_core import __version__
from freeride_core.answer import UpstreamRequest
from freeride_core.events.usage import Usage
from freeride_core.plugins.discovery import Plugins
from freeride_core.settings.resolver import Settings
from freeride_core.telemetry.counts import Counts, keep_counts, read_counts

SEND_EVERY_S = 3600.0
_OTHER = "other"
_SYSTEMS = {"darwin": "darwin", "linux": "linux", "win32": "windows"}


_SAVE_EVERY_S = 300.0


Post = Callable[[UpstreamRequest], Awaitable[object]]
"""Sends a request and waits for its end. What it raises is ignored."""


def payload_of(counts: Counts, providers: Iterable[str]) -> dict[str, Any]:
    """All that is sent. `providers` are those with a usable key, as `public_names` gives them."""
    return {
        "installation_id": counts.installation_id,
        "version": __version__,
        "os": _SYSTEMS.get(sys.platform, _OTHER),
        "tokens_served": counts.tokens_served,
        "request_count": counts.request_count,
        "providers_active": sorted(set(providers)),
        "uptime_hours": round(counts.uptime_s / 3600, 1),
    }


def public_names(plugins: Plugins, names: Iterable[str]) -> list[str]:
    """Return the names of providers as they are sent. One that does not come with FreeRide is `other`: its name may be private."""
    try:
        requirements = metadata.requires("freeride-gateway") or ()
    except metadata.PackageNotFoundError:
        requirements = ()
    ours = {re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] for requirement in requirements}
    known = {row.name for row in plugins.rows if row.kind == "provider" and row.distribution in ours}
    return [name if name in known else _OTHER for name in names]


def disclose(settings: Settings, providers: Sequence[str]) -> None:
    """Show on stderr, in three lines, what will be sent: once for an installation, and before anything is sent.

    If it cannot be noted that it was shown, nothing is ever sent."""
    if not settings.telemetry:
        return
    counts = read_counts(settings.home)
    if counts.is_shown:
        return
    sys.stderr.write(
        "freeride: telemetry is on. Once an hour, first in an hour from now, these counts and nothing else are sent to "
        f"{settings.telemetry_endpoint}:\n"
        f"{json.dumps(payload_of(counts, providers))}\n"
        "freeride: turn it off with freeride telemetry off, or set DO_NOT_TRACK=1\n"
    )
    sys.stderr.flush()
    counts.is_shown = True
    try:
        keep_counts(settings.home, counts)
    except OSError as error:
        sys.stderr.write(f"freeride: nothing will be sent, because this notice cannot be recorded: {error.strerror}\n")


class Beacon:
    """Counts answers, and sends the counts once an hour. What fails is tried again an hour later."""

    def __init__(self, post: Post, now: Callable[[], float]) -> None:
        self._post = post
        self._now = now
        self._counted_at = self._saved_at = self._begun_at = now()
        self._tokens = 0
        self._requests = 0
        self._uptime_s = 0.0
        self._lock = threading.Lock()

    async def beat(self, settings: Settings, providers: Callable[[], Sequence[str]], answers: Sequence[Usage]) -> None:
        """To be called every now and then, with the usage of each answer since the last time. Never raises."""
        now = self._now()
        elapsed_s, self._counted_at = now - self._counted_at, now
        if not settings.telemetry:
            self._begun_at = now  # a whole hour passes before the next one, whenever it is turned on
            return
        self._uptime_s += elapsed_s
        self._count(answers)
        is_due = now - self._begun_at >= SEND_EVERY_S
        if is_due or now - self._saved_at >= _SAVE_EVERY_S:
            self._saved_at = now
            if is_due:
                self._begun_at = now
            counts = await asyncio.to_thread(self._save, settings.home)
            if is_due and counts is not None:
                await self._send(settings, counts, providers())

    def end(self, settings: Settings, answers: Sequence[Usage]) -> None:
        """Keeps what was counted, and sends nothing."""
        if settings.telemetry:
            self._count(answers)
            self._uptime_s += self._now() - self._counted_at
            self._save(settings.home)

    def _count(self, answers: Sequence[Usage]) -> None:
        with self._lock:
            self._requests += len(answers)
            self._tokens += sum(usage.input + usage.output for usage in answers)

    def _save(self, home: Path) -> Counts | None:
        """Add what was counted to the installation's counts, which other gateways add to, and return them.

        Return None if they cannot be kept: what was counted then waits for the next time."""
        with self._lock:  # a beat that was cancelled goes on in its thread while the end is kept in another
            counts = read_counts(home)
            counts.tokens_served += self._tokens
            counts.request_count += self._requests
            counts.uptime_s += self._uptime_s
            try:
                keep_counts(home, counts)
            except OSError:
                return None
            self._tokens = self._requests = 0
            self._uptime_s = 0.0
            return counts

    async def _send(self, settings: Settings, counts: Counts, providers: Sequence[str]) -> None:
        with contextlib.suppress(Exception):  # a count that is not sent harms no user
            if not counts.is_shown:  # it was turned on while the gateway ran, or the file was removed
                disclose(settings, providers)
                return
            body = json.dumps(payload_of(counts, providers)).encode()
            headers = (("content-type", "application/json"),)
            await self._post(UpstreamRequest("POST", settings.telemetry_endpoint, headers, body))
