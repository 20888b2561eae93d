"""`freeride upgrade`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from freeride_core.cli.terminal import show


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the command and run nothing.")] = False,
) -> None:
    """Bring FreeRide up to date, in the way in which it was installed. Ends with the exit code of the command that does it."""
    from freeride_core.cli.terminal import complain, fail
    from freeride_core.system.programs import find_program, python_environ
    from freeride_core.system.upgrade import source_clone, upgrade_words

    words = upgrade_words()
    if dry_run:
        show(shlex.join(words))
        return
    if source_clone() is not None:
        fail(f"this runs from a clone of the source, which is yours to change: {shlex.join(words)}")
    program = words[0] if Path(words[0]).is_absolute() else find_program(words[0])
    if program is None:
        fail(f"{words[0]} is not on the path, with which this was installed; run: {shlex.join(words)}")
    complain(f"running: {shlex.join(words)}")
    # In the environment's own folder: installers read settings where they run, and a stranger's could name another index.
    command = [program, *words[1:]]
    code = subprocess.run(command, cwd=sys.prefix, env=python_environ(), check=False).returncode  # noqa: S603 - what installed this
    if code == 0:
        complain("a gateway that runs now is the old one until it is started anew")
    raise typer.Exit(code)
