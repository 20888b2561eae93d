"""The command line: one module a command, and each imports its work when it runs.

A plugin's command imports these names from here; each is loaded when it is first used.

Output: `show` (stdout), `tell` and `complain` (stderr), `fail` (and exit 1), `clock`, `with_tilde`.
Program: `make_app`, `prepare_program`, `command_faults`.
Settings: `Settings`, `load_settings`.
Gateway: `GatewayClient`, `Listener`, `find_fault`, `gateway_root`.
The agent's configuration: `AgentFile`, `WrittenFile`.
An upstream: `find_provider`, `UpstreamClient`, `ProbeVerdict`, `UnreachableUpstream`.
Files: `set_aside`.
A part of `freeride status`: `StatusSection`.

Everything else in this room is private to `freeride`. It may import every other room.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from freeride_core import __version__

if TYPE_CHECKING:
    from freeride_core.cli.agent_file import AgentFile, WrittenFile
    from freeride_core.cli.gateway_client import GatewayClient, Listener, find_fault
    from freeride_core.cli.group import make_app
    from freeride_core.cli.program import command_faults, prepare_program
    from freeride_core.cli.status_section import StatusSection
    from freeride_core.cli.terminal import clock, complain, fail, show, tell, with_tilde
    from freeride_core.cli.upstream import ProbeVerdict, UnreachableUpstream, UpstreamClient, find_provider
    from freeride_core.cli.url_option import gateway_root
    from freeride_core.settings.resolver import Settings, load_settings
    from freeride_core.system.files import set_aside

__all__ = [
    "AgentFile",
    "GatewayClient",
    "Listener",
    "ProbeVerdict",
    "Settings",
    "StatusSection",
    "UnreachableUpstream",
    "UpstreamClient",
    "WrittenFile",
    "clock",
    "command_faults",
    "complain",
    "fail",
    "find_fault",
    "find_provider",
    "gateway_root",
    "load_settings",
    "main",
    "make_app",
    "prepare_program",
    "set_aside",
    "show",
    "tell",
    "with_tilde",
]

_HOMES = {
    "cli.agent_file": ("AgentFile", "WrittenFile"),
    "cli.gateway_client": ("GatewayClient", "Listener", "find_fault"),
    "cli.url_option": ("gateway_root",),
    "cli.group": ("make_app",),
    "cli.program": ("command_faults", "prepare_program"),
    "cli.status_section": ("StatusSection",),
    "cli.terminal": ("clock", "complain", "fail", "show", "tell", "with_tilde"),
    "cli.upstream": ("ProbeVerdict", "UnreachableUpstream", "UpstreamClient", "find_provider"),
    "settings.resolver": ("Settings", "load_settings"),
    "system.files": ("set_aside",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

COMPLETION_VARIABLE = "_FREERIDE_COMPLETE"
"""Set by a shell that asks how a command line could go on."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"freeride_core.{_MODULES[name]}"), name)
    return value


def main() -> None:
    """Runs `freeride` on the process's own arguments."""
    from freeride_core.cli.program import prepare_program

    prepare_program()
    if sys.argv[1:2] in (["--version"], ["-V"]):
        sys.stdout.write(f"freeride {__version__}\n")
        return
    try:
        from freeride_core.cli.group import freeride  # not above: --version needs none of it

        if COMPLETION_VARIABLE in os.environ:
            from freeride_core.cli.completion import prepare_completion

            prepare_completion()
        freeride.main(prog_name="freeride")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
