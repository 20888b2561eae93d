"""The programs that a command starts, and the interpreter that it runs in.

The folder that a user works in may be a stranger's: nothing in it is started or imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_PATHEXT = ".COM;.EXE;.BAT;.CMD"


def find_program(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the path of a program, or None if no absolute entry of `PATH` has it.

    An entry that is relative or empty names the working folder. On Windows, `shutil.which` looks there even without one.
    """
    for folder in _absolute(environ.get("PATH", os.defpath)):
        for each in _names(name, environ):
            path = Path(folder, each)
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
    return None


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this environment, without the working folder on `sys.path`."""
    return [sys.executable, "-P", "-m", module, *arguments]


def python_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for that command: without the entries of `PYTHONPATH` that name the working folder."""
    kept = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    folders = os.pathsep.join(_absolute(environ.get("PYTHONPATH", "")))
    return {**kept, "PYTHONPATH": folders} if folders else kept


def forget_working_folder() -> None:
    """Remove from `sys.path` what relative and empty entries of `PYTHONPATH` have put there.

    What was imported before stays imported.
    """
    entries = os.environ.get("PYTHONPATH", "")
    named = {os.path.abspath(entry) for entry in entries.split(os.pathsep)}  # noqa: PTH100 - as `site` makes them absolute
    wanted = {*_absolute(entries), str(Path(__file__).parents[2])}
    if entries:
        sys.path[:] = [entry for entry in sys.path if entry not in named or entry in wanted]


def _absolute(entries: str) -> list[str]:
    return [entry for entry in entries.split(os.pathsep) if Path(entry).is_absolute()]


def _names(name: str, environ: Mapping[str, str]) -> list[str]:
    """The names that a program's file may have."""
    if sys.platform == "win32":
        suffixes = [suffix.lower() for suffix in environ.get("PATHEXT", _PATHEXT).split(";") if suffix]
        if not name.lower().endswith(tuple(suffixes)):
            return [name + suffix for suffix in suffixes]
    return [name]
