"""`freeride serve`: the gateway."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freeride_core.system.loopback import is_loopback

if TYPE_CHECKING:
    from freeride_core.gateway.runtime import Gateway
    from freeride_core.gateway.walk.enabled import EnabledProviders

_REACHABLE = "other machines can reach {}: set FREERIDE_TOKEN first, or leave --host at 127.0.0.1"


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but loopback needs FREERIDE_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 11343,
    lease: Annotated[Path | None, typer.Option(hidden=True)] = None,  # of the `freeride run` that started it
) -> None:
    """Serve one OpenAI-compatible endpoint over every free tier that you have a key for."""
    from freeride_core.cli.lease import end_when_unneeded
    from freeride_core.cli.terminal import complain, fail, show, where_to_get_keys
    from freeride_core.gateway.server import serve as serve_until_stopped
    from freeride_core.gateway.walk.enabled import enabled_providers
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.resolver import check_settings, load_settings
    from freeride_core.telemetry.beacon import disclose, public_names

    if lease is not None:
        end_when_unneeded(lease)
    settings = load_settings()
    if settings.token is None and not is_loopback(host):
        fail(_REACHABLE.format(host))
    plugins = load_plugins(("provider",))
    roster = enabled_providers(settings, plugins.providers)
    for row in plugins.rows:
        if row.status != "ok":
            complain(f"the provider {row.name!r} cannot be used: {row.reason}")
    for line in (*check_settings(settings, plugins.providers), *roster.warnings):
        complain(line)
    if not roster.members:
        fail(where_to_get_keys(roster.registered.values(), settings.home))
    disclose(settings, public_names(plugins, [member.provider.name for member in roster.members]))
    listener = _listen(host, port)
    if settings.token is None and not is_loopback(listener.getsockname()[0]):
        listener.close()
        fail(_REACHABLE.format(host))  # a name of loopback that leads elsewhere here

    def announce(gateway: Gateway, url: str) -> None:
        for line in (gateway.store.notice, *gateway.import_legacy()):
            if line:
                complain(line)
        show(_banner(gateway.roster, url))

    serve_until_stopped(settings, plugins, listener, announce)


def _listen(host: str, port: int) -> socket.socket:
    from freeride_core.cli.terminal import fail
    from freeride_core.gateway.server import listen

    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(f"{host}:{port} is in use: stop what runs there, or choose another port with --port")
        fail(f"cannot listen on {host}:{port}: {error.strerror}")


def _banner(roster: EnabledProviders, url: str) -> str:
    names = ", ".join(member.provider.name for member in roster.members)
    more = "" if len(roster.members) == len(roster.registered) else "        # add more by exporting their keys"
    return (
        f"freeride gateway listening on {url}\n"
        f"  providers: {names}{more}\n"
        "  point any OpenAI-compatible agent at:\n"
        f"    OPENAI_API_BASE={url}/v1\n"
        "    OPENAI_API_KEY=any\n"
    )
