"""What a command finds: settings, `openclaw.json`, the user's keys at OpenRouter, and what is remembered."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from freeride_binder_openclaw import OpenClawBinder
from freeride_binder_openclaw.memory import Memory
from freeride_binder_openclaw.openrouter import OpenRouter
from freeride_binder_openclaw.selection import DIRECT, Chooser, ChosenModels, read_selection
from freeride_core import Unreadable
from freeride_core.binder import Place
from freeride_core.binding.agent_files import path_of
from freeride_core.binding.change import Backups, Change, plan_binding
from freeride_core.cli.terminal import with_tilde
from freeride_core.gateway.walk.enabled import EnabledProvider, enabled_providers
from freeride_core.plugins.discovery import load_provider, offered_names
from freeride_core.privacy.redaction import Redactor
from freeride_core.provider import Provider
from freeride_core.settings.resolver import Settings, load_settings

_VARIABLE = "OPENROUTER_API_KEY"


class Unusable(Exception):
    """The command cannot do its work. The text says what the user can do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The user's keys at OpenRouter."""

    member: EnabledProvider
    origin: str
    """Where they were found: a variable, or OpenClaw's configuration."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the configuration."""

    change: Change
    backup: Path | None
    diff: str
    """For people, without secrets."""


@dataclass(frozen=True)
class Workspace:
    """As it was at one moment."""

    settings: Settings
    path: Path
    selection: ChosenModels
    exists: bool
    memory: Memory

    @property
    def is_own_choice(self) -> bool:
        """Whether one of these commands chose what is asked first, which then was free."""
        record = Backups(self.settings.home).record(self.path)
        return record is not None and record.root == DIRECT and record.model == self.selection.primary

    def find_keys(self) -> Keys:
        """From the settings, else from OpenClaw's configuration, as ever. Raises `Unusable`: there is none."""
        provider = _load_openrouter()
        found = self._keys(provider, self.settings, _VARIABLE)
        theirs = self.selection.openrouter_key
        if found is None and theirs and not theirs.startswith("${"):
            environ = {**os.environ, _VARIABLE: theirs}
            found = self._keys(provider, load_settings(environ), f"{self.path.name}: env.{_VARIABLE}")
        if found is None:
            raise Unusable(
                f"there is no key of OpenRouter; make one at {provider.about.keys_url} and export {_VARIABLE}, "
                f"or put it into {with_tilde(self.settings.home / '.env')}"
            )
        return found

    def _keys(self, provider: Provider, settings: Settings, origin: str) -> Keys | None:
        # FREERIDE_PROVIDERS says whom the gateway asks; here nobody else is asked anyway.
        roster = enabled_providers(replace(settings, providers=None), {DIRECT: provider})
        return Keys(roster.members[0], origin, roster.warnings) if roster.members else None

    def open(self, keys: Keys, now: Callable[[], float]) -> OpenRouter:
        """OpenRouter, asked with these keys. The caller closes it."""
        return OpenRouter(keys.member, self.settings.connect_timeout, now)

    def write(self, chooser: Chooser, *, dry_run: bool = False) -> Written:
        """Writes the choice, with a backup. Raises `Unreadable` or `BindingError`: the file stays as it is."""
        backups = Backups(self.settings.home)
        change = plan_binding(chooser, chooser.endpoint, self.path)
        backup = None
        if change.is_needed and not dry_run:
            backup = backups.backup_path(backups.apply(change, chooser, chooser.endpoint))
        return Written(change, backup, self._redact(change.diff()))

    def _redact(self, text: str) -> str:
        known = (self.selection.openrouter_key, self.settings.token, self.settings.environ.get(_VARIABLE))
        return Redactor(secret for secret in known if secret)(text)


def read_workspace() -> Workspace:
    """The scene now. Raises `SettingsError`, `BindingError` or `Unreadable`."""
    settings = load_settings()
    path = path_of(OpenClawBinder(), Place.HOME, Path.home(), Path.home(), os.environ)
    try:
        text = path.read_bytes().decode() if path.exists() else None
        selection = read_selection(text)
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} stays as it is, because byte {error.start + 1} is not UTF-8") from None
    except Unreadable as error:
        raise Unreadable(f"{path} stays as it is, because it cannot be read: {error}") from None
    return Workspace(settings, path, selection, text is not None, Memory(settings.home))


@functools.cache
def _load_openrouter() -> Provider:
    if DIRECT not in offered_names("provider"):
        raise Unusable(f"OpenRouter's package is missing; it comes with: pip install freeride-provider-{DIRECT}")
    return load_provider(DIRECT)
