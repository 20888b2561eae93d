"""The files of agents, as bytes: what is read, and what keeps a file from being read or written."""

from __future__ import annotations

import stat
from pathlib import Path

_LONGEST = 1024 * 1024
"""Bytes of a configuration. Parsers take up to a minute for a megabyte."""


class BindingError(Exception):
    """The file stays as it is. The text is one line for people."""


def read_configuration(path: Path) -> bytes | None:
    """Return what an agent's file holds, or None if there is no file. Raise `BindingError` if it is not one that can be edited."""
    resolve(path)
    return read_file(path, _LONGEST)


def resolve(path: Path) -> Path:
    """Return the file itself, behind symbolic links. Raise `BindingError` if they lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise BindingError(f"{path} is a loop of symbolic links") from None


def exists(path: Path) -> bool:
    """Raise `BindingError` if it cannot be told."""
    try:
        return path.exists()
    except OSError as error:
        raise BindingError(f"{path} cannot be read: {error.strerror}") from None


def read_file(target: Path, longest: int | None = None) -> bytes | None:
    try:
        found = target.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BindingError(f"{target} is not a regular file")
        if longest is not None and found.st_size > longest:
            raise BindingError(f"{target} is larger than {longest // 1024} KiB, which no agent's configuration is")
        return target.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BindingError(f"{target} cannot be read: {error.strerror}") from None
