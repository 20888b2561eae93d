"""Simulated upstreams: they play the `simulator.toml` of a provider package over real sockets, on 127.0.0.1 only.

In reading order:

- `profile`: what a `simulator.toml` holds
- `profile_file`: reads one, and names its mistakes
- `check`: the mistakes that types cannot find
- `standard`: the answers of a profile that describes none of its own
- `upstream`: decides what a simulated upstream answers
- `history`: what an upstream refuses in a conversation
- `orders`: answers that a test or a person has ordered
- `behaviour`: misbehaviour by name: silence, resets, broken streams
- `dialect`: good answers in the dialect of the profile
- `render`: fills placeholders
- `model`: what the simulated model says
- `embedding`: simulated embeddings
- `quota`: quotas that deplete and return
- `reply`: the response, down to the single write
- `connection`: one client's connection
- `seen`: what was seen of one request
- `server`: a simulator on a socket
- `thread`: simulators for code without an event loop
- `reading`: what a provider package reads from the cases of its own profile
- `installed`: the profiles of installed packages

Imports `plugins`, `compatible`, the front room and `system`.
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
