"""`freeride keys`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.cli.terminal import clock, complain, fail, show, show_table, where_to_get_keys

if TYPE_CHECKING:
    from freeride_core.cli.snapshot import Snapshot
    from freeride_core.gateway.walk.enabled import EnabledProvider
    from freeride_core.provider import Key


def keys(
    check: Annotated[
        bool, typer.Option("--check", help="Ask each provider whether it takes the key. Spends nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on stdout.")] = False,
) -> None:
    """Show your keys, by fingerprint, and what each of them can do now."""
    from freeride_core.cli.snapshot import read_snapshot

    snapshot = read_snapshot()
    members = snapshot.enabled.members
    rows = [_row(snapshot, member, key) for member in members for key in member.keys]
    if check and rows:
        from freeride_core.cli.key_check import check_keys

        verdicts = check_keys(snapshot.settings, [(member.provider, member.keys) for member in members])
        for row, verdict in zip(rows, verdicts, strict=True):
            row["check"] = verdict.word
            row["note"] = snapshot.enabled.redact(verdict.note)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        titles = ["PROVIDER", "KEY", "VARIABLE", "FINGERPRINT", "STATE", *(["CHECK"] if check else [])]
        show_table(titles, [_cells(row, snapshot.now, with_check=check) for row in rows])
        for provider, usage in sorted(snapshot.ledger.usage.today().items()):
            tokens = f"{usage.tokens_in:,} tokens in, {usage.tokens_out:,} out"
            show(f"{provider} today: {usage.requests:,} requests, {usage.failed:,} failed, {tokens}")
    if not rows:
        fail(where_to_get_keys(snapshot.enabled.registered.values(), snapshot.settings.home))
    for row in rows:
        if not row["looks_right"]:
            complain(f"{row['variable']} (k{row['index']}) does not look like a key of {row['provider']}")


def _row(snapshot: Snapshot, member: EnabledProvider, key: Key) -> dict[str, Any]:
    from freeride_core.ledger.slots import ALL_MODELS, slots_over

    cooling = snapshot.ledger.state(key, ALL_MODELS).cooldown
    account = snapshot.ledger.accounts.of(key)
    today = snapshot.ledger.usage.today().get(key.provider)
    models = {
        slot.model: {"kind": cooldown.kind, "until": cooldown.until}
        for slot, cooldown in snapshot.ledger.cooldowns.items()
        if slot.model != ALL_MODELS and slot in slots_over(key, account, slot.model) and cooldown.until > snapshot.now
    }
    return {
        "provider": key.provider,
        "index": key.index,
        "variable": key.variable,
        "fingerprint": key.fingerprint,
        "looks_right": _looks_right(member, key),
        "state": "cooling" if cooling else "usable",
        "kind": cooling.kind if cooling else None,
        "until": cooling.until if cooling else None,
        "cooling_models": models,
        "provider_today": today and {name: getattr(today, name) for name in today.__struct_fields__},
    }


def _looks_right(member: EnabledProvider, key: Key) -> bool:
    patterns = [
        credential.pattern
        for credential in member.provider.credentials
        if any(
            re.fullmatch(rf"{re.escape(name)}(_\d+)?", key.variable)
            for name in (credential.variable, *credential.aliases)
        )
    ]
    return all(pattern is None or re.fullmatch(pattern, key.secret) for pattern in patterns)


def _cells(row: dict[str, Any], now: float, *, with_check: bool) -> list[str]:
    state = f"cooling until {clock(row['until'], now)} ({row['kind']})" if row["until"] else "usable"
    if row["cooling_models"]:
        state += f", {len(row['cooling_models'])} of its models cooling"
    cells = [row["provider"], f"k{row['index']}", row["variable"], row["fingerprint"], state]
    if with_check:
        cells.append(f"{row['check']}: {row['note']}" if row["note"] else row["check"])
    return cells
