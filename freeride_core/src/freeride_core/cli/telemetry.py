"""`freeride telemetry`."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.cli.terminal import fail, fault_of, show

if TYPE_CHECKING:
    from freeride_core.settings.resolver import Settings


class Switch(enum.StrEnum):
    """What the user wants."""

    ON = "on"
    OFF = "off"


def telemetry(
    switch: Annotated[Switch | None, typer.Argument(help="On or off. Without it, show the current state.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is sent once an hour while telemetry is on, or turn it on or off.

    Exit codes: 0 if it is as you want it, 1 if a variable that is named outranks this command.
    """
    from freeride_core.gateway.walk.enabled import enabled_providers
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.dotenv import set_variables
    from freeride_core.settings.own_providers import with_own_providers
    from freeride_core.settings.resolver import load_settings
    from freeride_core.telemetry.beacon import payload_of, public_names
    from freeride_core.telemetry.counts import keep_counts, read_counts

    settings = load_settings()
    if switch is not None:
        set_variables(settings.home / ".env", {"FREERIDE_TELEMETRY": switch})
        settings = load_settings()
    plugins = load_plugins(("provider",))
    names = public_names(plugins, enabled_providers(settings, with_own_providers(settings, plugins.providers)).by_name)
    counts = read_counts(settings.home)
    payload = payload_of(counts, names)
    if not (settings.telemetry or counts.is_shown):
        payload["installation_id"] = None if as_json else "a random UUID, made when it is turned on"
    if as_json:
        shown = {"on": settings.telemetry, "reason": _variable(settings), "endpoint": settings.telemetry_endpoint}
        typer.echo(json.dumps({**shown, "payload": payload}, indent=2))
    else:
        _tell(settings, payload)
    if settings.telemetry:
        counts.is_shown = (
            counts.is_shown or not as_json
        )  # with --json a program has read it, and a person may not have seen it
        try:
            keep_counts(settings.home, counts)
        except OSError as error:
            fail(fault_of(error))
    if switch is not None and settings.telemetry is not (switch is Switch.ON):
        fail(f"telemetry stays {_state(settings.telemetry)}: {_reason(settings)}; {_remedy(settings)}")


def _tell(settings: Settings, payload: dict[str, Any]) -> None:
    reason, remedy = _reason(settings), _remedy(settings)
    show(f"telemetry is {_state(settings.telemetry)}{reason and f' ({reason})'}")
    show(f"while it is on, this is sent once an hour to {settings.telemetry_endpoint}, and nothing else:")
    show(json.dumps(payload, indent=2))
    show("tokens and requests are counted while it is on, and only tokens that upstreams report")
    other = _state(not settings.telemetry)
    show(f"to turn it {other}: {remedy and f'{remedy}, then '}freeride telemetry {other}")


def _state(is_on: bool) -> str:
    return Switch.ON if is_on else Switch.OFF


def _variable(settings: Settings) -> str | None:
    """Return the variable that decides it, or None if no variable does."""
    from freeride_core.settings.resolver import quiet_variable

    own = "FREERIDE_TELEMETRY"
    is_set = own in settings.above_files or settings.environ.get(own, "").strip()
    return quiet_variable(settings.environ) or (own if is_set else None)


def _reason(settings: Settings) -> str:
    name = _variable(settings)
    return (
        ""
        if name is None
        else f"{name} is set in {'the environment' if name in settings.above_files else settings.home}"
    )


def _remedy(settings: Settings) -> str:
    """Return how to unset the variable that outranks this command; empty if none does."""
    name = _variable(settings)
    if name in settings.above_files:
        return f"unset {name}"
    return f"remove {name} there" if name not in (None, "FREERIDE_TELEMETRY") else ""
