"""What OpenClaw asks: `freeride openclaw status`, and a part of `freeride status`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import typer

from freeride_binder_openclaw.cli.options import AsJson
from freeride_binder_openclaw.cli.output import told
from freeride_core.cli import show

if TYPE_CHECKING:
    from freeride_binder_openclaw.workspace import Workspace
    from freeride_core.cli import StatusSection

_WIDTH = 12


def status(as_json: AsJson = False) -> None:
    """Show what OpenClaw asks, with which key, and what is known of that. Only the gateway on this machine is asked.

    \b
    Example:
      freeride openclaw status --json
    """
    with told():
        from freeride_binder_openclaw.workspace import read_workspace

        found = _found(read_workspace(), time.time())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for title, text in _lines(found):
        show(f"{title:<{_WIDTH}}{text}")


def read_section() -> StatusSection | None:
    """Return the part of `freeride status` about OpenClaw, or None if OpenClaw has no folder here."""
    from freeride_binder_openclaw.cli.output import faults_of_a_command
    from freeride_binder_openclaw.workspace import read_workspace
    from freeride_core.cli import StatusSection

    try:
        scene = read_workspace()
        if not scene.path.parent.is_dir():
            return None
        found = _found(scene, time.time())
    except faults_of_a_command() as fault:
        return StatusSection("OpenClaw", [("fault", str(fault))], {"fault": str(fault)})
    lines = [("file" if label == "OpenClaw" else label, text) for label, text in _lines(found)]
    return StatusSection("OpenClaw", lines, found)


def _found(scene: Workspace, now: float) -> dict[str, Any]:
    from freeride_binder_openclaw.cli.output import faults_of_a_command
    from freeride_binder_openclaw.memory import DAY_S
    from freeride_core.cli import find_fault, gateway_root

    selection, memory = scene.selection, scene.memory
    root = selection.gateway or gateway_root(None)
    keys: list[dict[str, Any]] = []
    note, ceiling = "", None
    try:
        found = scene.find_keys()
        ceiling = found.openrouter.ceiling(memory.daily_limit()).day
        found.openrouter.close()
        keys = [{"fingerprint": key.fingerprint, "from": found.origin} for key in found.openrouter.keys]
    except faults_of_a_command() as error:
        note = str(error)
    listed, rotation = memory.model_list(), memory.rotation()
    is_free: bool | None = None
    if selection.direct_id and listed is not None:
        from freeride_binder_openclaw.selection import ROUTER

        is_free = selection.direct_id in {ROUTER, *(model.id for model in listed.models)}
    return {
        "path": str(scene.path),
        "exists": scene.exists,
        "via": "gateway" if selection.via_gateway else "openrouter" if selection.direct_id else None,
        "primary": selection.primary,
        "primary_is_free": is_free,
        "fallbacks": list(selection.fallbacks),
        "others": dict(selection.others),
        "auth_profile": selection.has_profile,
        "gateway": {"url": root, "fault": find_fault(root, scene.settings)},
        "keys": keys,
        "keys_note": note,
        "models": {"count": len(listed.models), "age_s": max(0.0, now - listed.fetched_at)} if listed else None,
        "probes": {"last_24_hours": memory.probes_since(now - DAY_S), "at_most": ceiling},
        "rotation": None
        if rotation is None
        else {"count": rotation.count, "at": rotation.at, "reason": rotation.reason, "model": rotation.model},
    }


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    from freeride_core.cli import clock

    gateway, models, probes, rotation = found["gateway"], found["models"], found["probes"], found["rotation"]
    lines = [
        ("OpenClaw", found["path"] + ("" if found["exists"] else "  (not there yet: freeride openclaw auto)")),
        ("asks", _primary(found)),
        *[("then" if at == 0 else "", ref) for at, ref in enumerate(found["fallbacks"])],
        *[("but" if at == 0 else "", f"{ref}  ({where})") for at, (where, ref) in enumerate(found["others"].items())],
        ("gateway", f"answers at {gateway['url']}" if gateway["fault"] is None else gateway["fault"]),
        *[("key" if at == 0 else "", f"{key['fingerprint']}  ({key['from']})") for at, key in enumerate(found["keys"])],
    ]
    if found["keys_note"]:
        lines.append(("key", found["keys_note"]))
    lines.append(
        ("profile", "openrouter:default" if found["auth_profile"] else "none  (freeride openclaw auto --setup-auth)")
    )
    listed = (
        f"{models['count']} free ones, listed {_age(models['age_s'])} ago" if models else "freeride openclaw refresh"
    )
    lines.append(("models", listed))
    at_most = "" if probes["at_most"] is None else f" of at most {probes['at_most']}"
    lines.append(("probes", f"{probes['last_24_hours']}{at_most} in the last 24 hours"))
    if rotation is not None:
        moment = clock(rotation["at"], time.time())
        lines.append(
            ("rotations", f"{rotation['count']}; the last {moment} to {rotation['model']}: {rotation['reason']}")
        )
    return lines


def _primary(found: dict[str, Any]) -> str:
    if found["primary"] is None:
        return "its own default  (freeride openclaw auto, or freeride bind openclaw)"
    marks = {
        "gateway": "the gateway, which fails over within each request",
        "openrouter": "OpenRouter itself",
        None: "neither the gateway nor OpenRouter",
    }
    mark = marks[found["via"]]
    if found["primary_is_free"] is False:
        mark += ", where it is not free: freeride openclaw auto"
    return f"{found['primary']}  ({mark})"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"
