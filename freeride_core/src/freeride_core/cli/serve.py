"""`freeride serve`: the gateway."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from freeride_core import __version__
from freeride_core.settings.instances import announced
from freeride_core.system.loopback import is_loopback

if TYPE_CHECKING:
    from freeride_core.gateway.runtime import Gateway
    from freeride_core.gateway.walk.enabled import EnabledProviders
    from freeride_core.settings.resolver import Settings

_REACHABLE = (
    "Listening on {} exposes the gateway to your network. Set FREERIDE_TOKEN to protect it, or use --host 127.0.0.1."
)


def serve(
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on; any but loopback needs FREERIDE_TOKEN. [default: FREERIDE_HOST, 127.0.0.1]",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Port to listen on. [default: FREERIDE_PORT, 11343]", min=0, max=65535),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", help="Print a line for each request: its model, which provider served it, how long it took."
        ),
    ] = False,
    lease: Annotated[Path | None, typer.Option(hidden=True)] = None,  # of the `freeride run` that started it
) -> None:
    """Serve one OpenAI-compatible endpoint over every free tier that you have a key for."""
    from freeride_core.cli.lease import end_when_unneeded
    from freeride_core.cli.terminal import complain, fail, show, where_to_get_keys
    from freeride_core.gateway.server import serve as serve_until_stopped
    from freeride_core.gateway.walk.enabled import enabled_providers
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.advice import check_settings
    from freeride_core.settings.own_providers import notices_of, with_own_providers
    from freeride_core.settings.resolver import load_settings
    from freeride_core.telemetry.beacon import disclose, public_names

    if lease is not None:
        end_when_unneeded(lease)
    settings = load_settings(host=host, port=port)
    host = settings.host
    if settings.token is None and not is_loopback(host):
        fail(_REACHABLE.format(host))
    plugins = load_plugins(("provider",))
    enabled = enabled_providers(settings, with_own_providers(settings, plugins.providers))
    for row in plugins.rows:
        if row.status != "ok":
            complain(f"The provider {row.name!r} cannot be used: {row.reason}")
    for line in (
        *check_settings(settings, enabled.registered),
        *enabled.warnings,
        *notices_of(settings, plugins.providers),
    ):
        complain(line)
    if not enabled.members:
        fail(where_to_get_keys(plugins.providers.values(), settings.home))
    disclose(settings, public_names(plugins, [member.provider.name for member in enabled.members]))
    listener = _listen(settings)
    if settings.token is None and not is_loopback(listener.getsockname()[0]):
        listener.close()
        fail(_REACHABLE.format(host))  # a name of loopback that leads elsewhere here

    with contextlib.ExitStack() as held:

        def announce(gateway: Gateway, url: str) -> None:
            for line in (gateway.store.notice, *gateway.import_legacy()):
                if line:
                    complain(line)
            held.enter_context(announced(settings.home, url, time.time(), __version__))
            show(banner(gateway.enabled, url, has_token=settings.token is not None))

        serve_until_stopped(settings, plugins, listener, announce, is_verbose=verbose)


def _listen(settings: Settings) -> socket.socket:
    from freeride_core.cli.terminal import fail
    from freeride_core.gateway.server import listen

    host, port = settings.host, settings.port
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(who_listens(settings))
        fail(f"cannot listen on {host}:{port}: {error.strerror}")


def who_listens(settings: Settings) -> str:
    """Return what uses the gateway's port, and what to do."""
    from freeride_core.cli.gateway_client import GatewayClient, Listener
    from freeride_core.cli.taken_port import next_port
    from freeride_core.cli.terminal import clock
    from freeride_core.settings.instances import find_instance
    from freeride_core.settings.resolver import load_settings

    root = settings.root_url
    stop = "freeride stop" if root == load_settings().root_url else f"freeride stop --url {root}"
    another = f"freeride serve --port {next_port(settings.port)}"
    with GatewayClient(root, settings) as gateway:
        pass
    if gateway.listener is Listener.OWN_GATEWAY:
        if (instance := find_instance(settings.home, root)) is not None:
            since = clock(instance.started_at, time.time())
            return f"FreeRide is already running at {root} (pid {instance.pid}, since {since}). Stop it with: {stop}"
        return f"FreeRide is already running at {root}."
    if gateway.is_some_gateway:
        return (
            f"Port {settings.port} is used by a FreeRide gateway of another home or of an older version. Stop it, or run "
            f"{another}."
        )
    return f"Port {settings.port} is used by another program. Stop it, or run {another}."


def banner(enabled: EnabledProviders, url: str, *, has_token: bool) -> str:
    """Return what `serve` prints: who can answer, and the variables that SDKs and agents read. openai-python and openai-node
    read OPENAI_BASE_URL (since 1.0 and 4.0), older tools OPENAI_API_BASE."""
    names = ", ".join(member.provider.name for member in enabled.members)
    base = reachable_url(url)
    key = "(the value of FREERIDE_TOKEN)" if has_token else "any"
    more = "" if len(enabled.members) == len(enabled.registered) else "        (add more with freeride init)"
    return (
        f"freeride gateway listening on {url}\n"
        f"  providers: {names}{more}\n"
        "  point any OpenAI-compatible agent at:\n"
        f"    OPENAI_BASE_URL={base}/v1\n"
        f"    OPENAI_API_BASE={base}/v1\n"
        f"    OPENAI_API_KEY={key}\n"
    )


def reachable_url(url: str) -> str:
    """Return the URL with this machine's address in the network, where it listens on all of them."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):  # noqa: S104 - it is only compared
        return url
    address = network_address(socket.AF_INET6 if parts.hostname == "::" else socket.AF_INET)
    return f"http://[{address}]:{parts.port}" if ":" in address else f"http://{address}:{parts.port}"


def network_address(family: socket.AddressFamily) -> str:
    """Return the address that others reach this machine by, or loopback's if it is in no network. Nothing is sent."""
    loopback, elsewhere = ("::1", "2001:db8::1") if family == socket.AF_INET6 else ("127.0.0.1", "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((elsewhere, 9))  # of the addresses for documentation: it only chooses the way
        except OSError:
            return loopback
        return str(probe.getsockname()[0])
