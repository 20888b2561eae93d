"""What several commands print in the same words."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import typer

from freeride_core.system.plain_text import printable_lines

if TYPE_CHECKING:
    from freeride_core.provider import Provider

_NARROWEST = 20
"""Columns that a wrapped line has at least behind its indentation."""
NO_PROVIDER = "no usable provider is installed; the usual ones come with: pip install freeride-gateway"


def complain(line: str) -> None:
    """Tells people on stderr, where data on stdout is not disturbed."""
    tell(f"freeride: {line}")


def tell(line: str) -> None:
    """The same without the program's name in front."""
    typer.echo(wrap(printable_lines(line), columns_of(sys.stderr)), err=True)


def show(text: str, *, ends: bool = True) -> None:
    """Writes text for people on stdout, with a line feed after it if it `ends` there. Nothing in it steers the terminal."""
    typer.echo(printable_lines(text), nl=ends)


def show_wrapped(text: str, hang: int = 0) -> None:
    """Write text on stdout as `show` does, broken between words at the terminal's width; `hang` indents further lines."""
    show(wrap(text, columns_of(sys.stdout), hang))


def columns_of(stream: TextIO) -> int | None:
    """Return how many columns the terminal has, or None if `stream` is not a terminal: a program wants whole lines."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def wrap(text: str, columns: int | None, hang: int = 0) -> str:
    """Return the text with its lines broken between words. A continuation is indented like its line, and by `hang` more.

    A URL or a path stays whole. Return the text unchanged if `columns` is None."""
    if columns is None:
        return text
    lines: list[str] = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip(" ")) + hang)
        lines += _broken(line, max(columns, len(indent) + _NARROWEST), indent) if len(line) > columns else [line]
    return "\n".join(lines)


def _broken(line: str, columns: int, indent: str) -> list[str]:
    import textwrap  # costs 2 ms, and few lines are long

    return textwrap.wrap(
        line,
        columns,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def fail(line: str) -> NoReturn:
    """Tells people why the command cannot go on, and ends it."""
    complain(line)
    raise typer.Exit(1)


def fault_of(error: OSError) -> str:
    """What is wrong, in a few words, and with which file where that is known."""
    reason = str(error.strerror or type(error).__name__)
    return reason if error.filename is None else f"{error.filename}: {reason}"


def clock(moment: float, now: float) -> str:
    """Local time, with the date where it is not today; `moment` and `now` are seconds since the epoch."""
    local, today = time.localtime(moment), time.localtime(now)
    return time.strftime("%H:%M:%S" if local[:3] == today[:3] else "%Y-%m-%d %H:%M", local)


def where_to_get_keys(installed: Iterable[Provider], home: Path) -> str:
    """Return what to do without a key: a line for each provider, with its page and its variables, or with its address if it
    needs no key."""
    from freeride_core.settings.resolver import base_url_variable

    providers = sorted(installed, key=lambda provider: (provider.rank, provider.name))
    if not providers:
        return NO_PROVIDER
    width = max(len(provider.about.title) for provider in providers)
    keyed: list[str] = []
    keyless: list[str] = []
    for provider in providers:
        title = f"  {provider.about.title:<{width}}  "
        for credential in provider.credentials[:1]:
            names = [credential.variable, *([credential.account_variable] if credential.account_variable else [])]
            keyed.append(f"{title}{provider.about.keys_url}  ->  {' and '.join(names)}")
        if not provider.credentials:
            keyless.append(f"{title}{base_url_variable(provider)}={provider.base_url}")
    lines = ["No API keys found. Create a free one with any of these providers:", *keyed] if keyed else []
    if keyless:
        lines += ["No key needed, just the server URL:" if keyed else "No provider is set up:", *keyless]
    file = with_tilde(home / ".env")
    lines.append(f"Save it with `freeride init`, export it, or add it to {file}. To try without a key: freeride demo")
    return "\n".join(lines)


def with_tilde(path: Path) -> str:
    """The path, short where it is below the user's folder."""
    with contextlib.suppress(ValueError, RuntimeError):  # it is elsewhere, or the user has none
        return str("~" / path.relative_to(Path.home()))
    return str(path)
