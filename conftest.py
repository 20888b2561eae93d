"""For every test of every member: an environment without the machine's keys, a home of its own, and no way off loopback."""

from __future__ import annotations

import ipaddress
import itertools
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import hypothesis
import pytest

# A machine that has other work to do is no failure.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("patient"), max_examples=10)
hypothesis.settings.load_profile("patient")


def pytest_configure() -> None:
    """What the tests' starter left them, and children would inherit: ignored signals under `nohup` and in the background of a
    script, blocked ones, a mask that makes every new file private or public, folders with modules of somebody's own."""
    os.umask(0o022)
    if "PYTEST_CURRENT_TEST" not in os.environ:  # a test that starts another run tells that where its plugins are
        os.environ.pop("PYTHONPATH", None)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python ignores these two itself
            # With a handler that does nothing the tests still ignore the signal, and a new program starts with the default.
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, lambda *_: None)


_KEPT = re.compile(
    r"PATH|PATHEXT|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|TMP|TEMP|TMPDIR|LD_LIBRARY_PATH"
    r"|PYTHONPATH|PYTHONDONTWRITEBYTECODE|PYTEST_CURRENT_TEST|PYTEST_VERSION|COVERAGE_.*"
)
"""The variables that a test may find. Keys, proxies, the language, colours, agents' own folders: none of it is this machine's."""
HEAVY = {"process": "process", "build": "build", "clients": "clients", "fuzz": "fuzz", "meta": "process"}
"""The folders that `scripts/test` leaves out, with their markers."""
_SECRET = re.compile(r".*_(API_KEY|TOKEN|ACCOUNT_ID)(_\d+)?")
_HOME_VARIABLES = ("HOME", "USERPROFILE")
_SOMEBODYS_OWN = frozenset({11434})
"""Ports of loopback where a developer's own upstream may listen that wants no key: no test asks it, nor waits for its models."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test by the heavy folder that it is in, at any depth."""
    root = Path(__file__).parent  # and not pytest's, which is elsewhere where `freeride certify` runs
    for item in items:
        if item.path.is_relative_to(root):
            for folder in HEAVY.keys() & item.path.relative_to(root).parts[:-1]:
                item.add_marker(HEAVY[folder])


@pytest.fixture(scope="session")
def machine_environ() -> Mapping[str, str]:
    """The environment before the tests replaced it, without keys: for package installers, which need the machine's settings."""
    return dict(_MACHINE_ENVIRON)


_MACHINE_ENVIRON = {name: value for name, value in os.environ.items() if not _SECRET.fullmatch(name)}


def _isolate(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [name for name in os.environ if not _KEPT.fullmatch(name.upper())]:
        monkeypatch.delenv(name)
    for name in _HOME_VARIABLES:
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("FREERIDE_HOME", str(home / ".freeride"))
    monkeypatch.setenv("FREERIDE_TELEMETRY", "off")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    monkeypatch.setenv("FREERIDE_TELEMETRY_ENDPOINT", "http://127.0.0.1:9/nowhere")  # for what turns it on to test it


@pytest.fixture(scope="session", autouse=True)
def _isolated_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For what is set up before the first test: fixtures of modules and of the session."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _isolate(monkeypatch, tmp_path_factory.mktemp("session-home"))
        yield


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> None:
    _isolate(monkeypatch, next(_homes))


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new folder for each test. `mktemp` would list those of all tests before, each time."""
    folder = tmp_path_factory.mktemp("homes")

    def make_homes() -> Iterator[Path]:
        for number in itertools.count():
            home = folder / str(number)
            home.mkdir()
            yield home

    return make_homes()


@pytest.fixture
def freeride_home() -> Path:
    """This test's `$FREERIDE_HOME`, made."""
    home = Path(os.environ["FREERIDE_HOME"])
    home.mkdir(mode=0o700)
    return home


_escapes: list[str] = []


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in ("", "None", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(host: object, port: object = None) -> None:
    if not _is_loopback(host):
        _escapes.append(str(host))
        raise ConnectionRefusedError(f"a test may not leave loopback: {host}")
    if port in _SOMEBODYS_OWN:
        _escapes.append(f"{host}:{port}")
        raise ConnectionRefusedError(f"a test may not ask what this machine's user runs: {host}:{port}")


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(own: socket.socket, address: Any) -> Any:
        if own.family in (socket.AF_INET, socket.AF_INET6):
            _refuse(*address[:2])
        return connect(own, address)

    return guarded


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    look_up, connect_tcp = socket.getaddrinfo, anyio.connect_tcp

    def guarded_look_up(host: Any, *rest: Any, **more: Any) -> Any:
        _refuse(host)
        return look_up(host, *rest, **more)

    async def guarded_connect_tcp(remote_host: Any, remote_port: Any, *rest: Any, **more: Any) -> Any:
        _refuse(remote_host, remote_port)
        return await connect_tcp(remote_host, remote_port, *rest, **more)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(socket.socket, "connect", _guarded(socket.socket.connect))
        monkeypatch.setattr(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex))
        monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
        monkeypatch.setattr(anyio, "connect_tcp", guarded_connect_tcp)  # uvloop's own sockets pass by the others
        yield


@pytest.fixture
def escapes() -> list[str]:
    """Where this test tried to go, for a test that is meant to try; every other one fails."""
    return _escapes


@pytest.fixture(autouse=True)
def _no_escape(_loopback_only: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that swallowed the refusal."""
    _escapes.clear()
    yield
    assert not _escapes or "escapes" in request.fixturenames, f"this test tried to reach {_escapes}"
