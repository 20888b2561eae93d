"""When a bound agent last asked a gateway of this home: that it does, or since when it does not."""

from __future__ import annotations

import time
from typing import Self

from freeride_core.binder import Binder
from freeride_core.ledger.clients import ClientLedger, Visit
from freeride_core.settings.resolver import Settings

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


class AgentRequests:
    """As the state remembers them, at one moment."""

    def __init__(self, clients: ClientLedger | None, now: float) -> None:
        self._clients = clients
        """None if there is no state yet, it is in the gateway's memory only, or it cannot be read."""
        self._now = now

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """The requests that the state remembers now. Raises `SettingsError`."""
        from freeride_core.cli.snapshot import recall
        from freeride_core.ledger.store.drivers import is_there

        entries, notice = recall(settings)
        clients = ClientLedger(lambda _: None)
        clients.apply(entries)
        is_known = is_there(settings.state, settings.home) and not notice
        return cls(clients if is_known else None, time.time())

    def asked_at(self, binder: Binder) -> float | None:
        """When the agent last asked, in seconds since the epoch, or None if it is not known to have."""
        visit = self._clients.last(binder.client_names) if self._clients and binder.client_names else None
        return visit.at if visit else None

    def sentence(self, binder: Binder, bound_at: float | None) -> str:
        """Return for people when it last asked, or that it has not since it was bound, or an empty text if nothing is known."""
        if self._clients is None:
            return ""
        if not (binder.client_names or binder.shared_client_names):
            return "its requests do not name it, so it is not known when it last asked"
        since = bound_at or 0.0
        own, shared = self._clients.last(binder.client_names), self._clients.last(binder.shared_client_names)
        if own and own.at >= since:
            return f"it last asked {self._when(own)}"
        if shared and shared.at >= since:
            names = " or ".join(binder.shared_client_names)
            return f"a program whose requests name {names}, as its do, last asked {self._when(shared)}"
        return "it has not asked since it was bound" if bound_at else "it has not asked yet"

    def _when(self, visit: Visit) -> str:
        return f"{age(self._now - visit.at)}, for {visit.model}"


def age(seconds: float) -> str:
    """How long ago something was, in the largest unit of which a whole one has passed: `3 minutes ago`."""
    for length, unit in _UNITS:
        if (count := int(seconds // length)) >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
