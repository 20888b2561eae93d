"""`freeride plugins`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from freeride_core.cli.table import show_table
from freeride_core.cli.terminal import complain

_COLUMNS = ("kind", "name", "distribution", "version", "api", "status", "reason")


def plugins(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False) -> None:
    """Show the installed providers and binders, and why one cannot be used."""
    from freeride_core.plugins.discovery import load_plugins

    rows = [asdict(row) for row in load_plugins().rows]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        show_table(
            [name.upper() for name in _COLUMNS],
            [["-" if row[name] is None else str(row[name]) for name in _COLUMNS] for row in rows],
            droppable=("API", "DISTRIBUTION", "VERSION"),
        )
    if not rows:
        complain("no plugin is installed; the usual ones come with: pip install freeride-gateway")
