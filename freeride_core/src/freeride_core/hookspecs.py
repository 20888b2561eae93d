"""The hooks of FreeRide. A plugin author reads this page first.

A plugin is a module with one of the register hooks. An entry point names the module:

    # pyproject.toml:  [project.entry-points."freeride.providers"]
    #                  acme = "freeride_provider_acme"

    from freeride_core import Provider, hookimpl

    @hookimpl
    def freeride_register_provider() -> Provider:
        return AcmeProvider()

Entry-point groups:

- `freeride.providers` and `freeride.binders`: the entry point's name is the plugin's name.
- `freeride.commands`: a Typer app or a function, loaded only when run.
- `freeride.status`: a function that returns a `StatusSection`, shown by `freeride status`.
- `freeride.state`: a `Store`; the name is the scheme of its URLs.

Hooks run at start-up, never per request. Their order does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from freeride_core.binder import Binder
    from freeride_core.provider import Provider
    from freeride_core.settings.resolver import Settings

PROJECT = "freeride"

API_VERSION = 1
"""The version of the contract. Additions keep it; a changed meaning or a new required member raises it."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def freeride_register_provider() -> Provider:
    """Return this plugin's provider, whose `name` equals the entry point's.

    Must not block, read the environment or open a connection: keys and base URLs come with each request."""
    raise AssertionError("a specification is not called")


@hookspec
def freeride_register_binder() -> Binder:
    """Return this plugin's binder, whose `name` equals the entry point's."""
    raise AssertionError("a specification is not called")


@hookspec
def freeride_startup(settings: Settings) -> None:
    """Called once, before the gateway accepts connections."""


@hookspec
def freeride_event(event: Mapping[str, Any]) -> None:
    """Called with each event, as written to events.jsonl, off the request path. Must not block for long."""
