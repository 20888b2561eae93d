"""`freeride upgrade`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from freeride_core import __version__
from freeride_core.cli.terminal import show


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command, and do not run it.")] = False,
) -> None:
    """Upgrade FreeRide by the installer that installed it.

    Exit codes: that of the installer, or 1 if no installer can upgrade it."""
    from freeride_core.cli.terminal import complain, fail
    from freeride_core.system.programs import find_program, python_environ
    from freeride_core.system.upgrade import local_build, source_clone, upgrade_words

    words = upgrade_words()
    if source_clone() is None and (build := local_build()) is not None:
        fail(how_to_rebuild(build))
    if dry_run:
        show(shlex.join(words))
        return
    if source_clone() is not None:
        fail(f"FreeRide runs from a clone of its source. Upgrade it with: {shlex.join(words)}")
    program = words[0] if Path(words[0]).is_absolute() else find_program(words[0])
    if program is None:
        fail(f"FreeRide was installed with {words[0]}, which is not on the PATH. Run: {shlex.join(words)}")
    complain(f"running: {shlex.join(words)}")
    # In the environment's own folder: installers read settings where they run, and a stranger's could name another index.
    command = [program, *words[1:]]
    code = subprocess.run(command, cwd=sys.prefix, env=python_environ(), check=False).returncode  # noqa: S603 - what installed this
    if code == 0:
        now = _version_now()
        if now == __version__:
            complain(f"FreeRide {now} is the newest version that {words[0]} has found.")
        else:
            complain(f"Upgraded from {__version__} to {now}. Restart the gateway to use the new version.")
    raise typer.Exit(code)


def how_to_rebuild(build: Path) -> str:
    """Return what to do where FreeRide was installed from a wheel or a folder of this machine."""
    from freeride_core.system.upgrade import clone_of

    lines = [f"FreeRide {__version__} was installed from {build}, where no installer finds a newer version."]
    clone = clone_of(build)
    if clone is not None:
        folder = shlex.quote(str(clone))
        lines += [
            "Build the new version and install that:",
            f"  git -C {folder} pull",
            f"  cd {folder} && python -m uv build --all-packages --wheel",
            "  python -m uv tool install --force --find-links dist dist/freeride_gateway-*.whl",
        ]
    else:
        lines.append("Get a newer build, and install that in the same way.")
    return "\n".join(lines)


def _version_now() -> str:
    """Return the version that is installed now."""
    from freeride_core.system.programs import python_command, python_environ

    command = python_command("freeride_core", "--version")
    shown = subprocess.run(  # noqa: S603 - ourselves
        command, cwd=sys.prefix, env=python_environ(), check=False, capture_output=True, encoding="utf-8"
    )
    return shown.stdout.strip().removeprefix("freeride ") or "an unknown version"
