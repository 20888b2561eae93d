"""Where an agent keeps its files, given the environment that it starts in."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from freeride_core.binder import Binder, Place
from freeride_core.binding.files import BindingError, exists
from freeride_core.system.programs import find_program


def paths_of(binder: Binder, scope: Place, home: Path, cwd: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """All files that `binder` may edit in `scope`, the usual one first, as an agent finds them that is started in `environ`."""
    if scope not in binder.scopes:
        raise BindingError(f"{binder.name} has no scope {scope.value!r}; it has: {', '.join(binder.scopes)}")
    paths = (binder.path(scope, home, cwd), *binder.other_paths(scope, home, cwd))
    return moved_paths(binder, paths, home, environ) if scope is Place.HOME else paths


def path_of(binder: Binder, scope: Place, home: Path, cwd: Path, environ: Mapping[str, str]) -> Path:
    """Return the one of them that the agent goes by: the first that is there, or the last where it merges them; else the usual
    one. Raise `BindingError` if that cannot be told."""
    paths = paths_of(binder, scope, home, cwd, environ)
    there = [path for path in paths if exists(path)] or [paths[0]]
    return there[-1] if binder.merges else there[0]


def check_retired(binder: Binder, scope: Place, path: Path, home: Path, cwd: Path, environ: Mapping[str, str]) -> None:
    """Raise `BindingError` if a new file at `path` would put an older one of the user's out of use."""
    if exists(path):
        return
    for older in moved_paths(binder, binder.retired_paths(scope, home, cwd), home, environ):
        if exists(older):
            raise BindingError(
                f"{binder.title} stops reading {older} once there is a {path.name}, with all that is set in it; nothing was "
                f"written. Move its settings to {path}, or rename it, then bind again"
            )


def is_installed(binder: Binder, home: Path, environ: Mapping[str, str]) -> bool:
    """Whether the agent seems to be on this machine: its program is on `PATH`, or its own folder is there."""
    if any(find_program(program, environ) for program in binder.programs):
        return True
    if not binder.scopes:
        return False
    try:
        path = paths_of(binder, binder.scopes[0], home, home, environ)[0]
    except BindingError:
        return False
    # Those of `os.path` say no where a folder may not be looked into.
    return os.path.exists(path) or (path.parent != home and os.path.isdir(path.parent))  # noqa: PTH110, PTH112


def moved_paths(binder: Binder, paths: tuple[Path, ...], home: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Those that the first of the agent's variables moves, where it moves them; all as they are where none is set."""
    for variable, place in binder.moved_by:
        if not (to := environ.get(variable)):
            continue
        if not Path(
            to
        ).is_absolute():  # the agent would start from its own folder, some read a tilde, some want neither
            raise BindingError(
                f"{variable} is set to {to!r}: write a whole path, so that it is the same file everywhere"
            )
        old = home / place
        if moved := tuple(Path(to) / path.relative_to(old) for path in paths if path.is_relative_to(old)):
            return moved
    return paths
