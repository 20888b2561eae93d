"""`freeride keys`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.answer import ErrorKind
from freeride_core.cli.table import show_table
from freeride_core.cli.terminal import clock, complain, fail, show_wrapped, where_to_get_keys

if TYPE_CHECKING:
    from freeride_core.cli.snapshot import Snapshot
    from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders
    from freeride_core.ledger.quota.board import Board
    from freeride_core.provider import Key

REJECTED = "rejected"


def keys(
    check: Annotated[
        bool, typer.Option("--check", help="Ask each provider whether it accepts the key. Uses no quota.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Show your keys by fingerprint, and whether each can be used now.

    Exit codes: 0 if there is a key, 1 if there is no key or a provider rejected one."""
    from freeride_core.cli.snapshot import read_snapshot

    snapshot = read_snapshot()
    members = snapshot.enabled.members
    board = snapshot.board()
    rows = [_row(snapshot, member, key, board) for member in members for key in member.keys]
    if check and rows:
        from freeride_core.cli.key_check import check_keys

        verdicts = check_keys(snapshot.settings, [(member.provider, member.keys) for member in members])
        for row, verdict in zip(rows, verdicts, strict=True):
            row["check"] = verdict.word
            row["note"] = snapshot.enabled.redact(verdict.note)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        titles = ["PROVIDER", "KEY", "VARIABLE", "FINGERPRINT", "STATE"]
        titles += (["LEFT"] if board.rows else []) + (["CHECK"] if check else [])
        cells = [_cells(row, board, with_check=check) for row in rows]
        show_table(titles, cells, droppable=[title for title in ("FINGERPRINT", "KEY", "LEFT") if title in titles])
        for provider, usage in sorted(snapshot.ledger.usage.today().items()):
            tokens = f"{usage.tokens_in:,} tokens in, {usage.tokens_out:,} out"
            requests = f"{usage.requests:,} request{'' if usage.requests == 1 else 's'}"
            show_wrapped(f"{provider} today: {requests}, {usage.failed:,} failed, {tokens}")
    if not rows:
        fail(where_to_get_keys(snapshot.enabled.registered.values(), snapshot.settings.home))
    for line in odd_keys(snapshot.enabled):
        complain(line)
    if any(row.get("check") == REJECTED for row in rows):
        raise typer.Exit(1)


def odd_keys(enabled: EnabledProviders) -> Iterator[str]:
    """Yield what to say of each key that does not look like its provider's."""
    from freeride_core.settings.key_shapes import expected_start, looks_right

    for member in enabled.members:
        provider = member.provider
        for key in member.keys:
            if key.secret and not looks_right(provider, key.variable, key.secret):
                start = expected_start(provider)
                shape = f" (expected {start})" if start else ""
                title, page = provider.about.title, provider.about.keys_url
                yield f"{key.variable} doesn't look like a key of {title}{shape}: copy it again from {page}"


def _row(snapshot: Snapshot, member: EnabledProvider, key: Key, board: Board) -> dict[str, Any]:
    from freeride_core.cli.quota_text import rows_of
    from freeride_core.ledger.slots import ALL_MODELS, slots_over
    from freeride_core.settings.key_shapes import looks_right

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
        "looks_right": looks_right(member.provider, key.variable, key.secret),
        "state": "cooling" if cooling else "usable",
        "kind": cooling.kind if cooling else None,
        "until": cooling.until if cooling else None,
        "cooling_models": models,
        "limits": [dataclasses.asdict(row) for row in rows_of(board, key.provider, key.index)],
        "provider_today": today and {name: getattr(today, name) for name in today.__struct_fields__},
    }


def _cells(row: dict[str, Any], board: Board, *, with_check: bool) -> list[str]:
    state = "usable"
    if row["until"]:
        moment = clock(row["until"], board.at)
        is_rejected = row["kind"] == ErrorKind.AUTH
        state = f"rejected, retrying at {moment}" if is_rejected else f"cooling until {moment} ({row['kind']})"
    if row["cooling_models"]:
        state += f", {len(row['cooling_models'])} of its models cooling"
    cells = [row["provider"], f"k{row['index']}", row["variable"], row["fingerprint"], state]
    if board.rows:
        cells.append(_left(row, board))
    if with_check:
        cells.append(f"{row['check']}: {row['note']}" if row["note"] else row["check"])
    return cells


def _left(row: dict[str, Any], board: Board) -> str:
    """Return what the key has least of."""
    from freeride_core.cli.quota_text import left_of, models_of, rows_of, scarcest

    least = scarcest(rows_of(board, row["provider"], row["index"]))
    if least is None:
        return "unknown"
    models = "" if least.is_each or len(least.models) > 1 else f", {models_of(least, board.rows)}"
    return f"{left_of(least)} {least.name}{models}"
