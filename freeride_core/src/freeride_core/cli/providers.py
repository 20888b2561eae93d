"""`freeride providers`: upstreams of the user's own, and which providers are asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.cli.group import make_app
from freeride_core.cli.table import show_table
from freeride_core.cli.terminal import complain, fail, tell, with_tilde

if TYPE_CHECKING:
    from collections.abc import Mapping

    from freeride_core.provider import Provider
    from freeride_core.settings.resolver import Settings

app = make_app(no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name.")]


@app.callback()
def providers() -> None:
    """Add upstreams of your own, such as LM Studio, vLLM, llama.cpp or a server of your company, and choose who is asked."""


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for it: lower-case letters, digits and hyphens.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Its address, such as http://127.0.0.1:1234/v1.")],
    key_variable: Annotated[
        str | None,
        typer.Option("--key-variable", metavar="VARIABLE", help="The variable that holds its key, if it needs one."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="A model that it has; repeat for more. Without it, the models that it lists.",
        ),
    ] = None,
) -> None:
    """Add a server that is compatible with OpenAI. Its models are listed and one is asked for a few words before anything is
    written. FreeRide cannot check that it is free: you say so.

    Exit codes: 0 it was added, 1 it does not answer or cannot be added."""
    from freeride_core.cli.own_server import find_server, save_server

    settings, installed = _situation()
    if name in installed:
        fail(f"{name} is an installed provider. Choose another name for a server of your own.")
    if name in settings.provider_tables:
        fail(f"{name} is in config.toml already. Remove it first with: freeride providers remove {name}")
    found = find_server(settings, installed, name, url.rstrip("/"), key_variable, tuple(model or ()))
    save_server(settings, found)
    shown = ", ".join(found.models[:5]) + (", ..." if len(found.models) > 5 else "")
    tell(f"{name} at {found.url} has {len(found.models)} {'model' if len(found.models) == 1 else 'models'}: {shown}")
    tell(f"{found.asked} answered in {found.answered_s:.1f} s.")
    tell(f"Saved in {with_tilde(settings.home / 'config.toml')}. A running gateway uses it within a few seconds.")


@app.command("list")
def list_providers(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Show all providers: those that are installed, and those of your own."""
    from freeride_core.gateway.walk.enabled import enabled_providers
    from freeride_core.settings.own_providers import with_own_providers

    settings, installed = _situation()
    every = with_own_providers(settings, installed)
    enabled = enabled_providers(settings, every)
    rows = [_row(settings, provider, name in installed, name in enabled.by_name) for name, provider in every.items()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        show_table(
            ["PROVIDER", "STATE", "KEY", "ADDRESS"],
            [[row["name"], row["state"], row["key"], row["url"]] for row in rows],
        )
    for line in enabled.warnings:
        complain(line)


@app.command()
def remove(name: NameArgument) -> None:
    """Remove a provider's lines from config.toml. Its key stays where it is."""
    settings, installed = _situation()
    if name not in settings.provider_tables:
        fail(
            f"config.toml has no [providers.{name}]."
            + (f" {name} is installed: disable it." if name in installed else "")
        )
    variable = settings.provider_tables[name].key_variable
    from freeride_core.cli.own_server import edit_config

    edit_config(settings, lambda document: document.remove(("providers", name)))
    tell(f"Removed {name} from {with_tilde(settings.home / 'config.toml')}.")
    if variable and variable in settings.environ:
        tell(f"Its key is still in {variable} ({settings.origins.get(variable, 'environment')}).")


@app.command()
def disable(name: NameArgument) -> None:
    """Do not ask a provider, whether installed or of your own."""
    _switch(name, is_on=False)


@app.command()
def enable(name: NameArgument) -> None:
    """Ask a provider again. A server on another machine that needs no key must be enabled too."""
    _switch(name, is_on=True)


def _switch(name: str, *, is_on: bool) -> None:
    from freeride_core.cli.own_server import edit_config
    from freeride_core.system.spelling import suggestion

    settings, installed = _situation()
    known = [*installed, *settings.provider_tables]
    if name not in known:
        fail(f"There is no provider {name!r}; {suggestion(name, known)}known: {', '.join(dict.fromkeys(known))}")
    edit_config(settings, lambda document: document.set(("providers", name, "enabled"), is_on))
    tell(
        f"{name} is {'asked' if is_on else 'not asked'} from now on, as {with_tilde(settings.home / 'config.toml')} says."
    )


def _situation() -> tuple[Settings, Mapping[str, Provider]]:
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.resolver import load_settings

    return load_settings(), load_plugins(("provider",)).providers


def _row(settings: Settings, provider: Provider, is_installed: bool, is_asked: bool) -> dict[str, Any]:
    table = settings.provider_tables.get(provider.name)
    is_disabled = table is not None and table.enabled is False
    return {
        "name": provider.name,
        "installed": is_installed,
        "state": "asked" if is_asked else "disabled" if is_disabled else "not set up",
        "key": provider.credentials[0].variable if provider.credentials else "none",
        "url": settings.base_url(provider) or provider.base_url,
    }
