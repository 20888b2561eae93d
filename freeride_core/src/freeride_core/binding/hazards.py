"""What a user is told before a file is written: that it is protected, has another name, or goes where a token should not."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from freeride_core.binder import Binder, Endpoint
from freeride_core.binding.change import Change
from freeride_core.binding.files import BindingError


def check_writable(change: Change) -> None:
    """Raise `BindingError` if the file is read-only: replacing it would pass that over."""
    if not change.is_needed:
        return
    try:
        mode = change.target.stat().st_mode
    except OSError:
        return
    if not mode & stat.S_IWUSR:
        raise BindingError(
            f"{change.path} is read-only, so it stays as it is: chmod u+w {change.target}, then bind again"
        )


def hazards_of(change: Change, binder: Binder, endpoint: Endpoint) -> Iterator[str]:
    """What writing the change would do that cannot be seen in it. Only `--force` writes all the same."""
    if not change.is_needed:
        return
    try:
        names = change.target.stat().st_nlink
    except OSError:
        names = 1
    if names > 1 and os.name != "nt":
        yield f"{change.path} has another name (a hard link), which would keep the old content"
    has_token = endpoint.key != Endpoint("").key and endpoint.key.encode() in (change.after or b"")
    repository = _repository_of(change.target) if has_token else None
    if repository is not None:
        other = f"start it with `freeride run {binder.name}`, or " if binder.launch(endpoint) else ""
        yield (
            f"{change.path} is in the git repository {repository}, and a commit would take FREERIDE_TOKEN along: "
            f"{other}leave the file out with .gitignore"
        )


def _repository_of(target: Path) -> Path | None:
    return next((folder for folder in target.parents if (folder / ".git").exists()), None)
