"""Writes a binder's edit, and takes it back: the only file I/O for binders.

A file's bytes from before the first binding are kept under `backups/` in FreeRide's home. A record beside them says what was
written, and which members the bindings changed. So an undo restores the same bytes, and never loses later
changes.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from freeride_core.binder import Binder, Endpoint, Unreadable
from freeride_core.binding.change import Change, edited
from freeride_core.binding.files import BindingError, exists, read_file, resolve
from freeride_core.binding.members import MemberChange, changes_between, merge, parse_changes, take_back, write_changes
from freeride_core.binding.record import BindingRecord, parse_record, write_record
from freeride_core.editing import Document, open_document
from freeride_core.system.files import write_atomically

_PRIVATE = 0o600


class Backups:
    """The files that are bound now, and what they held before."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "backups"

    def records(self) -> list[BindingRecord]:
        """All bound files whose records can be read, in the order of their paths."""
        found: list[BindingRecord] = []
        for path in self.folder.glob("*.json"):
            with contextlib.suppress(BindingError, ValueError):
                found.append(parse_record(read_file(path) or b""))
        return sorted(found, key=lambda record: record.path)

    def record(self, path: Path) -> BindingRecord | None:
        """Return what is known of the file at `path`, or None if it is not bound."""
        return self._read_record(resolve(path))

    def bound_at(self, path: Path) -> float | None:
        """When the file at `path` was bound last, in seconds since the epoch, or None if it is not bound."""
        try:
            return self._record_path(resolve(path)).stat().st_mtime
        except OSError:
            return None

    def is_elsewhere(self, path: Path) -> bool:
        """Whether the file at `path` is as an agent's own command wrote it, which chose something else than a gateway."""
        record = self.record(path)
        if record is None or "://" in record.root:  # else it is a name, not an address
            return False
        content = read_file(resolve(path))
        return content is not None and _sha256(content) == record.after_sha256

    def backup_path(self, record: BindingRecord) -> Path | None:
        """Return where the bytes from before are kept, or None if there was no file."""
        return self.folder / record.backup if record.backup else None

    def apply(self, change: Change, binder: Binder, endpoint: Endpoint) -> BindingRecord:
        """Keeps the bytes from before, then writes the new ones. The file keeps its mode and owner.

        A new file is for its owner alone, as it holds a key.
        """
        if change.after is None:
            raise ValueError("a binding never removes a file")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        earlier = self._read_record(change.target)
        record = self._started(change, binder, endpoint)
        is_continued = earlier is not None and earlier.before_sha256 == record.before_sha256
        record = replace(record, root=endpoint.root, model=endpoint.model, after_sha256=_sha256(change.after))
        kept = {path: read_file(path) for path in (self._record_path(change.target), self._members_path(change.target))}
        # The record first: an interruption between the two writes leaves a record of a file that was not changed,
        # and an undo of that does nothing.
        self._write_members(change, binder, is_continued=is_continued)
        write_atomically(self._record_path(change.target), write_record(record), _PRIVATE)
        try:
            _write_change(change, _PRIVATE)
        except BindingError:
            for path, content in kept.items():
                _restore(path, content)
            if record.backup and (earlier is None or earlier.backup != record.backup):
                (self.folder / record.backup).unlink(missing_ok=True)
            raise
        return record

    def plan_undo(self, path: Path, *, force: bool) -> Change:
        """Return the change that restores the bytes from before the binding. If the file has changed since, it takes back the
        members that the binding wrote, and leaves the others. Raise `BindingError` if that cannot be done, unless `force`."""
        target = resolve(path)
        record = self._read_record(target)
        if record is None:
            raise BindingError(f"{path} is not bound; there is nothing to undo")
        kept_at = self.backup_path(record)
        kept = None if kept_at is None else read_file(kept_at)
        if kept_at is not None and (kept is None or _sha256(kept) != record.before_sha256):
            raise BindingError(f"the backup {kept_at} is missing or damaged; {path} stays as it is")
        change = Change(path=path, target=target, before=read_file(target), after=kept)
        if not change.is_needed or _is_ours(change, record) or force:
            return change
        taken_back, conflicts = self._take_back(change)
        if taken_back is not None:
            is_gone = kept_at is None and not taken_back.strip()
            return replace(change, after=None if is_gone else taken_back, keeps_others=True)
        instead = "removes it" if kept_at is None else f"puts back what it held before ({kept_at})"
        where = f", {' and '.join(f'`{each}`' for each in conflicts)} too" if conflicts else ""
        raise BindingError(f"{path} has changed since it was bound{where}; --force {instead} and keeps a copy")

    def undo(self, change: Change) -> Path | None:
        """Carries out what `plan_undo` gave, and forgets the binding.

        Return the path of a copy if later changes are replaced, or None. Folders that were made for the file are removed too.
        """
        record = self._read_record(change.target)
        if record is None:
            raise BindingError(f"{change.path} is not bound; there is nothing to undo")
        copy: Path | None = None
        if change.is_needed:
            if change.before is not None and not change.keeps_others and not _is_ours(change, record):
                copy = self.folder / f"{_label(change.target)}.{_sha256(change.before)[:12]}.replaced.bak"
                write_atomically(copy, change.before, _PRIVATE)
            _write_change(change, record.mode)
        if change.after is None:
            _remove_empty(record.folders)
        self._record_path(change.target).unlink()
        self._members_path(change.target).unlink(missing_ok=True)
        if (kept_at := self.backup_path(record)) is not None:
            kept_at.unlink(missing_ok=True)
        return copy

    def _write_members(self, change: Change, binder: Binder, *, is_continued: bool) -> None:
        """Keeps what the bindings have changed, member by member, where the format is known."""
        path = self._members_path(change.target)
        earlier = self._read_members(change.target) if is_continued else []
        before, after = (_opened(change.target, content) for content in (change.before or b"", change.after or b""))
        try:
            later = changes_between(before, after, binder.renewed) if before and after else None
        except Unreadable:
            later = None
        content = None if later is None or earlier is None else write_changes(merge(earlier, later))
        if content is None:
            path.unlink(missing_ok=True)
        else:
            write_atomically(path, content, _PRIVATE)

    def _read_members(self, target: Path) -> list[MemberChange] | None:
        """None if they are not known."""
        try:
            content = read_file(self._members_path(target))
            return None if content is None else parse_changes(content)
        except (BindingError, ValueError):
            return None

    def _take_back(self, change: Change) -> tuple[bytes | None, Sequence[str]]:
        """The file without what the bindings wrote; None if that cannot be told, with the members that others have changed too."""
        changes = self._read_members(change.target)
        document = None if change.before is None else _opened(change.target, change.before)
        if changes is None or document is None:
            return None, ()
        try:
            if conflicts := take_back(document, changes):
                return None, conflicts
            return (document.text.encode() if document.get([]) else b""), ()
        except (Unreadable, KeyError):
            return None, ()

    def _started(self, change: Change, binder: Binder, endpoint: Endpoint) -> BindingRecord:
        """The record that an undo goes back to: the first one while the file is bound, else a new one."""
        earlier = self._read_record(change.target)
        found = None if change.before is None else _sha256(change.before)
        if earlier is not None and found is not None and found != earlier.before_sha256:
            if found == earlier.after_sha256:
                return earlier
            if (
                edited(binder, change.before, replace(endpoint, root=earlier.root, model=earlier.model))
                == change.before
            ):
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
        content = read_file(path)
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

    def _members_path(self, target: Path) -> Path:
        return self.folder / f"{_label(target)}.members"


def _write_change(change: Change, mode_if_new: int) -> None:
    if read_file(change.target) != change.before:
        raise BindingError(
            f"{change.path} was changed by another program just now. Nothing was written; run the command again"
        )
    try:
        if change.after is None:
            change.target.unlink()
        else:
            change.target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(change.target, change.after, mode_if_new)
    except OSError as error:
        raise BindingError(f"{change.path} cannot be written: {error.strerror}") from None


def _opened(target: Path, content: bytes) -> Document | None:
    try:
        return open_document(target.name, content.decode())
    except (Unreadable, UnicodeDecodeError):
        return None


def _restore(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, content, _PRIVATE)


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
