"""Applies a binder's edit to the file it names, and takes it back: the only file I/O for binders.

A file's bytes from before the first binding are kept under `backups/` in FreeRide's home, each with a record beside it that
says what was written. So an undo gives back the same bytes, and never somebody else's later work.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from freeride_core.binder import SERVED, Binder, Endpoint, Unreadable
from freeride_core.binding.masked_diff import show_difference
from freeride_core.binding.record import BindingRecord, parse_record, write_record
from freeride_core.system.files import write_atomically

_PRIVATE = 0o600
_LONGEST = 1024 * 1024
"""Bytes of a configuration. Parsers take up to a minute for a megabyte."""


class BindingError(Exception):
    """The file stays as it is. The text is one line for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one file will hold instead of what it holds. None: there is no file."""

    path: Path
    """As the binder names it."""
    target: Path
    """The file itself, behind symbolic links."""
    before: bytes | None
    after: bytes | None

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
    return Change(path=path, target=target, before=before, after=_edit(binder, before, endpoint))


class Backups:
    """The files that are bound now, and what they held before."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "backups"

    def records(self) -> list[BindingRecord]:
        """All bound files whose records can be read, in the order of their paths."""
        found: list[BindingRecord] = []
        for path in self.folder.glob("*.json"):
            with contextlib.suppress(BindingError, ValueError):
                found.append(parse_record(_read(path) or b""))
        return sorted(found, key=lambda record: record.path)

    def record(self, path: Path) -> BindingRecord | None:
        """What is known of the file at `path`; None: it is not bound."""
        return self._read_record(resolve(path))

    def is_elsewhere(self, path: Path) -> bool:
        """Whether the file at `path` is as an agent's own command wrote it, which chose something else than a gateway."""
        record = self.record(path)
        if record is None or "://" in record.root:  # else a name stands where an address would
            return False
        content = _read(resolve(path))
        return content is not None and _sha256(content) == record.after_sha256

    def backup_path(self, record: BindingRecord) -> Path | None:
        """Where the bytes from before are kept; None: there was no file."""
        return self.folder / record.backup if record.backup else None

    def apply(self, change: Change, binder: Binder, endpoint: Endpoint) -> BindingRecord:
        """Keeps the bytes from before, then writes the new ones. The file keeps its mode and owner.

        A new file is for its owner alone, as it holds a key.
        """
        if change.after is None:
            raise ValueError("a binding never removes a file")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = self._started(change, binder, endpoint)
        record = replace(record, root=endpoint.root, model=endpoint.model, after_sha256=_sha256(change.after))
        # The record first: an interruption between the two writes leaves a record of a file that was not changed,
        # and an undo of that does nothing.
        write_atomically(self._record_path(change.target), write_record(record), _PRIVATE)
        _write_change(change, _PRIVATE)
        return record

    def plan_undo(self, path: Path, *, force: bool) -> Change:
        """What brings back the bytes from before. `BindingError` if somebody else changed the file since, unless `force`."""
        target = resolve(path)
        record = self._read_record(target)
        if record is None:
            raise BindingError(f"{path} is not bound; there is nothing to undo")
        kept_at = self.backup_path(record)
        kept = None if kept_at is None else _read(kept_at)
        if kept_at is not None and (kept is None or _sha256(kept) != record.before_sha256):
            raise BindingError(f"the backup {kept_at} is missing or damaged; {path} stays as it is")
        change = Change(path=path, target=target, before=_read(target), after=kept)
        if change.is_needed and not _is_ours(change, record) and not force:
            instead = "removes it" if kept_at is None else f"puts back what it held before ({kept_at})"
            raise BindingError(
                f"{path} was changed by somebody else since it was bound; --force {instead} and keeps a copy"
            )
        return change

    def undo(self, change: Change) -> Path | None:
        """Carries out what `plan_undo` gave, and forgets the binding.

        Gives the path of the copy where somebody else's work is replaced. Folders that were made for the file go with it.
        """
        record = self._read_record(change.target)
        if record is None:
            raise BindingError(f"{change.path} is not bound; there is nothing to undo")
        copy: Path | None = None
        if change.is_needed:
            if change.before is not None and not _is_ours(change, record):
                copy = self.folder / f"{_label(change.target)}.{_sha256(change.before)[:12]}.replaced.bak"
                write_atomically(copy, change.before, _PRIVATE)
            _write_change(change, record.mode)
        if change.after is None:
            _remove_empty(record.folders)
        self._record_path(change.target).unlink()
        if (kept_at := self.backup_path(record)) is not None:
            kept_at.unlink(missing_ok=True)
        return copy

    def _started(self, change: Change, binder: Binder, endpoint: Endpoint) -> BindingRecord:
        """The record that an undo goes back to: the first one while the file is bound, else a new one."""
        earlier = self._read_record(change.target)
        found = None if change.before is None else _sha256(change.before)
        if earlier is not None and found is not None and found != earlier.before_sha256:
            if found == earlier.after_sha256:
                return earlier
            if _edit(binder, change.before, replace(endpoint, root=earlier.root, model=earlier.model)) == change.before:
                return replace(earlier, is_mixed=True)
        backup = None
        if change.before is not None:
            backup = f"{_label(change.target)}.{_sha256(change.before)[:12]}.bak"
            write_atomically(self.folder / backup, change.before, _PRIVATE)
        return BindingRecord(
            binder=binder.name,
            path=str(change.path.absolute()),
            target=str(change.target),
            root=endpoint.root,
            model=endpoint.model,
            backup=backup,
            mode=_PRIVATE if change.before is None else stat.S_IMODE(change.target.stat().st_mode),
            before_sha256=found,
            after_sha256="",
            folders=(*_missing_folders(change.target), *(earlier.folders if earlier else ())),
        )

    def _read_record(self, target: Path) -> BindingRecord | None:
        path = self._record_path(target)
        content = _read(path)
        if content is None:
            return None
        try:
            return parse_record(content)
        except ValueError:
            raise BindingError(f"{path} is damaged; {self._instead(target)}, and remove that record") from None

    def _instead(self, target: Path) -> str:
        """What takes the place of an undo whose record is lost."""
        kept = [
            path for path in self.folder.glob(f"{glob.escape(_label(target))}.*.bak") if ".replaced." not in path.name
        ]
        if not kept:
            return f"there was no {target} before it was bound: remove what was added to it by hand"
        newest = max(kept, key=lambda path: path.stat().st_mtime)
        return f"to undo the binding by hand, copy {newest} to {target}"

    def _record_path(self, target: Path) -> Path:
        return self.folder / f"{_label(target)}.json"


def read_configuration(path: Path) -> bytes | None:
    """Return what an agent's file holds, or None if there is no file. Raise `BindingError` if it is not one that can be edited."""
    resolve(path)
    return _read(path, _LONGEST)


def is_bound(binder: Binder, endpoint: Endpoint, path: Path) -> bool:
    """Whether the file at `path` already says what a binding would write."""
    before = read_configuration(path)
    return before is not None and _edit(binder, before, endpoint) == before


def check_served(binder: Binder) -> None:
    """`BindingError` where the agent speaks a protocol that this gateway does not: bound, it would reach nobody."""
    if binder.needs not in SERVED:
        raise BindingError(
            f"{binder.title} speaks {binder.needs}, which this gateway does not serve yet "
            f"(it serves {', '.join(sorted(SERVED))})"
        )


def _edit(binder: Binder, before: bytes | None, endpoint: Endpoint) -> bytes:
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


def resolve(path: Path) -> Path:
    """Return the file itself, behind symbolic links. Raise `BindingError` if they lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise BindingError(f"{path} is a loop of symbolic links") from None


def exists(path: Path) -> bool:
    """`BindingError`: nobody can say."""
    try:
        return path.exists()
    except OSError as error:
        raise BindingError(f"{path} cannot be read: {error.strerror}") from None


def _read(target: Path, longest: int | None = None) -> bytes | None:
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


def _write_change(change: Change, mode_if_new: int) -> None:
    if _read(change.target) != change.before:
        raise BindingError(f"{change.path} was changed just now by somebody else; nothing was written")
    try:
        if change.after is None:
            change.target.unlink()
        else:
            change.target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(change.target, change.after, mode_if_new)
    except OSError as error:
        raise BindingError(f"{change.path} cannot be written: {error.strerror}") from None


def _is_ours(change: Change, record: BindingRecord) -> bool:
    """Whether what an undo replaces is what a binding wrote."""
    return change.before is not None and _sha256(change.before) == record.after_sha256 and not record.is_mixed


def _missing_folders(target: Path) -> list[str]:
    return [str(folder) for folder in target.parents if not exists(folder)]


def _remove_empty(folders: Iterable[str]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _label(target: Path) -> str:
    return f"{target.name.lstrip('.')}-{_sha256(os.fsencode(target))[:12]}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
