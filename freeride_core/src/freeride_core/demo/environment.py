"""The environment of the demo: simulators of installed providers, and a real gateway in front of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Literal, Self

import pluggy

from freeride_core import hookspecs
from freeride_core.events.records import Event
from freeride_core.gateway.server import GatewayThread
from freeride_core.ledger.cooldowns import Cooldown
from freeride_core.ledger.readiness import Readiness
from freeride_core.plugins.discovery import Plugins
from freeride_core.settings.home import home_of
from freeride_core.settings.identity import lend_secret
from freeride_core.settings.resolver import load_settings
from freeride_core.simulator import Profile, Simulator, SimulatorThread

_CATALOGS_TIMEOUT_S = 2.0
_POLL_S = 0.01

Observe = Callable[[Event], object]


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """A provider's state right now, as the gateway sees it."""

    name: str
    cooldown: Cooldown | None = None
    """None if it is ready."""

    @property
    def is_ready(self) -> bool:
        return self.cooldown is None


class DemoEnvironment:
    """A context: simulators and gateway run in it, with made-up keys and a state of their own. `observe` gets the gateway's
    events, in a thread of the gateway's."""

    def __init__(
        self,
        plugins: Plugins,
        profiles: Sequence[Profile],
        observe: Observe,
        *,
        port: int = 0,
        pace: float = 1.0,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """`extra` holds further variables for the gateway; nothing else than these and the simulators' own reaches it."""
        self._plugins = replace(plugins, hooks=_listen_with(observe))
        self._simulators = SimulatorThread(*(Simulator(profile, pace=pace) for profile in profiles))
        self._port = port
        self._extra = extra or {}
        self._stack = ExitStack()
        self._gateway: GatewayThread | None = None
        self.short_of_minute: set[str] = set()
        """Who has had no requests left for a minute."""

    def __enter__(self) -> Self:
        # A proxy between this process and its own simulators would be a way off this machine.
        os.environ.update(NO_PROXY="*", no_proxy="*")
        with ExitStack() as stack:
            home = stack.enter_context(TemporaryDirectory(prefix="freeride-demo-", ignore_cleanup_errors=True))
            # Once the upstreams are gone nothing is in flight that the gateway would wait for.
            stack.callback(self._stop_gateway)
            stack.enter_context(self._simulators)
            lend_secret(home_of(os.environ), Path(home))
            settings = load_settings(self._environ(Path(home)))
            self._gateway = GatewayThread(settings, self._plugins, port=self._port)
            self._gateway.__enter__()
            self._await_catalogs()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        return self._running.url

    def standings(self) -> list[ProviderStatus]:
        """All providers that can play a part, in the order in which the gateway asks them."""
        return [
            self._standing(simulator.profile) for simulator in self._simulators.simulators if self._can_play(simulator)
        ]

    def ready(self) -> list[Simulator]:
        """Those that the gateway would ask now, the first one first."""
        return [
            simulator
            for simulator in self._simulators.simulators
            if self._can_play(simulator) and self._standing(simulator.profile).is_ready
        ]

    def keys_ready(self, simulator: Simulator) -> list[str]:
        """Its keys that the gateway would use now, the first one first."""
        name, model = simulator.profile.provider, simulator.profile.default_model
        gateway = self._running.gateway
        return [
            key.secret
            for key in gateway.enabled.by_name[name].keys
            if gateway.ledger.state(key, model).readiness is not Readiness.COOLING
        ]

    def use_up(self, simulator: Simulator, window: Literal["minute", "day"], back_in_s: float | None = None) -> bool:
        """Use up a free quota. Return whether the simulator counts it."""
        is_counted = simulator.use_up(window, back_in_s=back_in_s)
        if is_counted and window == "minute":
            self.short_of_minute.add(simulator.profile.provider)
        return is_counted

    def kill(self, simulator: Simulator) -> None:
        """Its port refuses from now on."""
        self._simulators.stop(simulator)

    def say(self, text: Callable[[str], str]) -> None:
        """What the simulated models answer from now on, by provider."""
        for simulator in self._simulators.simulators:
            simulator.say(text(simulator.profile.provider))

    @property
    def _running(self) -> GatewayThread:
        assert self._gateway is not None
        return self._gateway

    def _environ(self, home: Path) -> dict[str, str]:
        environ = {"FREERIDE_HOME": str(home), "FREERIDE_TELEMETRY": "off", "FREERIDE_EVENTS": "0"}
        for simulator in self._simulators.simulators:
            environ |= simulator.env
        return environ | dict(self._extra)

    def _await_catalogs(self) -> None:
        catalogs = self._running.gateway.catalogs
        names = [simulator.profile.provider for simulator in self._simulators.simulators]
        deadline = time.monotonic() + _CATALOGS_TIMEOUT_S
        while not all(map(catalogs.is_known, names)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _can_play(self, simulator: Simulator) -> bool:
        models = self._running.gateway.catalogs.models(simulator.profile.provider)
        return any(model.id == simulator.profile.default_model for model in models)

    def _standing(self, profile: Profile) -> ProviderStatus:
        gateway = self._running.gateway
        soonest: Cooldown | None = None
        for key in gateway.enabled.by_name[profile.provider].keys:
            state = gateway.ledger.state(key, profile.default_model)
            if state.cooldown is None:
                return ProviderStatus(profile.provider)
            if soonest is None or state.cooldown.until < soonest.until:
                soonest = state.cooldown
        return ProviderStatus(profile.provider, soonest)

    def _stop_gateway(self) -> None:
        if self._gateway is not None:
            self._gateway.stop()


class _Listener:
    def __init__(self, observe: Observe) -> None:
        self._observe = observe

    @hookspecs.hookimpl
    def freeride_event(self, event: Event) -> None:
        self._observe(event)


def _listen_with(observe: Observe) -> pluggy.PluginManager:
    """Hooks with one listener. The plugins' own are left out: what they do with events may leave this machine."""
    hooks = pluggy.PluginManager(hookspecs.PROJECT)
    hooks.add_hookspecs(hookspecs)
    hooks.register(_Listener(observe))
    return hooks
