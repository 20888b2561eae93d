"""What several commands print in the same words."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from freeride_core.system.plain_text import printable, printable_lines

if TYPE_CHECKING:
    from freeride_core.provider import Provider

NO_PROVIDER = "no usable provider is installed; the usual ones come with: pip install freeride-gateway"


def complain(line: str) -> None:
    """Tells people on stderr, where data on stdout is not disturbed."""
    tell(f"freeride: {line}")


def tell(line: str) -> None:
    """The same without the program's name in front."""
    typer.echo(printable_lines(line), err=True)


def show(text: str, *, ends: bool = True) -> None:
    """Writes text for people on stdout, with a line feed after it if it `ends` there. Nothing in it steers the terminal."""
    typer.echo(printable_lines(text), nl=ends)


def fail(line: str) -> NoReturn:
    """Tells people why the command cannot go on, and ends it."""
    complain(line)
    raise typer.Exit(1)


def fault_of(error: OSError) -> str:
    """What is wrong, in a few words, and with which file where that is known."""
    reason = str(error.strerror or type(error).__name__)
    return reason if error.filename is None else f"{error.filename}: {reason}"


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns on stdout. Upstreams choose some of these texts, so nothing in them steers the terminal."""
    lines = [list(titles), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def clock(moment: float, now: float) -> str:
    """Local time, with the date where it is not today; `moment` and `now` are seconds since the epoch."""
    local, today = time.localtime(moment), time.localtime(now)
    return time.strftime("%H:%M:%S" if local[:3] == today[:3] else "%Y-%m-%d %H:%M", local)


def where_to_get_keys(installed: Iterable[Provider], home: Path) -> str:
    """What to do without a key: a line for each provider, with the page and the variables, or with the address where it wants no
    key."""
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
    lines = ["there is no key of any provider; a free one is made in a minute:", *keyed] if keyed else []
    if keyless:
        lines += ["no key is wanted here, only the address:" if keyed else "no provider was asked for:", *keyless]
    file = with_tilde(home / ".env")
    lines.append(f"Set it with `freeride init`, export it, or put it into {file}. Without any key: freeride demo")
    return "\n".join(lines)


def with_tilde(path: Path) -> str:
    """The path, short where it is below the user's folder."""
    with contextlib.suppress(ValueError, RuntimeError):  # it is elsewhere, or the user has none
        return str("~" / path.relative_to(Path.home()))
    return str(path)
