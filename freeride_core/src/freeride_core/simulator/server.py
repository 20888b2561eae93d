"""Plays a profile over a real loopback socket."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from freeride_core.simulator.connection import SimulatorConnection
from freeride_core.simulator.model import Saying
from freeride_core.simulator.profile import Profile
from freeride_core.simulator.reply import SimulatedResponse
from freeride_core.simulator.seen import SeenRequest
from freeride_core.simulator.upstream import SimulatedUpstream

HOST = "127.0.0.1"
_POLL_S = 0.005
T = TypeVar("T")


class Simulator:
    """One simulated upstream, listening on 127.0.0.1 once it is started."""

    def __init__(
        self,
        profile: Profile,
        *,
        quotas: bool = True,
        seed: int = 0,
        now: Callable[[], float] = time.time,
        accounts: Mapping[str, str] | None = None,
        text: str | None = None,
        model: Callable[[Mapping[str, Any]], Saying] | None = None,
        pace: float = 1.0,
        slow_s: float = 2.0,
        on_answer: Callable[[SeenRequest], None] | None = None,
    ) -> None:
        """`accounts` maps keys to accounts; a key that is not in it is an account of its own. `text` is all that the model ever
        says. `model` takes the JSON of a request and decides what is said, tool calls included. `pace` stretches every pause,
        and 0 removes it. `slow_s` is how late `slow-first-byte` is. `on_answer` is called when it is decided what a request
        gets."""
        self.profile = profile
        self.requests: list[SeenRequest] = []
        """What arrived, in order."""
        self.port = 0
        self._upstream = SimulatedUpstream(
            profile, quotas=quotas, seed=seed, now=now, accounts=accounts, text=text, model=model, slow_s=slow_s
        )
        self._pace = pace
        self._on_answer = on_answer
        self._connections: set[SimulatorConnection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on the port, or on any free one if it is 0. Raise `OSError` if the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, HOST, port, family=socket.AF_INET)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()
        self._server = None

    @property
    def base_url(self) -> str:
        """What takes the place of the package's base URL."""
        return f"http://{HOST}:{self.port}{self.profile.base_path}"

    @property
    def env(self) -> dict[str, str]:
        """The variables that make a gateway use this simulator."""
        profile = self.profile
        result = {f"FREERIDE_{profile.provider.upper()}_BASE_URL": self.base_url}
        if profile.key_variable:
            result[profile.key_variable] = profile.good_key
        if profile.account_variable and profile.account:
            result[profile.account_variable] = profile.account
        return result

    def script(self, *names: str) -> None:
        """The next requests get these cases or built-ins, one each; then all is normal again. A name of the good answers
        (`chat`) stands for the good answer, outside of quotas. `models:NAME`, or a case of the catalog, waits for the next
        request for the catalog, everything else for the next chat or embeddings request. ValueError: no such name."""
        self._upstream.orders.script(*names)

    def always(self, name: str | None, *, key: str | None = None, model: str | None = None) -> None:
        """From now on every chat and embeddings request, or those of this key or for this model, get this case or built-in.
        Several such orders hold side by side, the latest first; None ends them all."""
        self._upstream.orders.always(name, key=key, model=model)

    def use_up(self, window: Literal["minute", "day"], *, back_in_s: float | None = None) -> bool:
        """From now on the quota for this window has nothing left for chat, until it comes back as it always does; a fixed
        window in `back_in_s` seconds. Return whether the profile has such a quota."""
        return self._upstream.use_up(window, back_in_s)

    def say(self, text: str | None) -> None:
        """Set all that the model says from now on, or None for what it says by itself."""
        self._upstream.text = text

    async def wait_for(self, predicate: Callable[[], T], timeout_s: float = 5.0) -> T:
        """Return the first true value of `predicate`. Raise `TimeoutError` if it has none in time."""
        deadline = time.monotonic() + timeout_s
        while not (value := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing like it within {timeout_s} s; last seen: {self.requests[-3:]}")
            await asyncio.sleep(_POLL_S)
        return value

    def _connect(self) -> SimulatorConnection:
        return SimulatorConnection(self._respond, self._pace, self._connections)

    def _respond(self, seen: SeenRequest) -> SimulatedResponse:
        reply = self._upstream.answer(seen)
        self.requests.append(seen)
        if self._on_answer is not None:
            self._on_answer(seen)
        return reply
