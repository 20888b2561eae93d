"""`freeride bind --undo`. It needs nothing but the record of the binding: settings and plugins may be damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from freeride_core.binder import Binder, Endpoint, Place, Unreadable
from freeride_core.binding.backups import Backups
from freeride_core.binding.change import Change
from freeride_core.binding.files import BindingError
from freeride_core.binding.record import BindingRecord
from freeride_core.cli.binders import change_row, load_installed
from freeride_core.cli.scope_option import ScopeOption, default_scope
from freeride_core.cli.terminal import complain, fail, show, tell
from freeride_core.plugins.discovery import PluginError, load_binder, offered_names
from freeride_core.privacy.redaction import redactor_of
from freeride_core.settings.home import SettingsError, home_of
from freeride_core.settings.resolver import load_settings


class Undo:
    """Undoes the binding of one agent, or of all."""

    def __init__(self, *, dry_run: bool, as_json: bool, force: bool) -> None:
        home, environ = _home_and_environ()
        self._backups = Backups(home)
        self._redact = redactor_of(environ)
        self._dry_run = dry_run
        self._as_json = as_json
        self._force = force

    def run(self, name: str | None, scope: ScopeOption | None) -> None:
        """Undo the binding of `name`, or of all agents if it is None. Raise `BindingError` if nothing was changed."""
        if name is None:
            rows = self.undo_all()
            if not rows:
                fail("no agent is bound")
            if self._as_json:
                typer.echo(json.dumps(rows, indent=2))
            raise typer.Exit(int(any("reason" in row for row in rows)))
        binder = self._binder(name, scope)
        default = default_scope(binder)
        place = scope or default
        path = place.bound_path(binder, self._backups)
        record = self._backups.record(path)
        if record is None:
            others = [each.path for each in self._backups.records() if each.binder == name]
            fail("; ".join([f"{path} is not bound: there is nothing to undo", *_bound_elsewhere(others)]))
        if record.path != str(path.absolute()):  # bound by another name, to which a link of the project leads
            place.check(binder, path)
        row = self._undo(name, binder.title, place, path)
        if self._as_json:
            typer.echo(json.dumps(row, indent=2))

    def undo_all(self) -> list[dict[str, Any]]:
        """Take back every binding, and return a row for each file. A `reason` in it says why that file stays as it is."""
        rows: list[dict[str, Any]] = []
        for record in self._backups.records():
            try:
                rows.append(self._undo(record.binder, _title(record), None, Path(record.path)))
            except BindingError as error:
                complain(str(error))
                row = {"name": record.binder, "path": record.path, "changed": False, "dry_run": self._dry_run}
                rows.append({**row, "reason": str(error)})
        return rows

    def _undo(self, name: str, title: str, place: ScopeOption | None, path: Path) -> dict[str, Any]:
        change = self._backups.plan_undo(path, force=self._force)
        copy = None if self._dry_run else self._backups.undo(change)
        diff = self._redact(change.diff())
        if not self._as_json:
            show(diff, ends=False)
        tell("Nothing was written." if self._dry_run else _outcome(change, title))
        if copy:
            tell(f"Its former content is kept in {copy}")
        return change_row(change, name, place, copy, diff, dry_run=self._dry_run)

    def _binder(self, name: str, scope: ScopeOption | None) -> Binder:
        """Return the binder, or a substitute for one that is uninstalled or broken."""
        try:
            if name in offered_names("binder"):
                return load_binder(name)
        except PluginError:
            if not (found := self._left_behind(name, scope)):
                raise
            return found
        return self._left_behind(name, scope) or load_installed(name)

    def _left_behind(self, name: str, scope: ScopeOption | None) -> Binder | None:
        paths = [Path(record.path) for record in self._backups.records() if record.binder == name]
        if scope is not None:
            paths = [path for path in paths if (path.parent == Path.home()) is (scope is ScopeOption.HOME)] or paths
        return _Uninstalled(name, paths[0]) if paths else None


class _Uninstalled(Binder):
    """Substitutes a binder that cannot be loaded: enough to undo what it wrote to one file."""

    scopes = tuple(Place)

    def __init__(self, name: str, path: Path) -> None:
        self.name = self.title = name
        self._path = path

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:  # noqa: ARG002 - where it was, not where it would be
        return self._path

    def edit(self, text: str | None, endpoint: Endpoint) -> str:  # noqa: ARG002 - that is not known
        raise Unreadable("its binder is not installed")


def _home_and_environ() -> tuple[Path, Mapping[str, str]]:
    try:
        settings = load_settings()
    except SettingsError:
        return home_of(os.environ), os.environ
    return settings.home, settings.environ


def _title(record: BindingRecord) -> str:
    try:
        return load_binder(record.binder).title if record.binder in offered_names("binder") else record.binder
    except PluginError:
        return record.binder


def _outcome(change: Change, title: str) -> str:
    if change.after is None:
        return f"{change.path} was removed: it did not exist before {title} was bound."
    if change.keeps_others:
        return f"Removed from {change.path} what bound {title}. Later changes stay."
    return f"{change.path} is restored to what it was before {title} was bound."


def _bound_elsewhere(paths: list[str]) -> list[str]:
    return [f"it is bound in {', '.join(paths)}: undo it there"] if paths else []
