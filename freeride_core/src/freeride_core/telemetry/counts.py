"""Telemetry: once an hour a few counts, which everybody was shown before the first of them is sent.

What is counted is true and no more: requests whose answer a client got whole, and the tokens (of prompt and answer) that
upstreams report for them. Nobody is asked for a report, so a stream whose client wants no usage counts as a request only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import threading
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from freeride_core import __version__
from freeride_core.answer import UpstreamRequest
from freeride_core.plugins.discovery import Plugins
from freeride_core.settings.resolver import Settings
from freeride_core.system.files import write_atomically

EVERY_S = 3600.0
_SAVE_EVERY_S = 300.0
_KEPT = 4096
"""Bytes of an answer's end in which its usage is looked for."""
_SENSELESS = 1_000_000_000
"""No answer has so many tokens."""
_MOST = 10_000
"""Answers that wait to be counted."""
_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_OTHER = "other"
_SYSTEMS = {"darwin": "darwin", "linux": "linux", "win32": "windows"}
_DECODER = json.JSONDecoder()

Post = Callable[[UpstreamRequest], Awaitable[object]]
"""Sends a request and waits for its end. What it raises is ignored."""


class Counts(msgspec.Struct):
    """What this installation has counted, in `telemetry.json`."""

    installation_id: str
    """A random UUID; says nothing about the machine or its user."""
    is_shown: bool = False
    """The payload was shown; before that nothing is sent."""
    tokens_served: int = 0
    request_count: int = 0
    uptime_s: float = 0.0


def read_counts(home: Path) -> Counts:
    """What stands in the home; a new one where there is none that can be read. An id that an older version made stays."""
    try:
        return msgspec.json.decode((home / "telemetry.json").read_bytes(), type=Counts)
    except (OSError, ValueError):
        return Counts(_former_id(home) or str(uuid.uuid4()))


def keep_counts(home: Path, counts: Counts) -> None:
    """Raises OSError."""
    write_atomically((home / "telemetry.json").resolve(), msgspec.json.encode(counts) + b"\n", 0o600)


def _former_id(home: Path) -> str | None:
    try:
        return str(uuid.UUID((home / "installation_id").read_text("ascii").strip()))
    except (OSError, ValueError):
        return None


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
    """The names of providers as they are sent: one that does not come with FreeRide, and whose name may be nobody's business,
    is `other`."""
    try:
        requirements = metadata.requires("freeride-gateway") or ()
    except metadata.PackageNotFoundError:
        requirements = ()
    ours = {re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0] for requirement in requirements}
    known = {row.name for row in plugins.rows if row.kind == "provider" and row.distribution in ours}
    return [name if name in known else _OTHER for name in names]


def render(payload: Mapping[str, Any]) -> str:
    """As it is shown; what is sent is the same JSON."""
    return json.dumps(payload, indent=2)


def disclose(settings: Settings, providers: Sequence[str]) -> None:
    """Shows on stderr what will be sent, once for an installation and before anything is. Where it cannot be noted that it was
    shown, nothing is ever sent."""
    if not settings.telemetry:
        return
    counts = read_counts(settings.home)
    if counts.is_shown:
        return
    sys.stderr.write(
        "freeride: telemetry is on. Once an hour, the first time in an hour from now, these counts are sent to\n"
        f"freeride: {settings.telemetry_endpoint}, and nothing else:\n"
        f"{render(payload_of(counts, providers))}\n"
        "freeride: to turn it off: freeride telemetry off, or set DO_NOT_TRACK=1\n"
    )
    sys.stderr.flush()
    counts.is_shown = True
    try:
        keep_counts(settings.home, counts)
    except OSError as error:
        sys.stderr.write(f"freeride: nothing will be sent, as that cannot be noted: {error.strerror}\n")


class UsageCounts:
    """Takes the ends of answers on the request path, where it costs next to nothing. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._endings: deque[bytes] = deque(maxlen=_MOST)

    def note(self, ending: bytes) -> None:
        """An answer was delivered; `ending` is its body, or what is left of it."""
        self._endings.append(ending[-_KEPT:])

    def take(self) -> list[bytes]:
        """Those since the last call."""
        endings = list(self._endings)
        self._endings.clear()
        return endings


def tokens_in(ending: bytes) -> int:
    """The tokens of prompt and answer that the last report of usage in an answer's end names; 0: there is none.

    No text of a model's can look like a report, as its quotes are escaped."""
    begin = 0
    for found in _USAGE.finditer(ending):
        begin = found.end()
    if not begin:
        return 0
    try:
        usage, _ = _DECODER.raw_decode(ending[begin:].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return 0
    total = _count(usage, "total_tokens")
    return total or _count(usage, "prompt_tokens") + _count(usage, "completion_tokens")


def _count(usage: Any, name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and 0 < value < _SENSELESS else 0


class Beacon:
    """Counts what a tally has taken, and sends the counts once an hour. What fails is tried again an hour later."""

    def __init__(self, post: Post, now: Callable[[], float]) -> None:
        self._post = post
        self._now = now
        self._counted_at = self._saved_at = self._begun_at = now()
        self._tokens = 0
        self._requests = 0
        self._uptime_s = 0.0
        self._lock = threading.Lock()

    async def beat(self, settings: Settings, providers: Callable[[], Sequence[str]], endings: Sequence[bytes]) -> None:
        """To be called every now and then, with the answers since the last time. Never raises."""
        now = self._now()
        elapsed_s, self._counted_at = now - self._counted_at, now
        if not settings.telemetry:
            self._begun_at = now  # a whole hour passes before the next one, whenever it is turned on
            return
        self._uptime_s += elapsed_s
        if endings:
            await asyncio.to_thread(self._count, endings)
        is_due = now - self._begun_at >= EVERY_S
        if is_due or now - self._saved_at >= _SAVE_EVERY_S:
            self._saved_at = now
            if is_due:
                self._begun_at = now
            counts = await asyncio.to_thread(self._save, settings.home)
            if is_due and counts is not None:
                await self._send(settings, counts, providers())

    def end(self, settings: Settings, endings: Sequence[bytes]) -> None:
        """Keeps what was counted, and sends nothing."""
        if settings.telemetry:
            self._count(endings)
            self._uptime_s += self._now() - self._counted_at
            self._save(settings.home)

    def _count(self, endings: Sequence[bytes]) -> None:
        tokens = sum(map(tokens_in, endings))
        with self._lock:
            self._requests += len(endings)
            self._tokens += tokens

    def _save(self, home: Path) -> Counts | None:
        """Adds what was counted to what the installation has, to which other gateways may have added. None: that cannot be kept,
        and what was counted waits for the next time."""
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
        with contextlib.suppress(Exception):  # nobody waits for it, and nobody needs to know
            if not counts.is_shown:  # it was turned on while the gateway ran, or somebody has removed the file
                disclose(settings, providers)
                return
            body = json.dumps(payload_of(counts, providers)).encode()
            headers = (("content-type", "application/json"),)
            await self._post(UpstreamRequest("POST", settings.telemetry_endpoint, headers, body))
