"""`freeride upgrade`."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import Annotated

import typer

from freeride_core.cli.terminal import show


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the command and run nothing.")] = False,
) -> None:
    """Bring FreeRide up to date, in the way in which it was installed. Ends with the exit code of the command that does it."""
    from freeride_core.cli.terminal import complain, fail
    from freeride_core.upgrade import source_clone, upgrade_words

    words = upgrade_words()
    if dry_run:
        show(shlex.join(words))
        return
    if source_clone() is not None:
        fail(f"this runs from a clone of the source, which is yours to change: {shlex.join(words)}")
    if shutil.which(words[0]) is None:
        fail(f"{words[0]} is not on the path, with which this was installed; run: {shlex.join(words)}")
    complain(f"running: {shlex.join(words)}")
    code = subprocess.run(words, check=False).returncode  # noqa: S603 - what installed this
    if code == 0:
        complain("a gateway that runs now is the old one until it is started anew")
    raise typer.Exit(code)
