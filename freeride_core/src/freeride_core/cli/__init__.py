"""The command line: one module a command, and each imports its work when it runs."""

from __future__ import annotations

import sys

from freeride_core import __version__
from freeride_core.system.programs import forget_working_folder

__all__ = ["main"]


def main() -> None:
    """Runs `freeride` on the process's own arguments."""
    forget_working_folder()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without a letter for `▶` shows `?`, and nothing fails
            stream.reconfigure(errors="replace")
    if sys.argv[1:2] == ["--version"]:
        sys.stdout.write(f"freeride {__version__}\n")
        return
    try:
        from freeride_core.cli.group import freeride  # not above: --version needs none of it

        freeride.main(prog_name="freeride")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
