"""`freeride status`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.cli.table import show_table
from freeride_core.cli.terminal import clock, show
from freeride_core.cli.url_option import UrlOption, gateway_root

if TYPE_CHECKING:
    from freeride_core.cli.snapshot import Snapshot
    from freeride_core.cli.status_section import StatusSection
    from freeride_core.events.records import Event
    from freeride_core.gateway.walk.enabled import EnabledProvider

_FAILURES_MOST = 5
_WIDTH = 12


def status(
    url: UrlOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what runs, who serves, what was used today, and what is left if that is known. Only the gateway is asked."""
    from freeride_core.cli.snapshot import read_snapshot
    from freeride_core.cli.status_section import read_sections

    root = gateway_root(url)
    snapshot = read_snapshot()
    found = {
        "gateway": _gateway(snapshot, root),
        "providers": [_provider(snapshot, member) for member in snapshot.enabled.members],
        "failures": list(islice(_failures(snapshot), _FAILURES_MOST)),
    }
    sections = dict(read_sections())
    if as_json:
        members = {name: dict(section.members) for name, section in sections.items()}
        typer.echo(json.dumps({**members, **found}, indent=2))
    else:
        _show(found, sections, snapshot.now)


def _gateway(snapshot: Snapshot, root: str) -> dict[str, Any]:
    from freeride_core.cli.gateway_client import GatewayClient, Listener
    from freeride_core.settings.instances import find_instance

    with GatewayClient(root, snapshot.settings) as gateway:
        pass
    is_running = gateway.listener in (Listener.OWN_GATEWAY, Listener.REMOTE) and gateway.status != 0
    instance = find_instance(snapshot.settings.home, root) if gateway.listener is Listener.OWN_GATEWAY else None
    return {
        "url": root,
        "running": is_running,
        "pid": instance and instance.pid,
        "started_at": instance and instance.started_at,
        "version": gateway.health.get("version"),
        "providers": gateway.health.get("providers"),
        "fault": gateway.fault(),
    }


def _provider(snapshot: Snapshot, member: EnabledProvider) -> dict[str, Any]:
    from freeride_core.gateway.console import pauses_now
    from freeride_core.ledger.usage import DayUsage
    from freeride_core.provider import Account

    name = member.provider.name

    def free_models(each: EnabledProvider) -> Any:
        return tuple(model for model in snapshot.catalogs.models(name) if each.is_free(model, Account()))

    pauses = pauses_now([member], snapshot.ledger, free_models)
    whole = next((pause for subject, pause in pauses.items() if not subject.variable), None)
    paused_keys = [pause for subject, pause in pauses.items() if subject.variable]
    if whole is None and len(paused_keys) == len(member.keys):
        whole = min(paused_keys, key=lambda pause: pause.until)
    usage = snapshot.ledger.usage.today().get(name) or DayUsage()
    checks = [check for key in member.keys if (check := snapshot.ledger.key_checks.of(key)) and check.note]
    return {
        "name": name,
        "state": "ready" if whole is None else "rejected" if whole.kind == "auth" else "paused",
        "kind": whole and whole.kind,
        "until": whole and whole.until,
        "keys": len(member.keys),
        "paused_keys": len(paused_keys),
        "today": {each: getattr(usage, each) for each in usage.__struct_fields__},
        "left": [] if checks else list(_left(snapshot, member)),
        "notes": [{"text": check.note, "checked_at": check.checked_at} for check in checks],
    }


def _left(snapshot: Snapshot, member: EnabledProvider) -> Iterator[dict[str, Any]]:
    """What is left of the published limits of a day, where they count what is counted here: all that an account is sent."""
    from freeride_core.answer import Scope

    usage = snapshot.ledger.usage.today().get(member.provider.name)
    used = {"requests": usage.requests, "tokens": usage.tokens_in + usage.tokens_out} if usage else {}
    accounts = len({snapshot.ledger.accounts.of(key) for key in member.keys})
    for limit in member.provider.limits:
        if limit.window == "day" and limit.scope is Scope.ACCOUNT and limit.unit in ("requests", "tokens"):
            whole = limit.amount * accounts
            yield {"unit": limit.unit, "left": max(0, int(whole - used.get(limit.unit, 0))), "of": int(whole)}


def _failures(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """The last failures of attempts and of streams, the newest first."""
    from freeride_core.events.tail import newest_events

    for event in newest_events(snapshot.settings.events_path):
        kind = _kind_of_failure(event)
        if kind and isinstance(event.get("provider"), str):
            yield {
                "at": event["ts"],
                "provider": event["provider"],
                "model": str(event.get("model", "")),
                "kind": kind,
                "request_id": str(event.get("request_id", "")),
            }


def _kind_of_failure(event: Event) -> str:
    if event["type"] == "request_mid_stream_error":
        return str(event.get("kind", ""))
    is_failure = event["type"] == "provider_response" and event.get("status") not in ("OK", "CANCELLED")
    return str(event.get("status", "")).lower() if is_failure else ""


def _show(found: Mapping[str, Any], sections: Mapping[str, StatusSection], now: float) -> None:
    gateway = found["gateway"]
    show(f"{'Gateway':<{_WIDTH}}{_gateway_line(gateway, now)}")
    if gateway["providers"]:
        show(f"{'Serves':<{_WIDTH}}{', '.join(map(str, gateway['providers']))}")
    if found["providers"]:
        show("\nToday")
        titles = ["PROVIDER", "STATE", "REQUESTS", "FAILED", "TOKENS IN", "TOKENS OUT"]
        show_table(titles, [_cells(row, now) for row in found["providers"]])
        left = [f"{row['name']}: {text}" for row in found["providers"] for text in _left_lines(row, now)]
        if left:
            show("\nLeft today")
            for line in left:
                show(f"  {line}")
    if found["failures"]:
        show("\nLast failures")
        for each in found["failures"]:
            show(f"  {clock(each['at'], now)}  {each['provider']}  {each['model']}  {each['kind']}")
    for section in sections.values():
        show(f"\n{section.title}")
        for label, text in section.lines:
            show(f"  {label:<{_WIDTH}}{text}")


def _gateway_line(gateway: Mapping[str, Any], now: float) -> str:
    if gateway["fault"] is not None:
        return str(gateway["fault"])
    since = f" since {clock(gateway['started_at'], now)}" if gateway["started_at"] else ""
    process = f"pid {gateway['pid']}, " if gateway["pid"] else ""
    return f"running at {gateway['url']}{since} ({process}freeride {gateway['version']})"


def _cells(row: Mapping[str, Any], now: float) -> list[str]:
    today = row["today"]
    numbers = [f"{today[name]:,}" for name in ("requests", "failed", "tokens_in", "tokens_out")]
    return [row["name"], _state(row, now), *numbers]


def _state(row: Mapping[str, Any], now: float) -> str:
    if row["state"] == "ready":
        paused = f", {row['paused_keys']} of {row['keys']} keys paused" if row["paused_keys"] else ""
        return f"ready{paused}"
    again = clock(row["until"], now)
    if row["until"] <= now:
        return (
            "key rejected, being tried again"
            if row["state"] == "rejected"
            else f"down, tried with the next request ({row['kind']})"
        )
    return (
        f"key rejected, tried again at {again}"
        if row["state"] == "rejected"
        else f"paused until {again} ({row['kind']})"
    )


def _left_lines(row: Mapping[str, Any], now: float) -> Iterator[str]:
    for each in row["left"]:
        yield f"about {each['left']:,} of {each['of']:,} {each['unit']}"
    for note in row["notes"]:
        yield f"{note['text']}, checked at {clock(note['checked_at'], now)}"
