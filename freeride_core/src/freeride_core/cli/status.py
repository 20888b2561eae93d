"""`freeride status`."""

from __future__ import annotations

import dataclasses
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
    from freeride_core.ledger.quota.board import Board, BoardRow

_LONG_WINDOWS = ("day", "month")
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
    board = snapshot.board()
    found = {
        "gateway": _gateway(snapshot, root),
        "providers": [_provider(snapshot, member, board) for member in snapshot.enabled.members],
        "failures": list(islice(_failures(snapshot), _FAILURES_MOST)),
    }
    sections = dict(read_sections())
    if as_json:
        members = {name: dict(section.members) for name, section in sections.items()}
        typer.echo(json.dumps({**members, **found}, indent=2))
    else:
        _show(found, sections, board)


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


def _provider(snapshot: Snapshot, member: EnabledProvider, board: Board) -> dict[str, Any]:
    from freeride_core.gateway.console import pauses_now
    from freeride_core.ledger.usage import DayUsage

    name = member.provider.name
    pauses = pauses_now([member], snapshot.ledger, snapshot.free_models)
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
        "left": [dataclasses.asdict(each) for each in _left(board, name)],
        "notes": [{"text": check.note, "checked_at": check.checked_at} for check in checks],
    }


def _left(board: Board, provider: str) -> Iterator[BoardRow]:
    """Yield the limits of a day or more, and those that keep requests away now."""
    from freeride_core.cli.quota_text import is_closed, rows_of

    for row in rows_of(board, provider):
        if row.window in _LONG_WINDOWS or is_closed(row):
            yield row


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


def _show(found: Mapping[str, Any], sections: Mapping[str, StatusSection], board: Board) -> None:
    now = board.at
    gateway = found["gateway"]
    show(f"{'Gateway':<{_WIDTH}}{_gateway_line(gateway, now)}")
    if gateway["providers"]:
        show(f"{'Serves':<{_WIDTH}}{', '.join(map(str, gateway['providers']))}")
    if found["providers"]:
        show("\nToday")
        titles = ["PROVIDER", "STATE", "REQUESTS", "FAILED", "TOKENS IN", "TOKENS OUT"]
        show_table(titles, [_cells(row, now) for row in found["providers"]])
        left = [line for row in found["providers"] for line in _left_lines(row, board)]
        if left:
            show("\nLeft")
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


def _left_lines(row: Mapping[str, Any], board: Board) -> Iterator[str]:
    from freeride_core.cli.quota_text import sentence_of
    from freeride_core.ledger.quota.allowance import AmountSource

    left = list(_left(board, row["name"]))
    if row["notes"] and not any(each.source is AmountSource.TOLD for each in left):
        for note in row["notes"]:
            yield f"{row['name']}: {note['text']}, checked at {clock(note['checked_at'], board.at)}"
        return
    for each in left:
        yield f"{row['name']}, {sentence_of(each, board.rows, board.at)}"
