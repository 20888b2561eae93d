"""The option `--scope`: where a configuration is, in the words of people."""

from __future__ import annotations

import contextlib
import enum
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from freeride_core.binder import Binder, Endpoint, Place

if TYPE_CHECKING:
    from freeride_core.binding.backups import Backups
    from freeride_core.binding.precedence import Detour


class ScopeOption(enum.StrEnum):
    """Whose configuration is edited, as people say it."""

    HOME = "home"
    CWD = "cwd"
    GIT = "git"

    @property
    def scope(self) -> Place:
        """A project's configuration is in the folder, or in the root of the repository that this is in."""
        return Place.HOME if self is ScopeOption.HOME else Place.PROJECT

    def path(self, binder: Binder) -> Path:
        """Return the file to edit there. Raise `BindingError` if `binder` has none there, or which it is cannot be known."""
        from freeride_core.binding.agent_files import path_of

        return path_of(binder, self.scope, Path.home(), self._folder(binder), os.environ)

    def paths(self, binder: Binder) -> tuple[Path, ...]:
        """Return all files that may be edited there, the usual one first. Raise `BindingError` if `binder` has none there."""
        return self._paths(binder, os.environ)

    def _paths(self, binder: Binder, environ: Mapping[str, str]) -> tuple[Path, ...]:
        from freeride_core.binding.agent_files import paths_of

        return paths_of(binder, self.scope, Path.home(), self._folder(binder), environ)

    def bound_path(self, binder: Binder, backups: Backups) -> Path:
        """Return the file that is bound there, or the file to edit if none is bound.

        It may be where the agent's file was before a variable of the agent was set."""
        from freeride_core.binding.files import BindingError

        damage: BindingError | None = None
        paths: dict[Path, None] = {}
        for environ in (dict(os.environ), {}):
            with contextlib.suppress(BindingError):  # raised below if nothing is bound
                paths |= dict.fromkeys(self._paths(binder, environ))
        for path in paths:
            try:
                if backups.record(path) is not None:
                    return path
            except BindingError as error:
                damage = damage or error
        if damage is not None:
            raise damage
        return self.path(binder)

    def check(self, binder: Binder, path: Path) -> None:
        """Raise `BindingError` if a project's file is not the user's own, or not the project's."""
        from freeride_core.binding.project import check_project

        if self is not ScopeOption.HOME:
            check_project(self._folder(binder), path)

    def check_retired(self, binder: Binder, path: Path) -> None:
        """Raise `BindingError` if a new file would put an older one of the user's out of use."""
        from freeride_core.binding.agent_files import check_retired

        check_retired(binder, self.scope, path, Path.home(), self._folder(binder), os.environ)

    def detours(self, binder: Binder, endpoint: Endpoint, path: Path, text: str) -> list[Detour]:
        """Return what sends requests past the gateway although `path` holds `text`."""
        from freeride_core.binding.precedence import find_detours

        folders = project_folders() if self is ScopeOption.HOME else [self._folder(binder)]
        return find_detours(
            binder, endpoint, self.scope, path, text, home=Path.home(), folders=folders, environ=os.environ
        )

    def endpoint(self, binder: Binder, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint as it is written there. Raise `BindingError` if that would put a token into a project."""
        from freeride_core.binding.project import reference_to_token

        return endpoint if self is ScopeOption.HOME else reference_to_token(binder, endpoint)

    def _folder(self, binder: Binder) -> Path:
        from freeride_core.binding.files import BindingError

        if self not in scope_options(binder):
            raise BindingError(f"{binder.name} has no scope {self.value!r}; it has: {', '.join(scope_options(binder))}")
        if self is ScopeOption.HOME:
            return Path.home()  # the folder in which the command runs plays no part, and may be gone
        cwd = working_folder()
        if cwd is None:
            raise BindingError("the current folder does not exist any more; change to another one")
        folder = git_root(cwd) if self is ScopeOption.GIT else cwd
        if folder is None:
            raise BindingError(f"{cwd} is in no git repository")
        return folder


def scope_options(binder: Binder) -> list[ScopeOption]:
    """Those in which `binder` has a file, its default first."""
    return [place for scope in binder.scopes for place in ScopeOption if place.scope is scope]


def default_scope(binder: Binder) -> ScopeOption:
    """Return where `binder` writes if nothing else is asked for. Raise `BindingError` if its agent has no file."""
    from freeride_core.binding.files import BindingError

    options = scope_options(binder)
    if not options:
        raise BindingError(
            f"{binder.title} keeps no such settings in a file; start it with: freeride run {binder.name}"
        )
    return options[0]


def scope_options_from_here(binder: Binder) -> list[ScopeOption]:
    """Those that are files of their own from the folder that the user is in."""
    cwd = working_folder()
    if cwd is None:
        return [place for place in scope_options(binder) if place is ScopeOption.HOME]
    root = git_root(cwd)
    return [place for place in scope_options(binder) if place is not ScopeOption.GIT or root not in (None, cwd)]


def working_folder() -> Path | None:
    """Return the folder that the user is in, or None if it does not exist any more."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def project_folders() -> list[Path]:
    """The folder that the user is in and the root of its repository: agents that start here read what is there."""
    cwd = working_folder()
    folders = [] if cwd is None else [cwd, git_root(cwd)]
    return [folder for folder in dict.fromkeys(folders) if folder is not None and folder != Path.home()]


def git_root(cwd: Path) -> Path | None:
    """The root of the repository that `cwd` is in."""
    return next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), None)
