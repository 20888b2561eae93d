"""`freeride openclaw fallbacks`."""

from __future__ import annotations

from typing import Annotated

import typer

from freeride_binder_openclaw.cli.options import AsJson, DryRun
from freeride_binder_openclaw.cli.output import told


def fallbacks(
    count: Annotated[
        int, typer.Option("--count", "-c", min=0, max=50, help="How many, OpenRouter's router included.")
    ] = 5,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Renew what OpenClaw asks when its first choice fails.

    That is OpenRouter's router, then its best free models. What is asked first stays. Behind the gateway these are only asked
    while the gateway itself is down.

    \b
    Example:
      freeride openclaw fallbacks --count 3
    """
    with told():
        from freeride_binder_openclaw.cli.apply import choose, ranked_models
        from freeride_binder_openclaw.rotation import fallbacks_of
        from freeride_binder_openclaw.workspace import read_installed_workspace

        scene = read_installed_workspace()
        refs = fallbacks_of(ranked_models(scene), scene.selection.primary, count, ())
        choose(scene, None, refs, dry_run=dry_run, as_json=as_json)
