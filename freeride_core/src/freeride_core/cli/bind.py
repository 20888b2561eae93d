"""`freeride bind`."""

from __future__ import annotations

import enum
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from freeride_core.binder import SERVED, Binder, Endpoint, Scope, Unreadable
from freeride_core.cli.terminal import fail, show_table

if TYPE_CHECKING:
    from freeride_core.binding import Backups, Change
    from freeride_core.settings import Settings

_COLUMNS = ("name", "title", "scope", "state", "url", "path")
_SECRET_VARIABLE = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)(_\d+)?")


class Place(enum.StrEnum):
    """Whose configuration is edited, as people say it."""

    HOME = "home"
    CWD = "cwd"
    GIT = "git"

    @property
    def scope(self) -> Scope:
        """A project's configuration is in the folder, or in the root of the repository that this is in."""
        return Scope.HOME if self is Place.HOME else Scope.PROJECT

    def path(self, binder: Binder) -> Path:
        """The file that `binder` edits there. `BindingError`: it has none there."""
        from freeride_core.binding import BindingError, path_of

        if self not in _places(binder):
            raise BindingError(f"{binder.name} has no scope {self.value!r}; it has: {', '.join(_places(binder))}")
        cwd = Path.cwd()
        folder = _git_root(cwd) if self is Place.GIT else cwd
        if folder is None:
            raise BindingError(f"{cwd} is in no git repository")
        return path_of(binder, self.scope, Path.home(), folder)


def _places(binder: Binder) -> list[Place]:
    """Those in which `binder` has a file, its default first."""
    return [place for scope in binder.scopes for place in Place if place.scope is scope]


def _git_root(cwd: Path) -> Path | None:
    return next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), None)


def bind(
    name: Annotated[str | None, typer.Argument(help="The agent. Without one: list all that can be bound.")] = None,
    scope: Annotated[
        Place | None,
        typer.Option(help="Whose configuration: yours, that of the folder you are in, or of its git repository."),
    ] = None,
    url: Annotated[str, typer.Option(help="Where the gateway listens.")] = "http://127.0.0.1:11343",
    model: Annotated[str, typer.Option(help="The model that the agent asks for.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference and write nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put back the file as it was before.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Undo even if the file was changed since.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was done as JSON on stdout.")] = False,
) -> None:
    """Point an agent at the gateway, or with --undo back to where it pointed before."""
    from freeride_core.binding import Backups, BindingError
    from freeride_core.plugins import PluginError
    from freeride_core.settings import SettingsError, load_settings

    root = gateway_root(url)
    check_model(model)
    if force and not undo:
        raise typer.BadParameter("it goes with --undo", param_hint="--force")
    if name is None and (undo or dry_run):
        raise typer.BadParameter("say which agent", param_hint="NAME")
    try:
        settings = load_settings()
        key = settings.token or Endpoint(root).key  # a gateway with a token takes no other key
        endpoint = Endpoint(root, key, model)
        backups = Backups(settings.home)
        if name is None:
            _list(backups, endpoint, as_json=as_json)
            return
        binder = (_left_behind(backups, name) if undo else None) or load_installed(name)
        task = _Task(settings, backups, binder, scope or _places(binder)[0], dry_run=dry_run, as_json=as_json)
        if undo:
            task.undo(force=force)
        else:
            task.bind(endpoint)
    except (BindingError, PluginError, SettingsError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


def check_model(model: str) -> None:
    """`BadParameter` where that is no model's name."""
    if not model or not model.isprintable() or " " in model:
        raise typer.BadParameter("a model's name has letters and no blanks", param_hint="--model")


class _Task:
    """One file to bind, or to give back."""

    def __init__(
        self, settings: Settings, backups: Backups, binder: Binder, place: Place, *, dry_run: bool, as_json: bool
    ) -> None:
        self._settings = settings
        self._backups = backups
        self._binder = binder
        self._place = place
        self._path = place.path(binder)
        self._dry_run = dry_run
        self._as_json = as_json

    def bind(self, endpoint: Endpoint) -> None:
        from freeride_core.binding import check_served, plan_binding
        from freeride_core.cli.health import find_fault

        check_served(self._binder)
        try:
            change = plan_binding(self._binder, endpoint, self._path)
        except Unreadable as error:
            fail(f"{self._path} stays as it is, because it cannot be read: {error}")
        backup: Path | None = None
        if change.is_needed and not self._dry_run:
            backup = self._backups.backup_path(self._backups.apply(change, self._binder, endpoint))
        fault = find_fault(endpoint.root, endpoint.key)
        advice = self._redact(self._binder.advice(endpoint))
        self._show(change, backup, {"reloads": self._binder.reloads, "next": advice, "warning": fault})
        title = self._binder.title
        if not change.is_needed:
            _tell(f"{title} is bound to {endpoint.root} already; {self._path} stays as it is.")
        elif self._dry_run:
            _tell(f"{title} would be bound to {endpoint.root}. Nothing was written.")
        else:
            _tell(f"{title} is bound to {endpoint.root} in {self._path}.")
            if advice:
                _tell(f"Next: {advice}")
            _tell(f"Back to what it was before: {self._undo_command()}")
        if fault:
            _tell(f"Warning: {fault}")

    def undo(self, *, force: bool) -> None:
        if self._backups.record(self._path) is None:
            others = [record.path for record in self._backups.records() if record.binder == self._binder.name]
            fail("; ".join([f"{self._path} is not bound, there is nothing to undo", *_bound_elsewhere(others)]))
        change = self._backups.plan_undo(self._path, force=force)
        if not self._dry_run:
            self._backups.undo(change)
        self._show(change, None, {})
        if self._dry_run:
            _tell("Nothing was written.")
        elif change.after is None:
            _tell(f"{self._path} is gone again: there was none before {self._binder.title} was bound.")
        else:
            _tell(f"{self._path} is as it was before {self._binder.title} was bound.")

    def _show(self, change: Change, backup: Path | None, more: dict[str, Any]) -> None:
        diff = self._redact(change.diff())
        if not self._as_json:
            typer.echo(diff, nl=False)
            return
        shown = {
            "name": self._binder.name,
            "scope": self._place,
            "path": str(self._path),
            "changed": change.is_needed and not self._dry_run,
            "dry_run": self._dry_run,
            "backup": None if backup is None else str(backup),
            "diff": diff,
            **more,
        }
        typer.echo(json.dumps(shown, indent=2))

    def _redact(self, text: str) -> str:
        from freeride_core.keys import Redactor

        redact = Redactor(
            value
            for name, value in self._settings.environ.items()
            if _SECRET_VARIABLE.search(name) and value != Endpoint("").key
        )
        return redact(text)

    def _undo_command(self) -> str:
        is_default = self._place is _places(self._binder)[0]
        return f"freeride bind --undo {self._binder.name}" + ("" if is_default else f" --scope {self._place}")


class _Uninstalled(Binder):
    """Stands for a binder that is not there any more: enough to undo what it has done to one file."""

    scopes = tuple(Scope)

    def __init__(self, name: str, path: Path) -> None:
        self.name = self.title = name
        self._path = path

    def path(self, scope: Scope, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - where it was, not where it would be
        return self._path

    def edit(self, text: str | None, endpoint: Endpoint) -> str:  # noqa: ARG002 - nobody knows how
        raise Unreadable("its binder is not installed")


def _left_behind(backups: Backups, name: str) -> Binder | None:
    """For the first file that is still bound by a binder that is not installed; None: there is none."""
    from freeride_core.plugins import offered_names

    if name in offered_names("binder"):
        return None
    paths = [record.path for record in backups.records() if record.binder == name]
    return _Uninstalled(name, Path(paths[0])) if paths else None


def load_installed(name: str) -> Binder:
    """The binder, or the end of the command."""
    from freeride_core.plugins import load_binder, offered_names

    installed = offered_names("binder")
    if name not in installed:
        more = f"pip install freeride-binder-{name}" if re.fullmatch(r"[a-z0-9_]+", name) else "freeride-binder-NAME"
        fail(f"there is no binder {name!r}; installed: {', '.join(installed) or 'none'}. Others: {more}")
    return load_binder(name)


def _list(backups: Backups, endpoint: Endpoint, *, as_json: bool) -> None:
    from freeride_core.binding import is_installed
    from freeride_core.plugins import load_plugins

    plugins = load_plugins(("binder",))
    rows: list[dict[str, Any]] = []
    for plugin in plugins.rows:
        binder = plugins.binders.get(plugin.name)
        shared = {"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version}
        if binder is None:
            broken = {
                "title": None,
                "scope": None,
                "path": None,
                "state": plugin.status,
                "url": None,
                "installed": None,
            }
            rows.append({**shared, **broken, "reason": plugin.reason})
            continue
        known = {"title": binder.title, "installed": is_installed(binder, Path.home())}
        for place in _listed_places(binder):
            path = place.path(binder)
            found = _state(backups, binder, endpoint, path)
            if found["state"] == "not bound":
                found["state"] = _unbound(binder, is_installed=known["installed"] is True)
            rows.append({**shared, **known, "scope": place, "path": str(path), **found})
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        show_table([title.upper() for title in _COLUMNS], [[row[column] or "-" for column in _COLUMNS] for row in rows])
        for row in rows:
            if row["reason"]:
                _tell(f"{row['name']}: {row['reason']}")
    else:
        fail("no binder is installed; the usual ones come with: pip install freeride-gateway")


def _listed_places(binder: Binder) -> list[Place]:
    """Those that are files of their own from here."""
    root = _git_root(Path.cwd())
    return [place for place in _places(binder) if place is not Place.GIT or root not in (None, Path.cwd())]


def _unbound(binder: Binder, *, is_installed: bool) -> str:
    if binder.needs not in SERVED:
        return f"needs {binder.needs}"
    return "installed" if is_installed else "not found"


def _state(backups: Backups, binder: Binder, endpoint: Endpoint, path: Path) -> dict[str, str | None]:
    """Whether the file is bound, where to, and why nobody can say."""
    from freeride_core.binding import BindingError, is_bound

    try:
        if backups.is_elsewhere(path):
            return {"state": "elsewhere by its own commands", "url": None, "reason": ""}
        record = backups.record(path)
        if record is not None:
            endpoint = Endpoint(record.root, endpoint.key, record.model)
        if is_bound(binder, endpoint, path):
            return {"state": "bound", "url": endpoint.root, "reason": ""}
        return {"state": "changed since it was bound" if record else "not bound", "url": None, "reason": ""}
    except (BindingError, Unreadable) as error:
        return {"state": "unreadable", "url": None, "reason": str(error)}


def _bound_elsewhere(paths: list[str]) -> list[str]:
    return [f"it is bound in {', '.join(paths)}: undo it there"] if paths else []


def gateway_root(url: str) -> str:
    """The gateway's root; a `/v1`, as agents write it, is taken off. `BadParameter`: it is no such address."""
    try:
        parts = urlsplit(url)
        is_plain = re.fullmatch(r"[!-~]+", url) and not set("?#@") & set(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and is_plain:
            return url.rstrip("/").removesuffix("/v1").rstrip("/")
    except ValueError:
        pass
    raise typer.BadParameter("write scheme, host and port, such as http://127.0.0.1:11343", param_hint="--url")


def _tell(line: str) -> None:
    typer.echo(line, err=True)
