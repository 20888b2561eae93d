"""`freeride-watcher`: rotates when OpenClaw's first choice stops answering."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_binder_openclaw.cli.output import faults_of_a_command, told
from freeride_core import __version__
from freeride_core.cli import make_app, show

if TYPE_CHECKING:
    from freeride_binder_openclaw.workspace import Workspace

_SHORTEST_S = 15

app = make_app()


@app.command()
def watcher(
    interval: Annotated[
        int, typer.Option("--interval", "-i", min=_SHORTEST_S, help="Seconds between two looks at the configuration.")
    ] = 60,
    once: Annotated[bool, typer.Option("--once", help="Look once, and exit.")] = False,
    status: Annotated[bool, typer.Option("--status", "-s", help="Show what it did so far, and exit.")] = False,
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget the rotations and the list of models, and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --status: as JSON.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Watch the free model that OpenClaw asks at OpenRouter, and take another when it does not answer.

    What costs nothing is looked at often: OpenRouter's list every 6 hours, what is left of the day every 15 minutes. Models are
    asked for words seldom: all probes together, with those of `freeride openclaw rotate`, are at most a tenth of a day's free
    requests.
    When the account's day is spent it waits, because another model would not help. Models that are not free are left alone.

    Behind the gateway, which fails over within each request, it is not needed: freeride bind openclaw.

    \b
    Example:
      freeride-watcher --interval 300
      freeride-watcher --status
    """
    if version:
        show(f"freeride-watcher {__version__}")
        return
    with told():
        from freeride_binder_openclaw.workspace import read_workspace

        if status:
            _show(read_workspace(), as_json=as_json)
        elif clear:
            read_workspace().memory.clear()
            show("Forgotten. The probes of the last 24 hours still count.")
        elif once:
            _watch(None)
        else:
            _watch(interval)


def _watch(interval_s: int | None) -> None:
    """Look until it is asked to stop. If the interval is None, look once, and end with what keeps it from looking."""
    from freeride_binder_openclaw.watching import Watcher
    from freeride_binder_openclaw.workspace import read_installed_workspace, read_workspace

    faults = faults_of_a_command()
    # Without a key it is of no use, so it ends instead of repeating that.
    scene = read_installed_workspace()
    if not scene.selection.via_gateway:
        scene.find_keys().openrouter.close()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    watcher = Watcher(read_workspace, time.time, _say)
    try:
        while True:
            try:
                watcher.look()
            except faults as fault:
                if interval_s is None:
                    raise
                watcher.tell(str(fault))
            if interval_s is None or stopping.wait(interval_s):
                return
    finally:
        watcher.close()


def _say(line: str) -> None:
    show(f"[{time.strftime('%H:%M:%S')}] {line}")
    sys.stdout.flush()


def _show(scene: Workspace, *, as_json: bool) -> None:
    from freeride_binder_openclaw.memory import DAY_S
    from freeride_core.cli import clock

    now, rotation = time.time(), scene.memory.rotation()
    probes = scene.memory.probes_since(now - DAY_S)
    if as_json:
        shown: dict[str, Any] = {
            "rotation_count": rotation.count if rotation else 0,
            "last_rotation_at": rotation.at if rotation else None,
            "last_rotation_reason": rotation.reason if rotation else None,
            "model": scene.selection.primary,
            "probes_in_24_hours": probes,
        }
        typer.echo(json.dumps(shown, indent=2))
        return
    show(f"OpenClaw asks  {scene.selection.primary or 'its own default'}")
    show(f"rotations      {rotation.count if rotation else 0}")
    if rotation is not None:
        show(f"the last       {clock(rotation.at, now)} to {rotation.model}: {rotation.reason}")
    show(f"probes         {probes} in the last 24 hours")
