"""`freeride openclaw refresh`."""

from __future__ import annotations

import json

import typer

from freeride_binder_openclaw.cli.options import AsJson
from freeride_binder_openclaw.cli.output import told
from freeride_core.cli import show


def refresh(as_json: AsJson = False) -> None:
    """Ask OpenRouter for its list of free models now. Costs nothing.

    The gateway keeps lists of its own, and renews them by itself: this one is for `switch`, `fallbacks` and `rotate`.

    \b
    Example:
      freeride openclaw refresh && freeride openclaw fallbacks
    """
    with told():
        from freeride_binder_openclaw.cli.apply import ranked_models
        from freeride_binder_openclaw.rotation import FRESH_S
        from freeride_binder_openclaw.workspace import read_installed_workspace

        models = ranked_models(read_installed_workspace(), oldest_s=0)
        hours = int(FRESH_S / 3600)
        if as_json:
            typer.echo(json.dumps({"count": len(models), "models": [model.id for model in models]}, indent=2))
        else:
            show(f"Cached {len(models)} free models.\nCache expires in {hours} hours.")
