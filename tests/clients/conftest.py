"""Real clients as judges. Which of them run: see `installation`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from freeride_core.settings.identity import make_secret
from installation import install
from programs import Program, clean_environ, loopback_environ, serving
from served_gateway import FREERIDE, Front, FrontMaker, fronting


@pytest.fixture(scope="session")
def client_folder(machine_environ: Mapping[str, str]) -> Callable[[str], Path]:
    """Gives the folder in which a client is; if need be it is installed now."""
    return lambda name: install(name, machine_environ)


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The home of all gateways and of `freeride bind` and `run`, as of one user: else no gateway is trusted. Each gateway
    remembers for itself."""
    home = tmp_path_factory.mktemp("shared") / ".freeride"
    home.mkdir(mode=0o700)
    assert make_secret(home) is not None
    return {"FREERIDE_HOME": str(home), "FREERIDE_STATE": "memory:"}


@pytest.fixture
def make_front(tmp_path: Path, shared_home: Mapping[str, str]) -> Iterator[FrontMaker]:
    """Starts `freeride serve` on simulators of these providers (none named: of all) that can be told to fail."""
    with ExitStack() as stack:

        def make_front(*names: str) -> Front:
            return stack.enter_context(fronting(tmp_path / "gateway", *names, more=shared_home))

        yield make_front


@pytest.fixture(scope="module", params=["serve", "demo"])
def gateway_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_home: Mapping[str, str]
) -> Iterator[str]:
    """A gateway in good health: `freeride serve` on `freeride simulate`, and what stays up after `freeride demo`."""
    environ = clean_environ(tmp_path_factory.mktemp("gateway"), shared_home)
    if request.param == "demo":
        with Program([*FREERIDE, "demo", "--port", "0"], environ) as demo:
            yield demo.wait_for(r"(http://127\.0\.0\.1:\d+)/v1")
        return
    with Program([*FREERIDE, "simulate", "--all", "--json"], environ) as simulators:
        variables = json.loads(simulators.wait_for(r"^(\{.*\})$"))["env"]
        with serving(FREERIDE, environ | variables | {"FREERIDE_QUOTA": "off"}) as url:
            yield url


@pytest.fixture
def client_environ(tmp_path: Path, shared_home: Mapping[str, str]) -> Mapping[str, str]:
    """What an agent gets to see."""
    return loopback_environ(tmp_path / "agent", shared_home)
