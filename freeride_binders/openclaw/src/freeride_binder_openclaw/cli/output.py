"""What the commands say in the same words."""

from __future__ import annotations

import enum
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from freeride_binder_openclaw import OpenClawBinder
from freeride_core import Endpoint
from freeride_core.cli import WrittenFile, command_faults, complain, fail, show, tell

if TYPE_CHECKING:
    from freeride_binder_openclaw.workspace import Keys, Workspace

UNDO = "freeride bind --undo openclaw"


class Via(enum.StrEnum):
    """Whom OpenClaw asks."""

    GATEWAY = "gateway"
    OPENROUTER = "openrouter"


def faults_of_a_command() -> tuple[type[Exception], ...]:
    """What keeps a command from its work without being a fault of the code."""
    from freeride_binder_openclaw.workspace import Unusable
    from freeride_core.cli import UnreachableUpstream

    return (*command_faults(), UnreachableUpstream, Unusable, sqlite3.Error)


@contextmanager
def told() -> Iterator[None]:
    """Says in one line why a command could not do its work, and ends it with exit code 1."""
    try:
        yield
    except faults_of_a_command() as fault:
        fail(f"{fault.filename}: {fault.strerror}" if isinstance(fault, OSError) else str(fault))


def find_keys(scene: Workspace) -> Keys:
    """The keys; what is wrong with some of them is told."""
    keys = scene.find_keys()
    for line in keys.openrouter.warnings:
        complain(line)
    return keys


def via_of(scene: Workspace, via: Via | None) -> Via:
    """What the user says, else as it is."""
    return via or (Via.GATEWAY if scene.selection.via_gateway else Via.OPENROUTER)


def show_written(
    written: WrittenFile,
    selection_after: tuple[str | None, tuple[str, ...]],
    *,
    dry_run: bool,
    as_json: bool,
    **more: Any,
) -> None:
    """The difference on stdout, and in words on stderr what comes next; or all of it as JSON."""
    primary, fallbacks = selection_after
    is_changed = written.is_changed
    advice = OpenClawBinder().advice(Endpoint("")) if is_changed and not dry_run else ""
    if as_json:
        shown = {
            "path": str(written.path),
            "primary": primary,
            "fallbacks": list(fallbacks),
            "changed": is_changed and not dry_run,
            "dry_run": dry_run,
            "backup": str(written.backup) if written.backup else None,
            "diff": written.diff,
            "next": advice,
            **more,
        }
        typer.echo(json.dumps(shown, indent=2))
        return
    show(written.diff, ends=False)
    tell(f"OpenClaw asks {primary or 'its own default'} first.")
    if fallbacks:
        tell(f"Then: {', '.join(fallbacks)}")
    if not is_changed:
        tell(f"{written.path} says so already, and stays as it is.")
    elif dry_run:
        tell("Nothing was written.")
    else:
        tell(f"Next: {advice}")
        tell(f"Back to what it was before: {UNDO}")
