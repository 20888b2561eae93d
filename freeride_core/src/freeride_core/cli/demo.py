"""`freeride demo`: a failover that you can watch without a key."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from freeride_core.demo.screen import Screen
    from freeride_core.plugins.discovery import Plugins
    from freeride_core.simulator import Profile

_HOST = "127.0.0.1"


def demo(
    port: Annotated[
        int,
        typer.Option(metavar="PORT", help="Port of the gateway that stays up; 0 for any free port.", min=0, max=65535),
    ] = 11343,
    once: Annotated[bool, typer.Option("--once", help="Exit after the story.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Show the story without pauses.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines: one for each request, and one with the URL.")
    ] = False,
) -> None:
    """Watch a failover on simulated providers; no key needed.

    Starts simulators of all installed providers and the real gateway in front of them. Sends it a few requests while one
    provider after the other fails, and stays up for your agents. Your keys and your settings are not touched.
    """
    try:
        _stop_on_signals()
        _run(port, once=once, fast=fast, as_json=as_json)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # The reader has closed the pipe. The interpreter flushes stdout again at exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(port: int, *, once: bool, fast: bool, as_json: bool) -> None:
    from freeride_core.cli.terminal import fail
    from freeride_core.demo.environment import DemoEnvironment
    from freeride_core.demo.scenario import FAST, HUMANE, Scenario, environment_for
    from freeride_core.plugins.discovery import load_plugins

    if not once:
        _check_port(port)
    plugins = load_plugins(("provider",))
    profiles = _profiles(plugins)
    is_live = _is_live() and not as_json
    screen = _screen(is_live=is_live, as_json=as_json)
    names = [profile.provider for profile in profiles]
    screen.open(names)
    is_slow = is_live and not fast
    story = Scenario(screen, HUMANE if is_slow else FAST)
    with ExitStack() as stack:
        # Started first, so that no other program takes the port; its quotas are not those of the story.
        lasting = None if once else stack.enter_context(DemoEnvironment(plugins, profiles, screen.watch, port=port))
        with (
            environment_for(plugins, profiles, story, pace=1.0 if is_slow else 0.0) as stage,
            screen.board(stage.standings),
        ):
            if not stage.standings():
                fail(f"no simulated provider serves its profile's default_model: {', '.join(names)}")
            story.tell(stage)
        screen.sum_up(story.asks)
        screen.offer(lasting.url if lasting else None)
        while lasting:
            time.sleep(3600)
    raise typer.Exit(0 if all(ask.is_answered for ask in story.asks) else 1)


def _stop_on_signals() -> None:
    """Treat a supervisor's SIGTERM, or a terminal that closes, like Ctrl-C."""
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _check_port(port: int) -> None:
    from freeride_core.cli.taken_port import port_fault
    from freeride_core.cli.terminal import fail
    from freeride_core.gateway.server import listen

    try:
        listen(_HOST, port).close()
    except OSError as error:
        fail(port_fault(port, error))


def _profiles(plugins: Plugins) -> Sequence[Profile]:
    """Return the profiles that can be simulated, and complain about the others."""
    from freeride_core.cli.terminal import NO_PROVIDER, complain, fail
    from freeride_core.simulator import ProfileError
    from freeride_core.simulator.installed import installed_profile

    for row in plugins.rows:
        if row.reason:
            complain(f"the provider {row.name!r} cannot be used: {row.reason}")
    if not plugins.providers:
        fail(NO_PROVIDER)
    profiles: list[Profile] = []
    # A provider without a key is a server of the user's own, so the story has it only if there is no other.
    hosted = [name for name, provider in plugins.providers.items() if provider.credentials]
    for name in hosted or plugins.providers:
        try:
            profiles.append(installed_profile(plugins, name))
        except ProfileError as error:
            complain(f"the provider {name!r} is left out: {error}")
    if not profiles:
        fail("no installed provider can be simulated; the usual ones come with: pip install freeride-gateway")
    return profiles


def _is_live() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _screen(*, is_live: bool, as_json: bool) -> Screen:
    from freeride_core.demo.screen import JsonScreen, PlainScreen

    if as_json:
        return JsonScreen(sys.stdout)
    if not is_live:
        return PlainScreen(sys.stdout)
    from freeride_core.demo.live import LiveScreen

    return LiveScreen(sys.stdout, color=not os.environ.get("NO_COLOR"))
