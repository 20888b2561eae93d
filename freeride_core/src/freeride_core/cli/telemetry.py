"""`freeride telemetry`."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from freeride_core.cli.terminal import fail, fault_of

if TYPE_CHECKING:
    from freeride_core.settings import Settings


class Switch(enum.StrEnum):
    """What the user wants."""

    ON = "on"
    OFF = "off"


def telemetry(
    switch: Annotated[Switch | None, typer.Argument(help="Without one: show how it stands.")] = None,
) -> None:
    """Show what is sent once an hour while telemetry is on, or turn it on or off."""
    from freeride_core.env_file import set_variables
    from freeride_core.gateway.roster import make_roster
    from freeride_core.plugins import load_plugins
    from freeride_core.settings import load_settings
    from freeride_core.telemetry import keep_counts, payload_of, public_names, read_counts, render

    settings = load_settings()
    if switch is not None:
        set_variables(settings.home / ".env", {"FREERIDE_TELEMETRY": switch})
        settings = load_settings()
    plugins = load_plugins(("provider",))
    names = public_names(plugins, make_roster(settings, plugins.providers).by_name)
    counts = read_counts(settings.home)
    if not (settings.telemetry or counts.is_shown):
        counts.installation_id = "a random UUID, made when it is turned on"
    typer.echo(f"telemetry is {'on' if settings.telemetry else 'off'}{_reason(settings)}")
    typer.echo(f"while it is on, this is sent once an hour to {settings.telemetry_endpoint}, and nothing else:")
    typer.echo(render(payload_of(counts, names)))
    typer.echo("tokens and requests are counted while it is on, and only tokens that upstreams report")
    typer.echo(f"to turn it {'off: freeride telemetry off' if settings.telemetry else 'on: freeride telemetry on'}")
    if settings.telemetry:
        counts.is_shown = True
        try:
            keep_counts(settings.home, counts)
        except OSError as error:
            fail(fault_of(error))


def _reason(settings: Settings) -> str:
    """Which variable has decided it, where one has."""
    from freeride_core.settings import quiet_variable

    name = quiet_variable(settings.environ)
    if name is None and settings.environ.get("FREERIDE_TELEMETRY", "").strip():
        name = "FREERIDE_TELEMETRY"
    if name is None:
        return ""
    return f" ({name} is set in {'the environment' if name in settings.above_files else settings.home})"
