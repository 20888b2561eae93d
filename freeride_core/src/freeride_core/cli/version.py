"""`freeride version`."""

from __future__ import annotations

import typer

from freeride_core import __version__


def version() -> None:
    """Show the version."""
    typer.echo(f"freeride {__version__}")
