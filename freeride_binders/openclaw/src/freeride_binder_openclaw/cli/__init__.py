"""The commands that people know from FreeRide for OpenClaw: one module a command, and each imports its work when it runs."""

from __future__ import annotations

import sys

from freeride_core.system.programs import forget_working_folder

__all__ = ["main"]


def main() -> None:
    """Run `freeride-watcher` on the process's own arguments."""
    forget_working_folder()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    from freeride_binder_openclaw.cli.watcher import app  # not above: it brings other distributions along

    app(prog_name="freeride-watcher")
