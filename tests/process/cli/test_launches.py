"""What every agent that `freeride run` starts gets to know, and what is left of it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from freeride_core.binder import Endpoint
from freeride_core.cli.run import direct_to
from freeride_core.gateway.protocols.registry import SERVED
from freeride_core.plugins.discovery import load_plugins
from freeride_core.simulator import Simulator, SimulatorThread
from freeride_core.simulator.installed import installed_profile
from programs import clean_environ, run, serving, write_script
from served_gateway import FREERIDE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the agents are scripts, and one gets a signal")

TOKEN = "a-token-of-ones-own"
MODEL = "freeride/fast"
BINDERS = [binder for binder in load_plugins(("binder",)).binders.values() if binder.needs in SERVED]
LAUNCHES = {
    binder.name: launch for binder in BINDERS if (launch := binder.launch(Endpoint("http://127.0.0.1:9"))) is not None
}
WITH_FILES = next(name for name, launch in LAUNCHES.items() if launch.files)
STUB = """
import json, os, re, signal, sys
folders = {}
for value in (*os.environ.values(), *sys.argv):
    for folder in re.findall(re.escape(os.environ["TMPDIR"]) + r"/freeride-run-[^/]+", value):
        texts = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                texts[name] = file.read(), os.fstat(file.fileno()).st_mode & 0o777
        folders[folder] = os.stat(folder).st_mode & 0o777, texts
print(json.dumps({"environ": dict(os.environ), "arguments": sys.argv[1:], "folders": folders}), flush=True)
if "die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FreeRide's home, of the gateway and of the commands."""
    return tmp_path_factory.mktemp("freeride")


@pytest.fixture(scope="module")
def gateway(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one that asks for a key."""
    profile = installed_profile(load_plugins(("provider",)), "groq")
    with SimulatorThread(Simulator(profile, quotas=False, pace=0)) as simulators:
        own = {**simulators.env, "FREERIDE_TOKEN": TOKEN, "FREERIDE_HOME": str(home)}
        environ = clean_environ(tmp_path_factory.mktemp("gateway"), own)
        with serving(FREERIDE, environ) as url:
            yield url


@pytest.fixture
def environ(home: Path, tmp_path: Path) -> dict[str, str]:
    """A user's, who has all the agents."""
    programs, temporary = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()
    for launch in LAUNCHES.values():
        write_script(programs / launch.program, STUB)
    own = {"PATH": str(programs), "TMPDIR": str(temporary), "FREERIDE_TOKEN": TOKEN, "FREERIDE_HOME": str(home)}
    return clean_environ(tmp_path / "user", own)


def start(gateway: str, environ: dict[str, str], *words: str, code: int = 0) -> dict[str, Any]:
    ended = run([*FREERIDE, "run", "--url", gateway, "--model", MODEL, *words], environ)
    assert (ended.returncode, ended.stderr) == (code, "")
    return dict(json.loads(ended.stdout))


@pytest.mark.parametrize("agent", LAUNCHES)
def test_it_is_told_where_the_gateway_is_and_nothing_of_it_is_left(
    agent: str, gateway: str, environ: dict[str, str], tmp_path: Path
) -> None:
    said = start(gateway, environ, agent, "--and", "mine")
    assert said["arguments"][-2:] == ["--and", "mine"]
    variables = [value for name, value in said["environ"].items() if environ.get(name) != value]
    texts = [text for _, files in said["folders"].values() for text, _ in files.values()]
    for part in (gateway, MODEL):
        assert any(part in each for each in (*variables, *said["arguments"], *texts)), part
    assert any(TOKEN in each for each in (*variables, *texts))
    assert not [argument for argument in said["arguments"] if TOKEN in argument]
    assert [path.name for path in (tmp_path / "user").iterdir()] in ([], [".freeride"])
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("agent", [name for name, launch in LAUNCHES.items() if launch.files])
def test_its_files_are_for_the_user_alone(agent: str, gateway: str, environ: dict[str, str]) -> None:
    ((mode, files),) = start(gateway, environ, agent)["folders"].values()
    assert mode == 0o700
    assert {name: each for name, (_, each) in files.items()} == dict.fromkeys(LAUNCHES[agent].files, 0o600)


def test_its_files_are_gone_when_a_signal_has_ended_it(gateway: str, environ: dict[str, str], tmp_path: Path) -> None:
    said = start(gateway, environ, WITH_FILES, "die", code=128 + signal.SIGKILL)
    assert said["folders"]
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("agent", LAUNCHES)
def test_a_proxy_that_a_project_names_is_not_asked_for_the_gateway(
    agent: str, gateway: str, environ: dict[str, str]
) -> None:
    """Agents that read a `.env` of their folder take a proxy from it; what they are started with outranks the exemption there."""
    said = start(gateway, environ | {"NO_PROXY": "own.example"}, agent)["environ"]
    assert {said["NO_PROXY"], said["no_proxy"]} == {"own.example,127.0.0.1"}


@pytest.mark.parametrize(
    ("host", "own", "expected"),
    [
        ("127.0.0.1", {"HTTP_PROXY": "http://proxy.example"}, "127.0.0.1"),
        ("gateway.example", {}, "gateway.example"),
        ("gateway.example", {"no_proxy": "a.example", "NO_PROXY": "b.example"}, "a.example,b.example,gateway.example"),
        ("gateway.example", {"HTTP_PROXY": "http://proxy.example"}, None),
        ("gateway.example", {"all_proxy": "http://proxy.example"}, None),
    ],
)
def test_a_gateway_elsewhere_stays_behind_the_user_s_own_proxy(
    host: str, own: dict[str, str], expected: str | None
) -> None:
    assert direct_to(host, own) == ({} if expected is None else {"no_proxy": expected, "NO_PROXY": expected})


@pytest.mark.parametrize("agent", [name for name, launch in LAUNCHES.items() if launch.outranked_by])
def test_what_a_project_outranks_the_launch_with_is_named(
    agent: str, gateway: str, environ: dict[str, str], tmp_path: Path
) -> None:
    project = tmp_path / "cloned"
    (project / ".git").mkdir(parents=True)
    (project / "below").mkdir()
    (tmp_path / LAUNCHES[agent].outranked_by[0]).mkdir(parents=True)  # above the repository
    command = [*FREERIDE, "run", "--url", gateway, agent]
    assert run(command, environ, cwd=project / "below").stderr == ""
    path = project / LAUNCHES[agent].outranked_by[0]
    path.mkdir(parents=True)
    for folder in (project, project / "below"):
        ended = run(command, environ, cwd=folder)
        assert ended.returncode == 0
        assert f"runs the programs in {path}, and they can send its requests elsewhere" in ended.stderr
