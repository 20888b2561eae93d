"""docs/commands.md: every command of the `freeride` that is installed here, by its own help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from freeride_core.cli.group import ALIASES, BUILT_IN, ELSEWHERE, HELP_SETTINGS, CommandGroup, freeride
from page_parts import WRITTEN

if TYPE_CHECKING:
    from typer._click import Command

_WIDTH = 100


def commands() -> Iterator[tuple[str, Command]]:
    """All of them, with their words: `bind`, `new provider`. A group comes before what is in it."""
    context = freeride.make_context("freeride", [], resilient_parsing=True)
    assert isinstance(freeride, TyperGroup)
    for name in freeride.list_commands(context):
        command = freeride.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, TyperGroup):
            yield from ((f"{name} {word}", member) for word, member in command.commands.items())


def command_page() -> str:
    """All of it, in Markdown."""
    parts = [f"{WRITTEN}# Commands\n"]
    also = {name: alias for alias, name in ALIASES.items()}
    also |= {f"{app} {name}": name for name, app in _older_names().items()}
    for words, command in commands():
        if words in _older_names():
            continue
        parts.append(f"## freeride {words}\n")
        first = words.partition(" ")[0]
        if first in ELSEWHERE:
            parts.append(f"Comes with `pip install {ELSEWHERE[first]}`.\n")
        if words in also:
            parts.append(f"Also: `freeride {also[words]}`.\n")
        parts.append(f"```text\n{_help(words, command)}\n```\n")
    return "\n".join(parts)


def command_rows() -> Iterator[tuple[str, ...]]:
    """For the README's table."""
    for words, command in commands():
        if " " not in words and words not in _older_names():
            summary = BUILT_IN[words][1] if words in BUILT_IN else command.get_short_help_str(limit=_WIDTH)
            origin = f" Comes with `{ELSEWHERE[words]}`." if words in ELSEWHERE else ""
            yield f"`freeride {words}`", summary + origin


def _older_names() -> dict[str, str]:
    """The older names of commands that are in an app now, each with the app."""
    assert isinstance(freeride, CommandGroup)
    return {name: app for app, names in freeride.older_names.items() for name in names}


def _help(words: str, command: Command) -> str:
    context: dict[str, Any] = {"info_name": f"freeride {words}", "terminal_width": _WIDTH, **HELP_SETTINGS}
    made = type(freeride.make_context("freeride", [], resilient_parsing=True))(command, **context)
    return "\n".join(line.rstrip() for line in command.get_help(made).splitlines())
