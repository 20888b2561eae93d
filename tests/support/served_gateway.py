"""A gateway as a user starts it, in front of simulated providers that a test can tell to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from freeride_core.simulator.model import Saying
from freeride_core.system.programs import python_command
from programs import clean_environ, serving

FREERIDE = tuple(python_command("freeride_core"))


@dataclass(frozen=True)
class Front:
    """The gateway's root, and the providers by name, in the gateway's order."""

    url: str
    simulators: Mapping[str, Simulator]

    def all_answer(self, case: str) -> None:
        """From now on every provider answers everything with this."""
        for simulator in self.simulators.values():
            simulator.always(case)

    @property
    def attempts(self) -> list[str]:
        """The providers that were asked for something, each time."""
        posts = [
            (seen.at, name)
            for name, simulator in self.simulators.items()
            for seen in simulator.requests
            if seen.method == "POST"
        ]
        return [name for _, name in sorted(posts)]


FrontMaker = Callable[..., Front]
SimulatedModel = Callable[[Mapping[str, Any]], Saying]


@contextmanager
def fronting(
    home: Path,
    *names: str,
    models: Mapping[str, SimulatedModel] = MappingProxyType({}),
    more: Mapping[str, str] | None = None,
) -> Iterator[Front]:
    """`freeride serve` on simulators of these providers; none named: of all that are installed. `models` says by provider
    what the model says, where that is not what simulated models say by themselves."""
    plugins = load_plugins(("provider",))
    profiles = [installed_profile(plugins, name) for name in names or plugins.providers]
    simulators = [Simulator(profile, quotas=False, pace=0, model=models.get(profile.provider)) for profile in profiles]
    with SimulatorThread(*simulators) as thread:
        by_name = {simulator.profile.provider: simulator for simulator in thread.simulators}
        # The simulators have no end of their quotas, so there is nothing to wait for.
        own = {"FREERIDE_QUOTA": "off", **thread.env, **(more or {})}
        with serving(FREERIDE, clean_environ(home, own)) as url:
            yield Front(url, by_name)
