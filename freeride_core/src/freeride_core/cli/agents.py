"""The list of agents: which can be bound, and where they point."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from freeride_core.binder import Binder, Endpoint, Unreadable
from freeride_core.cli.agent_requests import age
from freeride_core.cli.binders import fault_of_protocol
from freeride_core.cli.scope_option import ScopeOption, scope_options_from_here
from freeride_core.cli.table import show_table
from freeride_core.cli.terminal import fail, tell, with_tilde

if TYPE_CHECKING:
    from freeride_core.binding.backups import Backups
    from freeride_core.cli.agent_requests import AgentRequests

_NEEDS = "needs "
_COLUMNS = ("name", "title", "scope", "state", "model", "asked", "url", "path")


def list_agents(backups: Backups, requests: AgentRequests, endpoint: Endpoint, *, as_json: bool) -> None:
    """Print a row for each binder and place, with what is wrong with it."""
    rows = _rows(backups, requests, endpoint)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        now = time.time()
        cells = [[_cell(row, column, now) for column in _COLUMNS] for row in rows]
        titles = [title.upper() for title in _COLUMNS]
        show_table(titles, cells, droppable=("TITLE", "URL", "ASKED", "MODEL"), paths=("PATH",))
        for row in rows:
            for line in filter(None, (row["reason"], *row["elsewhere"])):
                tell(f"{row['name']}: {line}")
    else:
        fail("no binder is installed; the usual ones come with: pip install freeride-gateway")


def _cell(row: dict[str, Any], column: str, now: float) -> str:
    if column == "asked":
        return age(now - row["asked_at"]) if row["asked_at"] else "-"
    if column == "path" and row["path"]:
        return with_tilde(Path(row["path"]))
    if column == "state" and row["state"].startswith(_NEEDS):
        return "not served yet"
    return row[column] or "-"


def _rows(backups: Backups, requests: AgentRequests, endpoint: Endpoint) -> list[dict[str, Any]]:
    from freeride_core.binding.agent_files import is_installed
    from freeride_core.plugins.discovery import load_plugins

    plugins = load_plugins(("binder",))
    rows: list[dict[str, Any]] = []
    for plugin in plugins.rows:
        binder = plugins.binders.get(plugin.name)
        shared = {"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
        if binder is None:
            unknown = dict.fromkeys(("title", "scope", "path", "url", "model", "asked_at", "installed"))
            rows.append({**shared, **unknown, "state": plugin.status, "reason": plugin.reason, "elsewhere": []})
            continue
        known = {"title": binder.title, "installed": is_installed(binder, Path.home(), os.environ)}
        if not binder.scopes:
            state = "by freeride run" if known["installed"] else "not found"
            nothing = dict.fromkeys(("scope", "path", "url", "model", "asked_at"))
            rows.append({**shared, **known, **nothing, "state": state, "reason": "", "elsewhere": []})
        for place in scope_options_from_here(binder):
            found = _state(backups, binder, endpoint, place)
            if found["state"] == "not bound":
                found["state"] = _unbound(binder, is_installed=known["installed"] is True)
            asked_at = requests.asked_at(binder) if found["url"] else None
            rows.append({**shared, **known, "scope": place, **found, "asked_at": asked_at})
    return rows


def _unbound(binder: Binder, *, is_installed: bool) -> str:
    if fault_of_protocol(binder):
        return f"{_NEEDS}{binder.needs}"
    return "installed" if is_installed else "not found"


def _state(backups: Backups, binder: Binder, endpoint: Endpoint, place: ScopeOption) -> dict[str, Any]:
    """Return whether the file is bound, where to, which model the agent asks for, and what outranks that."""
    from freeride_core.binding.change import is_bound
    from freeride_core.binding.files import BindingError, read_configuration

    unbound: dict[str, Any] = {"url": None, "model": None, "reason": "", "elsewhere": []}
    path: Path | None = None
    try:
        path = place.paths(binder)[0]
        path = place.path(binder)
        if backups.is_elsewhere(path):
            return {**unbound, "path": str(path), "state": "elsewhere by its own commands"}
        record = backups.record(path)
        if record is not None:
            endpoint = Endpoint(record.root, endpoint.key, record.model)
        state = "changed since it was bound" if record else "not bound"
        written = [endpoint]
        with contextlib.suppress(BindingError):  # the agent reads no variable
            written.append(place.endpoint(binder, endpoint))
        if not any(is_bound(binder, each, path) for each in written):
            return {**unbound, "path": str(path), "state": state}
        text = (read_configuration(path) or b"").decode()
        detours = place.detours(binder, endpoint, path, text)
        return {
            "path": str(path),
            "state": "bound, but outranked" if any(detour.outranks for detour in detours) else "bound",
            "url": endpoint.root,
            "model": ", ".join(binder.models(text, endpoint)) or None,
            "reason": "",
            "elsewhere": [detour.sentence(binder.title) for detour in detours],
        }
    except (BindingError, Unreadable) as error:
        return {**unbound, "path": str(path) if path else None, "state": "unreadable", "reason": str(error)}
