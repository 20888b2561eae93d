"""`freeride watch`: what the gateway does, live, from its event log."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, NoReturn

import typer

from freeride_core.cli.terminal import tell
from freeride_core.events.follower import Follower
from freeride_core.events.rendering import render
from freeride_core.settings.resolver import Settings, SettingsError, load_settings

_POLL_S = 0.05


def watch(
    since_start: Annotated[
        bool, typer.Option("--since-start", help="Begin with the events that are in the log already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as one line of JSON.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Disable colours, even on a terminal.")] = False,
) -> None:
    """Show what the gateway does, live: requests, attempts, failovers."""
    settings = _load_settings()
    path = settings.events_path
    color = sys.stdout.isatty() and not no_color and not settings.environ.get("NO_COLOR")
    try:
        with closing(Follower(path, from_start=since_start)) as follower:
            tell(f"watching {path}  (Ctrl-C to stop)")
            if not settings.events:
                tell("events are turned off: a gateway with these settings writes none. Unset FREERIDE_EVENTS.")
            while True:
                _show(follower.poll(), as_json=as_json, color=color)
                time.sleep(_POLL_S)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # The reader has closed the pipe. The interpreter flushes stdout again at exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(f"cannot read {path}: {error.strerror}")


def _load_settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    tell(f"freeride: {message}")
    raise typer.Exit(1)


def _show(lines: list[bytes], *, as_json: bool, color: bool) -> None:
    events = [(line, event) for line in lines if (event := _parse(line)) is not None]
    if not events:
        return
    if as_json:
        typer.echo(b"".join(line + b"\n" for line, _ in events), nl=False)
    else:
        typer.echo("".join(render(event, color=color) + "\n" for _, event in events), nl=False, color=color)


def _parse(line: bytes) -> Mapping[str, Any] | None:
    """Return the line's event, or None for half a line that a killed process or a full disk left."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
