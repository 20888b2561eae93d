"""What starts a program of a plugin's own, and what may keep a command from its work."""

from __future__ import annotations

import sys


def prepare_program() -> None:
    """Make this process safe and its output printable. Call it before anything else is imported."""
    from freeride_core.system.programs import forget_working_folder

    forget_working_folder()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without a letter for `▶` shows `?`, and nothing fails
            stream.reconfigure(errors="replace")


def command_faults() -> tuple[type[Exception], ...]:
    """Return the exceptions that end a command with one line: they are no fault of the code."""
    from freeride_core.binder import Unreadable
    from freeride_core.binding.files import BindingError
    from freeride_core.plugins.discovery import PluginError
    from freeride_core.settings.resolver import SettingsError

    return (BindingError, OSError, PluginError, SettingsError, Unreadable)
