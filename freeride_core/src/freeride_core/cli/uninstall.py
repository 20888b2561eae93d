"""`freeride uninstall`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from freeride_core.cli.terminal import show, tell


def uninstall(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be undone, and change nothing.")] = False,
) -> None:
    """Undo every binding, and say what else to remove. The program itself and your keys stay until you remove them.

    Exit codes: 0 every binding is undone, 1 one is not."""
    from freeride_core.cli.undo import Undo
    from freeride_core.settings.home import home_of
    from freeride_core.settings.instances import running_gateways

    rows = Undo(dry_run=dry_run, as_json=False, force=False).undo_all()
    if not rows:
        tell("No agent is bound.")
    home = home_of(os.environ)
    show("To remove the rest:" if not dry_run else "Then, to remove the rest:")
    for number, (what, command) in enumerate(_steps(home, is_running=bool(running_gateways(home))), 1):
        show(f"  {number}. {what}\n     {command}")
    failed = [row for row in rows if "reason" in row]
    if failed:
        tell(
            f"{len(failed)} of {len(rows)} bindings could not be undone; see above. Undo them before you remove anything."
        )
    raise typer.Exit(int(bool(failed)))


def _steps(home: Path, *, is_running: bool) -> Iterator[tuple[str, str]]:
    """Yield what is left, and the command that removes it."""
    from freeride_core.system.upgrade import source_clone, uninstall_words

    if is_running:
        yield "Stop the gateway:", "freeride stop --all"
    if (clone := source_clone()) is not None:
        yield "FreeRide runs from a clone of its source. Delete that folder:", _delete(clone)
    else:
        yield "Remove the program:", shlex.join(uninstall_words())
    yield "Delete your keys, settings and state:", _delete(home)
    own_uv = Path.home() / ".local" / "share" / "freeride-uv"
    if own_uv.is_dir():
        yield "Delete the uv that install.sh has made, if you use it for nothing else:", _delete(own_uv)
    yield "Remove variables such as OPENAI_BASE_URL and your keys from your shell's start-up files:", "(by hand)"


def _delete(folder: Path) -> str:
    """The command for the user's shell."""
    if sys.platform == "win32":
        return f"Remove-Item -Recurse -Force '{folder}'"
    return f"rm -rf {shlex.quote(str(folder))}"
