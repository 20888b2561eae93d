"""`freeride bind`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from freeride_core.binder import Binder, Endpoint, Unreadable
from freeride_core.cli.binders import change_row, fault_of_protocol, load_installed
from freeride_core.cli.names import complete_agents
from freeride_core.cli.scope_option import ScopeOption, default_scope
from freeride_core.cli.terminal import fail, fault_of, show, tell
from freeride_core.cli.url_option import UrlOption, gateway_root

if TYPE_CHECKING:
    from freeride_core.binding.backups import Backups
    from freeride_core.binding.change import Change
    from freeride_core.binding.precedence import Detour
    from freeride_core.settings.resolver import Settings


def bind(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="AGENT",
            help="The agent. Without one, list the agents that can be bound.",
            autocompletion=complete_agents,
        ),
    ] = None,
    scope: Annotated[
        ScopeOption | None,
        typer.Option(help="Which config to edit: user (home), current directory (cwd) or Git root (git)."),
    ] = None,
    url: UrlOption = None,
    model: Annotated[str, typer.Option(metavar="MODEL", help="The model that the agent asks for.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference and write nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Remove what FreeRide wrote, and keep later changes.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="With --undo: every agent that is bound.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write despite a warning. With --undo, restore the whole file."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Point an agent at the gateway, or with --undo back to where it pointed before."""
    from freeride_core.binding.backups import Backups
    from freeride_core.binding.files import BindingError
    from freeride_core.cli.agent_requests import AgentRequests
    from freeride_core.cli.agents import list_agents
    from freeride_core.plugins.discovery import PluginError
    from freeride_core.settings.resolver import SettingsError, load_settings

    check_model(model)
    if force and name is None and not everything:
        raise typer.BadParameter("say which agent", param_hint="AGENT")
    if everything and (not undo or name is not None):
        raise typer.BadParameter("use it with --undo, and without an agent", param_hint="--all")
    if name is None and (undo or dry_run) and not everything:
        raise typer.BadParameter("say which agent, or --all", param_hint="AGENT")
    try:
        if undo:
            from freeride_core.cli.undo import Undo

            Undo(dry_run=dry_run, as_json=as_json, force=force).run(name, scope)
            return
        settings, root = load_settings(), gateway_root(url)
        key = settings.token or Endpoint(root).key  # a gateway with a token takes no other key
        endpoint = Endpoint(root, key, model)
        backups = Backups(settings.home)
        if name is None:
            list_agents(backups, AgentRequests.read(settings), endpoint, as_json=as_json)
            return
        binder = load_installed(name)
        default = default_scope(binder)
        place = scope or default
        path = place.path(binder)
        _Task(settings, backups, binder, place, path, dry_run=dry_run, as_json=as_json, force=force).bind(endpoint)
    except (BindingError, PluginError, SettingsError) as error:
        fail(str(error))
    except BrokenPipeError:
        raise  # who reads has seen enough
    except OSError as error:
        fail(fault_of(error))


def check_model(model: str) -> None:
    """Raise `BadParameter` if that cannot be the name of a model."""
    if not model or not model.isprintable() or " " in model:
        raise typer.BadParameter("a model name has no spaces", param_hint="--model")


class _Task:
    """One file to bind, or to give back."""

    def __init__(
        self,
        settings: Settings,
        backups: Backups,
        binder: Binder,
        place: ScopeOption,
        path: Path,
        *,
        dry_run: bool,
        as_json: bool,
        force: bool,
    ) -> None:
        self._force = force
        self._settings = settings
        self._backups = backups
        self._binder = binder
        self._place = place
        self._path = path
        self._dry_run = dry_run
        self._as_json = as_json

    def bind(self, endpoint: Endpoint) -> None:
        from freeride_core.binding.change import plan_binding
        from freeride_core.binding.hazards import check_writable, hazards_of
        from freeride_core.cli.gateway_client import GatewayClient, Listener

        if fault := fault_of_protocol(self._binder):
            fail(f"{fault}; nothing was written")
        self._place.check(self._binder, self._path)
        self._place.check_retired(self._binder, self._path)
        written = self._place.endpoint(self._binder, endpoint)
        try:
            change = plan_binding(self._binder, written, self._path)
        except Unreadable as error:
            fail(f"{self._path} stays as it is, because it cannot be read: {error}")
        with GatewayClient(endpoint.root, self._settings) as gateway:
            fault = gateway.fault()
        if gateway.listener is Listener.STRANGER and not self._dry_run:
            fail(f"{fault} Nothing was written.")
        check_writable(change)
        hazards = list(hazards_of(change, self._binder, endpoint))
        if hazards and not self._force and not self._dry_run:
            fail(f"{'; '.join(hazards)}. Nothing was written; --force writes it all the same")
        backup: Path | None = None
        if change.is_needed and not self._dry_run:
            backup = self._backups.backup_path(self._backups.apply(change, self._binder, written))
        detours = self._place.detours(self._binder, written, self._path, (change.after or b"").decode())
        faults = [
            *(hazards if self._dry_run else ()),
            *_exposure(change, endpoint),
            *(self._redact(detour.sentence(self._binder.title)) for detour in detours),
            *filter(None, [fault]),
        ]
        variable = "Set FREERIDE_TOKEN where it is started: its file names the variable." if written != endpoint else ""
        advice = " ".join(filter(None, (self._redact(self._binder.advice(endpoint)), variable)))
        self._show(
            change,
            backup,
            {
                "reloads": self._binder.reloads,
                "next": advice,
                "elsewhere": [_row(detour) for detour in detours],
                "warning": "; ".join(faults) or None,
            },
        )
        title = self._binder.title
        if not change.is_needed:
            tell(f"{title} is bound to {endpoint.root} already; {self._path} stays as it is.")
        elif self._dry_run:
            tell(f"{title} would be bound to {endpoint.root}. Nothing was written.")
        else:
            tell(f"{title} is bound to {endpoint.root} in {self._path}.")
            if advice:
                tell(f"Next: {advice}")
            tell(f"To undo: {self._undo_command()}")
        for fault in faults:
            tell(f"Warning: {fault}")

    def _show(self, change: Change, backup: Path | None, more: dict[str, Any]) -> None:
        diff = self._redact(change.diff())
        if not self._as_json:
            show(diff, ends=False)
            return
        shown = {**change_row(change, self._binder.name, self._place, backup, diff, dry_run=self._dry_run), **more}
        typer.echo(json.dumps(shown, indent=2))

    def _redact(self, text: str) -> str:
        from freeride_core.privacy.redaction import redactor_of

        return redactor_of(self._settings.environ)(text)

    def _undo_command(self) -> str:
        is_default = self._place is default_scope(self._binder)
        return f"freeride bind --undo {self._binder.name}" + ("" if is_default else f" --scope {self._place}")


def _exposure(change: Change, endpoint: Endpoint) -> Iterator[str]:
    """Return a warning if other users can read the token in the file."""
    has_token = endpoint.key != Endpoint("").key and endpoint.key.encode() in (change.after or b"")
    if sys.platform == "win32" or not has_token or not change.target.exists():
        return
    if change.target.stat().st_mode & 0o044:
        yield f"others on this machine can read FREERIDE_TOKEN in {change.path}: chmod go-rwx {change.target}"


def _row(detour: Detour) -> dict[str, str | None]:
    path = None if detour.path is None else str(detour.path)
    return {"setting": detour.where, "model": detour.model or None, "path": path}
