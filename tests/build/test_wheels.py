"""The distributions as users get them: built once, installed into empty environments, and run there."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from distributions import BINDERS, MEMBERS, PROVIDERS, Site
from freeride_core import __version__
from programs import Program, clean_environ, post, run, serving
from repository import ROOT

ASK = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.fixture(scope="session")
def core_alone(make_site: Callable[[str], Site]) -> Site:
    return make_site("freeride-core")


@pytest.fixture(scope="session")
def tool(
    uv: Callable[..., None], sources: list[str | Path], dist: Path, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """What `uv tool install` makes of the root's wheel."""
    folder = tmp_path_factory.mktemp("tool")
    wheel = dist / f"freeride_gateway-{__version__}-py3-none-any.whl"
    own = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin"), "UV_PYTHON": sys.executable}
    uv("tool", "install", "--quiet", *sources, wheel, **own)
    site = Site(folder / "tools" / "freeride-gateway")
    programs = {path.stem: path for path in (folder / "bin").iterdir()}
    assert programs.keys() == {"freeride", "freeride-watcher"}
    site.freeride = programs["freeride"]
    return site


@pytest.fixture
def wheel(dist: Path, request: pytest.FixtureRequest) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(dist / f"{request.param}-{__version__}-py3-none-any.whl") as wheel:
        yield wheel


def read_metadata(wheel: zipfile.ZipFile) -> Any:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return HeaderParser().parsestr(wheel.read(name).decode("utf-8"))


def test_every_member_and_the_root_make_a_wheel_of_one_version(dist: Path) -> None:
    assert {path.name for path in dist.glob("*.whl")} == {
        f"{name}-{__version__}-py3-none-any.whl" for name in [*MEMBERS, "freeride_gateway"]
    }


@pytest.mark.parametrize("wheel", ["freeride_gateway"], indirect=True)
def test_the_root_is_a_name_for_the_others_and_has_no_module(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist()} == {f"freeride_gateway-{__version__}.dist-info"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert sorted(read_metadata(wheel).get_all("Requires-Dist")) == sorted(project["dependencies"])


@pytest.mark.parametrize("wheel", MEMBERS, indirect=True)
def test_a_members_wheel_holds_its_package_typed_and_without_tests(wheel: zipfile.ZipFile) -> None:
    package = Path(str(wheel.filename)).name.split("-", 1)[0]
    names = wheel.namelist()

    assert {name.split("/")[0] for name in names} == {package, f"{package}-{__version__}.dist-info"}
    assert {f"{package}/__init__.py", f"{package}/py.typed"} <= set(names)
    templates = {path.name for path in (ROOT / "conformance").glob("src/*/templates/*")}
    held = {name.rpartition("/")[2] for name in names if "/templates/" in name}
    assert held == (templates if package == "freeride_conformance" else set())
    assert (f"{package}/simulator.toml" in names) == package.startswith("freeride_provider_")
    # The conformance suite is a package of tests for others to run; it ships its rules, not the tests of the rules.
    own_tests = [name for name in names if "/test" in name or "/meta/" in name or name.endswith("conftest.py")]
    shipped = {"freeride_conformance/test_plugins.py"}
    assert own_tests == sorted(shipped if package == "freeride_conformance" else ())
    assert read_metadata(wheel).get_payload().startswith("# "), "the index shows the README"
    assert not [name for name in names if str(ROOT).encode() in wheel.read(name)]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_wheel_alone_serves(name: str, make_site: Callable[[str], Site]) -> None:
    site = make_site(f"freeride-provider-{name}")

    assert [(row["kind"], row["name"]) for row in site.plugins()] == [("provider", name)]
    with Program([site.freeride, "simulate", name, "--json"], site.environ) as simulator:
        variables = json.loads(simulator.wait_for(r"^(\{.*\})$"))["env"]
        with serving([site.freeride], site.environ | variables) as url:
            whole = post(f"{url}/v1/chat/completions", ASK)
            stream = post(f"{url}/v1/chat/completions", ASK | {"stream": True})

    for answer in (whole, stream):
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-freeride-provider"] == name
    assert "simulated for" in whole.json()["choices"][0]["message"]["content"]
    assert stream.text.rstrip().endswith("data: [DONE]")


def test_the_tool_has_all_providers_and_binders(tool: Site) -> None:
    found = {(row["kind"], row["name"]) for row in tool.plugins()}
    assert found == {*(("provider", name) for name in PROVIDERS), *(("binder", name) for name in BINDERS)}


def test_the_tool_serves_all_providers(tool: Site) -> None:
    with Program([tool.freeride, "simulate", "--all", "--json"], tool.environ) as simulators:
        variables = json.loads(simulators.wait_for(r"^(\{.*\})$"))["env"]
        with serving([tool.freeride], tool.environ | variables) as url:
            health = httpx.get(f"{url}/health", trust_env=False).json()
            answer = post(f"{url}/v1/chat/completions", ASK)

    assert health["version"] == __version__
    assert sorted(health["providers"]) == PROVIDERS
    assert answer.headers["x-freeride-provider"] == health["providers"][0]


def test_a_tool_from_a_local_wheel_says_that_no_installer_can_upgrade_it(tool: Site, dist: Path) -> None:
    for options in ([], ["--dry-run"]):
        ended = run([tool.freeride, "upgrade", *options], tool.environ)
        assert (ended.returncode, ended.stdout) == (1, "")
        wheel = dist / f"freeride_gateway-{__version__}-py3-none-any.whl"
        assert f"was installed from {wheel}, where no installer finds a newer version." in ended.stderr


def test_the_tool_says_how_it_is_removed(tool: Site) -> None:
    ended = run([tool.freeride, "uninstall"], tool.environ)
    assert (ended.returncode, ended.stderr) == (0, "No agent is bound.\n")
    assert "uv tool uninstall freeride-gateway" in ended.stdout


def test_pip_installs_from_wheels_into_an_environment_of_its_own(
    sources: list[str | Path], dist: Path, tmp_path: Path
) -> None:
    environ = clean_environ(tmp_path / "home", {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    made = run([sys.executable, "-I", "-m", "venv", tmp_path / "venv"], environ, timeout_s=300)
    assert made.returncode == 0, made.stderr
    site = Site(tmp_path / "venv")
    wheel = dist / f"freeride_gateway-{__version__}-py3-none-any.whl"
    installed = run([site.python, "-m", "pip", "install", "--quiet", *sources, wheel], environ, timeout_s=300)
    assert installed.returncode == 0, installed.stderr
    for command in ([site.freeride], [site.python, "-P", "-m", "freeride_core"]):
        assert run([*command, "--version"], environ).stdout == f"freeride {__version__}\n"
    assert {row["name"] for row in site.plugins()} >= {*PROVIDERS, *BINDERS}
    upgrade = run([site.freeride, "upgrade"], environ)
    assert (upgrade.returncode, f"was installed from {wheel}" in upgrade.stderr) == (1, True), upgrade.stderr
    removal = run([site.freeride, "uninstall"], environ).stdout
    [words] = [shlex.split(line) for line in removal.splitlines() if " -m pip uninstall " in line]
    assert run([*words[:-1], words[-1], "-y"], environ).returncode == 0
    assert not site.freeride.exists()


def test_the_tool_binds_an_agent(tool: Site, tmp_path: Path) -> None:
    result = run([tool.freeride, "bind", BINDERS[0]], clean_environ(tmp_path), cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    assert [path.name for path in tmp_path.iterdir() if "http://127.0.0.1:11343/v1" in read_if_file(path)]


def read_if_file(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""


def test_core_alone_says_what_to_install(core_alone: Site) -> None:
    served = run([core_alone.freeride, "serve", "--port", "0"], core_alone.environ)
    listed = run([core_alone.freeride, "plugins"], core_alone.environ)

    assert (served.returncode, served.stdout) == (1, "")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "pip install freeride-gateway" in served.stderr
    assert "pip install freeride-gateway" in listed.stderr
    assert core_alone.plugins() == []


@pytest.mark.parametrize("command", ["new", "certify"])
def test_core_alone_says_where_the_commands_of_the_kit_come_from(command: str, core_alone: Site) -> None:
    ended = run([core_alone.freeride, command, "acme"], core_alone.environ)
    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line.endswith(f"there is no command {command!r}; it comes with: pip install freeride-conformance")


def test_core_alone_tells_its_version_in_one_line(core_alone: Site) -> None:
    for command in ([core_alone.freeride], [core_alone.python, "-m", "freeride_core"]):
        result = run([*command, "--version"], core_alone.environ)
        assert (result.returncode, result.stdout, result.stderr) == (0, f"freeride {__version__}\n", "")


def test_core_alone_runs_as_a_module(core_alone: Site) -> None:
    as_module = run([core_alone.python, "-m", "freeride_core", "--help"], core_alone.environ)
    as_command = run([core_alone.freeride, "--help"], core_alone.environ)

    assert as_module.returncode == 0
    assert "serve" in as_module.stdout
    assert as_module.stdout == as_command.stdout
