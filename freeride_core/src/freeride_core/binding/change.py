"""What a binder's edit makes of the file that it names, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from freeride_core.binder import Binder, Endpoint, Unreadable
from freeride_core.binding.files import BindingError, read_configuration, resolve
from freeride_core.binding.masked_diff import show_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one file will hold instead of what it holds. None stands for no file."""

    path: Path
    """As the binder names it."""
    target: Path
    """The file itself, behind symbolic links."""
    before: bytes | None
    after: bytes | None
    keeps_others: bool = False
    """Of an undo: what others have changed since stays."""

    @property
    def is_needed(self) -> bool:
        return self.before != self.after

    def diff(self) -> str:
        """The unified diff for people: what looks like a secret is masked, so it does not apply as a patch."""
        return show_difference(self.before, self.after, str(self.path))


def plan_binding(binder: Binder, endpoint: Endpoint, path: Path) -> Change:
    """What `binder` makes of the file at `path`. `Unreadable` or `BindingError` where it can make nothing of it."""
    target = resolve(path)
    before = read_configuration(path)
    return Change(path=path, target=target, before=before, after=edited(binder, before, endpoint))


def is_bound(binder: Binder, endpoint: Endpoint, path: Path) -> bool:
    """Whether the file at `path` already says what a binding would write."""
    before = read_configuration(path)
    return before is not None and edited(binder, before, endpoint) == before


def edited(binder: Binder, before: bytes | None, endpoint: Endpoint) -> bytes:
    try:
        text = None if before is None else before.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start + 1} is not UTF-8") from None
    try:
        return binder.edit(text, endpoint).encode()
    except Unreadable:
        raise
    except Exception as fault:  # whatever a plugin does; its text might quote the file
        raise BindingError(f"the binder {binder.name!r} failed with {type(fault).__name__}") from fault
