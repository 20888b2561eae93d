"""The configuration of one agent, read and written by a plugin's own command under the rules of `freeride bind`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from freeride_core.binder import Binder, Endpoint, Place, Unreadable
from freeride_core.binding.agent_files import is_installed, path_of
from freeride_core.binding.backups import Backups
from freeride_core.binding.change import plan_binding
from freeride_core.binding.record import BindingRecord
from freeride_core.privacy.redaction import Redactor
from freeride_core.settings.resolver import Settings


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What became of the file."""

    path: Path
    is_changed: bool
    """In a dry run: it would be."""
    backup: Path | None
    diff: str
    """For people, without secrets."""


class AgentFile:
    """The file of the user's own that `binder` edits. `FREERIDE_HOME/backups` has what it held before, so that
    `freeride bind --undo` works."""

    def __init__(self, binder: Binder, settings: Settings) -> None:
        """Raises `BindingError` if a variable of the agent's leads nowhere."""
        self.path = path_of(binder, Place.HOME, Path.home(), Path.home(), os.environ)
        self._backups = Backups(settings.home)
        self._binder = binder

    def is_agent_installed(self) -> bool:
        """Return whether the agent's program is on `PATH`, or its own folder is there."""
        return is_installed(self._binder, Path.home(), os.environ)

    def read(self) -> str | None:
        """Return its text, or None if there is no file. Raise `Unreadable`."""
        try:
            return self.path.read_bytes().decode() if self.path.exists() else None
        except UnicodeDecodeError as error:
            raise Unreadable(f"{self.path} stays as it is, because byte {error.start + 1} is not UTF-8") from None

    def record(self) -> BindingRecord | None:
        """Return what is known of its last binding, or None if it is not bound."""
        return self._backups.record(self.path)

    def write(
        self, binder: Binder, endpoint: Endpoint, *, secrets: Iterable[str | None] = (), dry_run: bool = False
    ) -> WrittenFile:
        """Write what `binder` makes of it, with a backup. `secrets` are not shown. Raise `Unreadable` or `BindingError`: the file
        stays as it is."""
        change = plan_binding(binder, endpoint, self.path)
        backup = None
        if change.is_needed and not dry_run:
            backup = self._backups.backup_path(self._backups.apply(change, binder, endpoint))
        redact = Redactor(secret for secret in secrets if secret)
        return WrittenFile(self.path, change.is_needed, backup, redact(change.diff()))
