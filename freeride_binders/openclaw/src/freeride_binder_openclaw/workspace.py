"""What a command finds: settings, `openclaw.json`, the user's keys at OpenRouter, and what is remembered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from freeride_binder_openclaw import OpenClawBinder
from freeride_binder_openclaw.memory import Memory
from freeride_binder_openclaw.openrouter import OpenRouter
from freeride_binder_openclaw.selection import DIRECT, Chooser, ChosenModels, read_selection
from freeride_core import Provider, Unreadable
from freeride_core.cli import AgentFile, Settings, WrittenFile, find_provider, load_settings, with_tilde

_VARIABLE = "OPENROUTER_API_KEY"


class Unusable(Exception):
    """The command cannot do its work. The text says what the user can do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """OpenRouter, with at least one key of the user's. The caller closes it."""

    openrouter: OpenRouter
    origin: str
    """Where they were found: a variable, or OpenClaw's configuration."""


@dataclass(frozen=True)
class Workspace:
    """As it was at one moment."""

    settings: Settings
    file: AgentFile
    selection: ChosenModels
    exists: bool
    memory: Memory

    @property
    def path(self) -> Path:
        return self.file.path

    @property
    def is_own_choice(self) -> bool:
        """Whether one of these commands chose what is asked first, which then was free."""
        record = self.file.record()
        return record is not None and record.root == DIRECT and record.model == self.selection.primary

    def find_keys(self, now: Callable[[], float] = time.time) -> Keys:
        """Return the key from the settings, else from OpenClaw's configuration. Raise `Unusable` if there is no key."""
        provider = _load_openrouter()
        theirs = self.selection.openrouter_key
        found = [Keys(OpenRouter(provider, self.settings, now), _VARIABLE)]
        if not found[0].openrouter.keys and theirs and not theirs.startswith("${"):
            settings = load_settings({**os.environ, _VARIABLE: theirs})
            found.append(Keys(OpenRouter(provider, settings, now), f"{self.path.name}: env.{_VARIABLE}"))
        for keys in found:
            if keys.openrouter.keys:
                return keys
            keys.openrouter.close()
        raise Unusable(
            f"there is no key of OpenRouter; make one at {provider.about.keys_url} and export {_VARIABLE}, "
            f"or put it into {with_tilde(self.settings.home / '.env')}"
        )

    def write(self, chooser: Chooser, *, dry_run: bool = False) -> WrittenFile:
        """Writes the choice, with a backup. Raises `Unreadable` or `BindingError`: the file stays as it is."""
        secrets = (self.selection.openrouter_key, self.settings.token, self.settings.environ.get(_VARIABLE))
        return self.file.write(chooser, chooser.endpoint, secrets=secrets, dry_run=dry_run)


def read_installed_workspace() -> Workspace:
    """The scene now, for a command that may change it. Raises `Unusable` if OpenClaw is not here, and one of `command_faults()`."""
    scene = read_workspace()
    if not scene.file.is_agent_installed():
        raise Unusable(
            f"OpenClaw is not installed here: there is no program `openclaw`, and no {with_tilde(scene.path.parent)}. "
            "To configure it all the same: freeride bind openclaw"
        )
    return scene


def read_workspace() -> Workspace:
    """The scene now. Raises one of `command_faults()`."""
    settings = load_settings()
    file = AgentFile(OpenClawBinder(), settings)
    text = file.read()
    try:
        selection = read_selection(text)
    except Unreadable as error:
        raise Unreadable(f"{file.path} stays as it is, because it cannot be read: {error}") from None
    return Workspace(settings, file, selection, text is not None, Memory(settings.home))


def _load_openrouter() -> Provider:
    provider = find_provider(DIRECT)
    if provider is None:
        raise Unusable(f"OpenRouter's package is missing; it comes with: pip install freeride-provider-{DIRECT}")
    return provider
