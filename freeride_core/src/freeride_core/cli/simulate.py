"""`freeride simulate`: providers that run on this machine and need no key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from freeride_core.cli.names import complete_providers, unknown_provider
from freeride_core.cli.taken_port import port_fault
from freeride_core.cli.terminal import complain, fail, show, tell
from freeride_core.system.plain_text import printable

if TYPE_CHECKING:
    from freeride_core.simulator import Profile, SeenRequest, Simulator


def simulate(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROVIDER", help="Providers to simulate.", autocompletion=complete_providers),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Simulate all installed providers.")] = False,
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            help="Port of the first provider; the next ones follow. 0 for any free port.",
            min=0,
            max=65535,
        ),
    ] = 0,
    case: Annotated[
        str | None, typer.Option(metavar="CASE", help="Answer every request with this case. See --list.")
    ] = None,
    quotas: Annotated[bool, typer.Option("--quotas/--no-quotas", help="Whether requests use up quotas.")] = True,
    reply: Annotated[str | None, typer.Option(metavar="TEXT", help="What the simulated model always says.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the cases, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play providers on local ports, with their real answers, errors and quotas.

    Prints the variables that make a gateway use them, and a line for each request.
    """
    profiles = _profiles(names or [], every=every or (listing and not names))
    if listing:
        show(_catalogue(profiles, as_json=as_json))
        return
    if port and port + len(profiles) - 1 > 65535:
        fail(f"there are no {len(profiles)} ports from {port} on")
    from freeride_core.simulator import Simulator

    simulators = [
        Simulator(profile, quotas=quotas, text=reply, on_answer=_Line(profile.provider)) for profile in profiles
    ]
    if case is not None:
        _order(simulators, case)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_play(simulators, port, as_json=as_json))


def _profiles(names: Sequence[str], *, every: bool) -> list[Profile]:
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.simulator import ProfileError
    from freeride_core.simulator.installed import installed_profile

    plugins = load_plugins(("provider",))
    installed = ", ".join(plugins.providers) or "none"
    wanted = [*names, *(plugins.providers if every else ())]
    if not wanted:
        fail(f"name a provider, or use --all; installed: {installed}")
    for name in wanted:
        reason = next((row.reason for row in plugins.rows if row.name == name), None)
        if reason is None:
            fail(unknown_provider(name, plugins.providers))
        if reason:
            fail(f"the provider {name!r} cannot be used: {reason}")
    profiles: list[Profile] = []
    for name in dict.fromkeys(wanted):
        try:
            profiles.append(installed_profile(plugins, name))
        except ProfileError as error:
            if name in names:
                fail(str(error))
            complain(f"the provider {name!r} is left out: {error}")
    if not profiles:
        raise typer.Exit(1)
    return profiles


def _order(simulators: Sequence[Simulator], case: str) -> None:
    for simulator in simulators:
        try:
            simulator.always(case)
        except ValueError as error:
            fail(f"{error}; `freeride simulate {simulator.profile.provider} --list` shows them")


async def _play(simulators: Sequence[Simulator], port: int, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # On Windows the loop has no signal handlers, and Ctrl-C is an exception.
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        for index, simulator in enumerate(simulators):
            await _start(simulator, port + index if port else 0)
        _announce(simulators, as_json=as_json)
        await stopped.wait()
    finally:
        for simulator in simulators:
            await simulator.stop()


async def _start(simulator: Simulator, port: int) -> None:
    try:
        await simulator.start(port)
    except OSError as error:
        fail(port_fault(port, error))


def _announce(simulators: Sequence[Simulator], *, as_json: bool) -> None:
    variables = {name: value for simulator in simulators for name, value in simulator.env.items()}
    for simulator in simulators:
        tell(f"simulating {simulator.profile.provider} at {simulator.base_url}")
    tell("Set these variables for a gateway to use it. Press Ctrl-C to stop.")
    if as_json:
        rows = [
            {"provider": simulator.profile.provider, "port": simulator.port, "base_url": simulator.base_url}
            for simulator in simulators
        ]
        typer.echo(json.dumps({"simulators": rows, "env": variables}))
    else:
        show("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))
    sys.stdout.flush()


class _Line:
    """Prints one line for each request."""

    def __init__(self, provider: str) -> None:
        self._provider = provider

    def __call__(self, seen: SeenRequest) -> None:
        from freeride_core.settings.keys import fingerprint

        now = time.time()
        clock = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03d}"
        model = seen.model + (" stream" if seen.stream else "")
        key = f"key {fingerprint(seen.key)}" if seen.key else "no key"
        words = (self._provider, seen.method, seen.path, model, key, "→", str(seen.status or "-"), seen.answered)
        tell(f"[{clock}] {printable('  '.join(word for word in words if word))}")


def _catalogue(profiles: Sequence[Profile], *, as_json: bool) -> str:
    from freeride_core.simulator import BEHAVIOURS

    built_in = {behaviour.name: behaviour.does for behaviour in BEHAVIOURS.values()}
    cases = {profile.provider: _rows(profile) for profile in profiles}
    if as_json:
        return json.dumps({"cases": cases, "built_in": built_in})
    lines = []
    for provider, rows in cases.items():
        lines.append(f"{provider}: cases of its own")
        lines += [f"  {row['name']:<28} {row['status'] or '-':>3}  {row['kind']:<16} {row['source']}" for row in rows]
    lines.append("built in, for every provider")
    lines += [f"  {name:<28} {does}" for name, does in built_in.items()]
    return "\n".join(lines)


def _rows(profile: Profile) -> list[dict[str, str | int]]:
    return [
        {
            "name": case.name,
            "operation": case.operation,
            "status": 0 if case.play and case.play != "silence" else case.status,
            "kind": str(case.expect.kind) if case.expect else "",
            "source": f"{case.source} ({case.confidence}, {case.date or profile.checked})",
        }
        for case in profile.cases
    ]
