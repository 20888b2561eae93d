"""The hooks of FreeRide: the one page that a plugin author must read.

A plugin is a module that an entry point names and that implements one of the register hooks:

    # pyproject.toml:  [project.entry-points."freeride.providers"]
    #                  acme = "freeride_provider_acme"

    from freeride_core import Provider, hookimpl

    @hookimpl
    def freeride_register_provider() -> Provider:
        return AcmeProvider()

Groups: `freeride.providers` and `freeride.binders` (the entry point's name is the plugin's name), `freeride.commands` (a
Typer app or a function, loaded only when run), and `freeride.state` (a `Store`; the name is the scheme of its URLs).

Hooks run at start-up, never per request, and in no order that matters.
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
"""The contract that this core speaks. Additions keep it; a changed meaning or a new required member raises it."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def freeride_register_provider() -> Provider:
    """Return this plugin's provider. Its `name` equals the entry point's. Must not block, read the environment or open
    a connection: keys and base URLs reach the provider with each request."""
    raise AssertionError("a specification is not called")


@hookspec
def freeride_register_binder() -> Binder:
    """Return this plugin's binder. Its `name` equals the entry point's."""
    raise AssertionError("a specification is not called")


@hookspec
def freeride_startup(settings: Settings) -> None:
    """Called once, before the gateway accepts connections."""


@hookspec
def freeride_event(event: Mapping[str, Any]) -> None:
    """Observe one gateway event, as written to events.jsonl. Called off the request path; must not block for long."""
