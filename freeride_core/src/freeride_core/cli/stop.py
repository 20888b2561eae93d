"""`freeride stop`."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Annotated

import typer

from freeride_core.cli.terminal import complain, fail, show
from freeride_core.cli.url_option import UrlOption, gateway_root

if TYPE_CHECKING:
    from pathlib import Path

    from freeride_core.settings.instances import GatewayInstance

_PATIENCE_S = 20.0
"""A gateway gives requests under way 10 seconds."""
_LOOK_EVERY_S = 0.05


def stop(
    url: UrlOption = None,
    every: Annotated[bool, typer.Option("--all", help="Stop all gateways of your home.")] = False,
) -> None:
    """Stop the gateway. Requests under way have 10 seconds to finish.

    Exit codes: 0 the gateway has stopped, 1 it did not or none was running."""
    from freeride_core.settings.instances import running_gateways
    from freeride_core.settings.resolver import load_settings

    if every and url is not None:
        raise typer.BadParameter("use either --url or --all", param_hint="--all")
    home = load_settings().home
    root = None if every else gateway_root(url)
    running = running_gateways(home)
    chosen = [instance for instance in running if root is None or instance.is_at(root)]
    if not chosen:
        if not running:
            fail("No gateway of this home is running.")
        others = ", ".join(f"{instance.url} (pid {instance.pid})" for instance in running)
        fail(
            f"No gateway of this home is running at {root}. Running: {others}. Choose one with --url, or stop all with --all."
        )
    stopped = [instance for instance in chosen if _stop(home, instance)]
    raise typer.Exit(int(len(stopped) < len(chosen)))


def _stop(home: Path, instance: GatewayInstance) -> bool:
    from freeride_core.settings.instances import has_ended

    subject = f"the gateway at {instance.url} (pid {instance.pid})"
    if not instance.is_on_this_machine:
        complain(f"{subject} runs on {instance.machine or 'another machine'}. Stop it there.")
        return False
    try:
        os.kill(instance.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it has ended since
    except OSError as error:
        complain(f"{subject} cannot be stopped: {error.strerror}")
        return False
    due = time.monotonic() + _PATIENCE_S
    while not has_ended(home, instance):
        if time.monotonic() > due:
            complain(f"{subject} has not stopped within {_PATIENCE_S:.0f} s. End that process yourself.")
            return False
        time.sleep(_LOOK_EVERY_S)
    show(f"Stopped {subject}.")
    return True
