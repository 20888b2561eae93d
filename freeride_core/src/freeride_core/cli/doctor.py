"""`freeride doctor`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from freeride_core.cli.url_option import UrlOption, gateway_root

if TYPE_CHECKING:
    from freeride_core.cli.checks.finding import Finding

_TEXT = 19
"""The column in which a finding's text begins."""
_MARKS = {"ok": "ok", "warning": "WARN", "broken": "BROKEN"}


def doctor(
    url: UrlOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Find what is wrong, and say what to do. Changes nothing and uses no quota.

    It looks at the program, the home, the port, keys, providers and bound agents.

    Exit codes: 0 nothing is broken, 1 something is."""
    from freeride_core.cli.terminal import show_wrapped
    from freeride_core.system.plain_text import printable

    root = None if url is None else gateway_root(url)
    findings: list[Finding] = []
    for finding in _examine(root):
        findings.append(finding)
        if not as_json:
            show_wrapped(f"{_MARKS[finding.state]:<6}  {finding.subject:<9}  {printable(finding.text)}", hang=_TEXT)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    bad = {"broken", "warning"} if strict else {"broken"}
    raise typer.Exit(int(any(finding.state in bad for finding in findings)))


def _examine(root: str | None) -> Iterator[Finding]:
    from freeride_core.binder import Endpoint
    from freeride_core.cli.agent_requests import AgentRequests
    from freeride_core.cli.checks import agents, machine, upstreams
    from freeride_core.cli.checks.finding import broken
    from freeride_core.cli.snapshot import recall
    from freeride_core.gateway.walk.enabled import enabled_providers
    from freeride_core.ledger.readiness import Ledger
    from freeride_core.plugins.discovery import load_plugins
    from freeride_core.settings.own_providers import with_own_providers
    from freeride_core.settings.resolver import SettingsError, load_settings

    yield from machine.check_program()
    try:
        settings = load_settings()
    except SettingsError as error:
        yield broken("settings", str(error))
        return
    root = root or settings.root_url
    plugins = load_plugins()
    try:
        enabled = enabled_providers(settings, with_own_providers(settings, plugins.providers))
    except SettingsError as error:
        yield broken("settings", str(error))
        return
    key = settings.token or Endpoint(root).key
    parts = urlsplit(root)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    yield from machine.check_home(settings)
    entries, notice = recall(settings)
    ledger = Ledger(time.time, lambda _: None)
    ledger.apply(entries)
    yield from machine.check_state(len(entries), notice)
    yield from machine.check_port(settings, host, port)
    yield from machine.check_localhost(settings, port)
    yield from upstreams.check_plugins(plugins)
    yield from upstreams.check_keys(settings, enabled, ledger)
    yield from upstreams.check_reach(settings, enabled)
    yield from agents.check_agents(settings, plugins, AgentRequests.read(settings), root, key)
