"""This machine: the program, the home, the port, the name `localhost`."""

from __future__ import annotations

import os
import platform
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from freeride_core import __version__
from freeride_core.cli.checks.finding import Finding, broken, ok, warning
from freeride_core.cli.gateway_client import GatewayClient, Listener
from freeride_core.settings.resolver import Settings
from freeride_core.system.loopback import is_loopback
from freeride_core.system.programs import find_program

_PRIVATE = (".env", "config.toml", "state.db", "events.jsonl", "telemetry.json")


def check_program() -> Iterator[Finding]:
    """Which FreeRide this is, and whether a terminal finds one."""
    yield ok(
        "program", f"freeride {__version__} on Python {platform.python_version()}, {platform.system()}, {sys.prefix}"
    )
    if find_program("freeride") is None:
        yield warning("program", "your shell does not find `freeride`: add its folder to PATH")


def check_home(settings: Settings) -> Iterator[Finding]:
    """Whether the home can be written and is for its owner only."""
    home = settings.home
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        yield broken("home", f"{home} cannot be written; nothing is remembered from one start to the next")
        return
    open_to_others = [path for path in (home, *(home / name for name in _PRIVATE)) if _is_open(path)]
    for path in open_to_others:
        yield warning("home", f"others on this machine can read {path}: chmod go-rwx {path}")
    if not open_to_others:
        yield ok("home", f"{home} is private")


def check_state(entries: int, notice: str) -> Iterator[Finding]:
    """Yield whether the state can be read."""
    yield (
        warning("state", notice)
        if notice
        else ok("state", f"{entries} saved entries" if entries else "nothing is saved yet")
    )


def _is_open(path: Path) -> bool:
    if sys.platform == "win32":  # its modes say nothing
        return False
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False


def check_port(settings: Settings, host: str, port: int) -> Iterator[Finding]:
    """What answers at the gateway's address."""
    with GatewayClient(f"http://{f'[{host}]' if ':' in host else host}:{port}", settings) as gateway:
        pass
    if gateway.listener is Listener.NOTHING:
        yield ok("port", f"{host}:{port} is free; start the gateway with: freeride serve")
    elif (fault := gateway.fault()) is not None:
        yield broken("port", fault)
    elif (version := gateway.health.get("version")) != __version__:
        yield warning("port", f"the gateway at {gateway.root} has version {version}, not {__version__}: restart it")
    else:
        names = ", ".join(gateway.health.get("providers") or ()) or "none"
        yield ok("port", f"your gateway answers at {gateway.root}; providers: {names}")


def check_localhost(settings: Settings, port: int) -> Iterator[Finding]:
    """Whether agents that are bound to `localhost` get to this machine, and to the gateway."""
    try:
        found = socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield broken("localhost", f"localhost has no address ({error.strerror}): correct the hosts file")
        return
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if away := [address for address in addresses if not is_loopback(address.partition("%")[0])]:
        yield broken(
            "localhost", f"localhost resolves to {', '.join(away)}, which is not this machine: correct the hosts file"
        )
        return
    is_ours = "::1" in addresses and _listener(settings, "127.0.0.1", port) is Listener.OWN_GATEWAY
    if is_ours and _listener(settings, "[::1]", port) is Listener.STRANGER:
        yield broken(
            "localhost",
            f"another program answers at [::1]:{port}, and agents that are bound to `localhost` may reach it",
        )
        return
    yield ok("localhost", f"localhost resolves to {', '.join(addresses)}")


def _listener(settings: Settings, host: str, port: int) -> Listener:
    with GatewayClient(f"http://{host}:{port}", settings) as gateway:
        return gateway.listener
