"""A gateway in a process of its own whose event loop is listened to: `python -m heartbeat HASTE FILE`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from fake_upstream import plugins, provider
from freeride_core.gateway.http.pool import Pool
from freeride_core.gateway.runtime import Gateway
from freeride_core.gateway.server import listen, serve
from freeride_core.settings.resolver import load_settings

EVERY_S = 0.002


class Heartbeat:
    """Beats in the gateway's own loop, and notes what that loop has done between two beats.

    A beat that comes late is no proof of a stall: a machine with other things to do lets the whole process wait. So what
    counts is the CPU time that the loop's thread has spent since the last beat: for as long nobody would have had a turn on
    an idle machine either."""

    def __init__(self, gateway: Gateway, path: Path) -> None:
        self._gateway = gateway
        self._path = path
        self._longest_s = 0.0
        self._most_exchanges = 0
        self._loop = asyncio.get_running_loop()
        self._spent_s = time.thread_time()
        self._loop.call_later(EVERY_S, self._beat)

    def _beat(self) -> None:
        now_spent_s = time.thread_time()
        self._longest_s = max(self._longest_s, now_spent_s - self._spent_s)
        self._most_exchanges = max(self._most_exchanges, len(self._gateway.exchanges))
        if self._most_exchanges and not self._gateway.exchanges and is_at_rest(self._gateway):
            told = {"longest_s": self._longest_s, "most_exchanges": self._most_exchanges}
            self._path.with_suffix(".new").write_text(json.dumps(told))
            self._path.with_suffix(".new").replace(self._path)
        self._spent_s = time.thread_time()
        self._loop.call_later(EVERY_S, self._beat)


def is_at_rest(gateway: Gateway) -> bool:
    """Nobody is served, nothing is counted as under way, and no upstream connection is in use."""
    keys = [gateway.ledger.traffic.on(key) for member in gateway.enabled.members for key in member.keys]
    pools = [pool for pool in gateway.upstreams._origins.values() if isinstance(pool, Pool)]
    return (
        not gateway.exchanges
        and not gateway.ledger._probing
        and all(key.in_flight == key.unread == 0 for key in keys)
        and all(pool._all == pool._idle.keys() for pool in pools)
    )


def main(haste: float, path: Path) -> None:
    began = time.time()

    def begin(gateway: Gateway, url: str) -> None:
        gateway.now = gateway.ledger.now = lambda: began + haste * (time.time() - began)
        gateway.upstreams._now = time.time  # kept connections grow old as ever
        Heartbeat(gateway, path)
        print(url, flush=True)  # noqa: T201

    serve(load_settings(), plugins(provider("alpha"), provider("beta")), listen("127.0.0.1", 0), begin)


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
