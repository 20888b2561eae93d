"""`freeride version`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from freeride_core import __version__


def version(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Show the version."""
    typer.echo(json.dumps({"version": __version__}) if as_json else f"freeride {__version__}")
