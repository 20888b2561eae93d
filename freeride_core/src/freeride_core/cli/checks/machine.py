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
from freeride_core.cli.presence import Presence, ask_health
from freeride_core.home import instance_of
from freeride_core.loopback import is_loopback
from freeride_core.programs import find_program
from freeride_core.settings import Settings

_PRIVATE = (".env", "config.toml", "state.db", "events.jsonl", "telemetry.json")


def check_program() -> Iterator[Finding]:
    """Which FreeRide this is, and whether a terminal finds one."""
    yield ok(
        "program", f"freeride {__version__} on Python {platform.python_version()}, {platform.system()}, {sys.prefix}"
    )
    if find_program("freeride") is None:
        yield warning("program", "a terminal does not find `freeride`: its folder is not on the path")


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
        yield ok("home", f"{home}, for you only")


def check_state(entries: int, notice: str) -> Iterator[Finding]:
    """Whether what is remembered could be read."""
    yield warning("state", notice) if notice else ok("state", f"{entries} entries are remembered")


def _is_open(path: Path) -> bool:
    if sys.platform == "win32":  # its modes say nothing
        return False
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False


def check_port(settings: Settings, host: str, port: int, key: str) -> Iterator[Finding]:
    """Who is at the gateway's address."""
    root = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    found = ask_health(root, key)
    if not found.is_there:
        yield ok("port", f"{host}:{port} is free; start the gateway with: freeride serve")
    elif found.is_gateway:
        yield from _check_gateway(found, settings, root)
    elif found.status == 401:
        yield broken("port", f"what answers at {root} does not take FREERIDE_TOKEN as it is set here")
    else:
        yield broken("port", f"somebody else answers at {root}: stop that, or choose another port")


def _check_gateway(found: Presence, settings: Settings, root: str) -> Iterator[Finding]:
    names = ", ".join(found.content["providers"]) or "none"
    version, instance = found.content["version"], found.content.get("instance")
    if instance != instance_of(settings.home):
        yield warning("port", f"the gateway at {root} has another home than {settings.home}, so other keys")
    elif version != __version__:
        yield warning("port", f"the gateway at {root} is of version {version}, not {__version__}: start it anew")
    else:
        yield ok("port", f"your gateway answers at {root}; providers: {names}")


def check_localhost(port: int, key: str) -> Iterator[Finding]:
    """Whether agents that are bound to `localhost` get to this machine, and to the gateway."""
    try:
        found = socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield broken("localhost", f"`localhost` has no address ({error.strerror}); mend the hosts file")
        return
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if away := [address for address in addresses if not is_loopback(address.partition("%")[0])]:
        yield broken("localhost", f"`localhost` is {', '.join(away)}, which is not this machine; mend the hosts file")
        return
    if "::1" in addresses and ask_health(f"http://127.0.0.1:{port}", key).is_gateway:
        other = ask_health(f"http://[::1]:{port}", key)
        if other.is_there and not other.is_gateway:
            yield broken(
                "localhost", f"at [::1]:{port} somebody else answers, whom agents that are bound to `localhost` may get"
            )
            return
    yield ok("localhost", f"`localhost` is {', '.join(addresses)}")
