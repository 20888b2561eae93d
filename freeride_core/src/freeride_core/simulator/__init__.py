"""Simulated upstreams: they play a provider package's `simulator.toml` over real sockets.

Nothing here ever contacts anything; it listens on 127.0.0.1 only.
"""

from freeride_core.simulator.behaviour import BEHAVIOURS
from freeride_core.simulator.profile import Case, Profile, ProfileError
from freeride_core.simulator.profile_file import read_profile
from freeride_core.simulator.reading import answer_of, catalog_of, expectation_of, reading_of
from freeride_core.simulator.seen import SeenRequest
from freeride_core.simulator.server import Simulator
from freeride_core.simulator.thread import SimulatorThread

__all__ = [
    "BEHAVIOURS",
    "Case",
    "Profile",
    "ProfileError",
    "SeenRequest",
    "Simulator",
    "SimulatorThread",
    "answer_of",
    "catalog_of",
    "expectation_of",
    "read_profile",
    "reading_of",
]
