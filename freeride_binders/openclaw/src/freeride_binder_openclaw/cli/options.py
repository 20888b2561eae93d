"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from freeride_binder_openclaw.cli.output import Via

Count: TypeAlias = Annotated[
    int, typer.Option("--fallback-count", "-c", min=0, max=50, help="How many fallbacks, OpenRouter's router included.")
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Show the difference and write nothing.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]
FallbackOnly: TypeAlias = Annotated[
    bool, typer.Option("--fallback-only", "-f", help="Leave what is asked first as it is.")
]
SetupAuth: TypeAlias = Annotated[
    bool, typer.Option("--setup-auth", help="Also tell OpenClaw to sign in at OpenRouter with an API key.")
]
ViaOption: TypeAlias = Annotated[
    Via | None, typer.Option("--via", help="Whom OpenClaw asks. Default: as it is; at first OpenRouter.")
]
