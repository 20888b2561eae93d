"""`freeride models`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.cli.table import show_table
from freeride_core.cli.terminal import complain, fail, where_to_get_keys

if TYPE_CHECKING:
    from freeride_core.cli.snapshot import Snapshot
    from freeride_core.gateway.walk.enabled import EnabledProvider, EnabledProviders
    from freeride_core.ledger.quota.board import Board
    from freeride_core.model import Model


def models(
    show_all: Annotated[bool, typer.Option("--all", help="Include providers that you have no key for.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Show the free models that you can use now, best first."""
    from freeride_core.cli.snapshot import read_snapshot
    from freeride_core.gateway.walk.routing import usable_models
    from freeride_core.provider import Account

    snapshot = read_snapshot()
    enabled = _with_keyless(snapshot) if show_all else snapshot.enabled
    if not enabled.members:
        if as_json:
            typer.echo("[]")
        fail(where_to_get_keys(enabled.registered.values(), snapshot.settings.home))
    free = usable_models(enabled, snapshot.catalogs.models, lambda _: Account())
    board = snapshot.board()
    rows = [_row(snapshot, board, canonical, served) for canonical, served in free.items()]
    rows.sort(key=lambda row: (row["operations"] != ["chat.completions"], row["tier"]))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        titles = ("ID", "FOR", "CONTEXT", "TIER", "TOOLS", "VISION", "PROVIDERS")
        show_table(titles, [_cells(row) for row in rows], droppable=("VISION", "TIER", "TOOLS", "CONTEXT", "FOR"))
    else:
        names = ", ".join(member.provider.name for member in enabled.members)
        complain(f"no model of {names} is known to be free for you")


def _with_keyless(snapshot: Snapshot) -> EnabledProviders:
    from freeride_core.gateway.walk.enabled import EnabledProvider

    enabled = snapshot.enabled
    keyless = [
        EnabledProvider(provider, (), provider.free)
        for name, provider in enabled.registered.items()
        if name not in enabled.by_name
    ]
    return replace(enabled, members=(*enabled.members, *keyless))


def _row(
    snapshot: Snapshot, board: Board, canonical: str, served: Sequence[tuple[EnabledProvider, Model]]
) -> dict[str, Any]:
    offered = [model for _, model in served]
    contexts = [model.context for model in offered if model.context]
    at: dict[str, dict[str, Any]] = {}
    for member, model in served:
        if member.provider.name not in at:
            left = _left(board, member, model)
            state = _state(snapshot, member, model)
            state = "used up" if state == "ready" and left == 0 else state
            at[member.provider.name] = {"id": model.id, "state": state, "left": left}
    return {
        "id": offered[0].id,
        "canonical": canonical,
        "operations": sorted({operation.value for model in offered for operation in model.operations}),
        "context": max(contexts, default=None),
        "tier": min(model.tier for model in offered),
        "tools": _any([model.tools for model in offered]),
        "vision": _any([model.vision for model in offered]),
        "providers": at,
    }


def _state(snapshot: Snapshot, member: EnabledProvider, model: Model) -> str:
    from freeride_core.ledger.readiness import Readiness

    if not member.keys:
        return "no key"
    states = [snapshot.ledger.state(key, model.id) for key in member.keys]
    return "cooling" if all(state.readiness is Readiness.COOLING for state in states) else "ready"


def _left(board: Board, member: EnabledProvider, model: Model) -> float | None:
    """Return which part of the scarcest limit is left with the key that has most, or None if no limits are known."""
    from freeride_core.cli.quota_text import rows_of, scarcest, share_of

    least = [scarcest(rows_of(board, member.provider.name, key.index, model.id)) for key in member.keys]
    return max((round(share_of(row), 3) for row in least if row is not None), default=None)


def _any(claims: list[bool | None]) -> bool | None:
    """Return True if one claim is true, None if it is unknown, otherwise False."""
    return True if True in claims else None if None in claims else False


def _cells(row: dict[str, Any]) -> list[str]:
    words = {True: "yes", False: "no", None: "?"}
    places = [f"{name}{_aside(at)}" for name, at in row["providers"].items()]
    return [
        row["id"],
        " ".join(operation.partition(".")[0] for operation in row["operations"]),
        str(row["context"] or "?"),
        str(row["tier"]),
        words[row["tools"]],
        words[row["vision"]],
        ", ".join(places),
    ]


def _aside(at: dict[str, Any]) -> str:
    """What is worth a word about a model at a provider."""
    if at["state"] != "ready":
        return f" ({at['state']})"
    return "" if at["left"] in (None, 1) else f" ({max(0.01, at['left']):.0%} left)"
