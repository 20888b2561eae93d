"""What the commands about agents share: the binder of a name, and the row of a change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from freeride_core.binder import Binder
from freeride_core.cli.scope_option import ScopeOption
from freeride_core.cli.terminal import fail
from freeride_core.system.spelling import suggestion

if TYPE_CHECKING:
    from freeride_core.binding.change import Change


def change_row(
    change: Change, name: str, scope: ScopeOption | None, backup: Path | None, diff: str, *, dry_run: bool
) -> dict[str, Any]:
    """What became of one file, for `--json`."""
    return {
        "name": name,
        "scope": scope,
        "path": str(change.path),
        "changed": change.is_needed and not dry_run,
        "dry_run": dry_run,
        "backup": None if backup is None else str(backup),
        "diff": diff,
    }


def load_installed(name: str) -> Binder:
    """Return the binder. Ends the command if it is not installed."""
    from freeride_core.plugins.discovery import load_binder, offered_names

    installed = offered_names("binder")
    if name not in installed:
        # Never suggest a package named after what was typed: anyone can publish it.
        some = f"installed: {', '.join(installed)}" if installed else "they come with: pip install freeride-gateway"
        fail(f"there is no binder for {name!r}; {suggestion(name, installed)}{some}")
    return load_binder(name)


def fault_of_protocol(binder: Binder) -> str | None:
    """Return why the agent would get no answer of this gateway, or None if the gateway serves the protocol that it speaks."""
    from freeride_core.gateway.protocols.registry import SERVED

    if binder.needs in SERVED:
        return None
    return (
        f"{binder.title} speaks {binder.needs}, which this gateway does not serve yet "
        f"(it serves {', '.join(sorted(SERVED))})"
    )
