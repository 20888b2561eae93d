"""The commands that people know from FreeRide for OpenClaw: one module a command, and each imports its work when it runs."""

from __future__ import annotations

from freeride_core.cli import prepare_program

__all__ = ["main"]


def main() -> None:
    """Run `freeride-watcher` on the process's own arguments."""
    prepare_program()
    from freeride_binder_openclaw.cli.watcher import app  # not above: it brings other distributions along

    app(prog_name="freeride-watcher")
