"""`freeride new`."""

from __future__ import annotations

import enum
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freeride_core.cli.terminal import fail, fault_of

if TYPE_CHECKING:
    from freeride_conformance.template import Package

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST = 40


class Kind(enum.StrEnum):
    """What can be written."""

    PROVIDER = "provider"
    BINDER = "binder"


def new(
    kind: Annotated[Kind, typer.Argument(help="What it will be.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The one string: lower-case letters, digits and underscores.")
    ],
    title: Annotated[str | None, typer.Option(metavar="TITLE", help="What people call it. Default: the name.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="FOLDER", help="Where to write it. Default: ./freeride-KIND-NAME.")
    ] = None,
    no_key: Annotated[
        bool, typer.Option("--no-key", help="A provider whose upstream wants no key, such as a server on this machine.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The list of files, as one JSON array on stdout.")] = False,
) -> None:
    """Write a complete plugin package that works as it is: a provider, or a binder of an agent."""
    from freeride_conformance.template import EXTRAS, Package, new_files

    if no_key and kind is not Kind.PROVIDER:
        fail("--no-key is for providers: a binder has no key of its own")
    package = Package(
        kind=kind.value,
        name=_checked_name(name),
        title=_checked_title(title or _title(name)),
        extras=EXTRAS[kind.value],
        keyless=no_key,
    )
    folder = folder or Path(package.distribution)
    files = new_files(package)
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            fail(f"{folder} exists and is not empty; nothing was written")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8", newline="\n")
    except OSError as error:
        fail(fault_of(error))
    if as_json:
        typer.echo(json.dumps([str(folder / path) for path in sorted(files)], indent=2))
        return
    typer.echo(f"{folder}/")
    typer.echo("\n".join(_tree(sorted(files))))
    typer.echo(_next_steps(package, folder))


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        fail(
            f"{name!r} cannot be a plugin's name: it begins with a lower-case letter, and has letters, digits and underscores"
        )
    if name.endswith("_") or len(name) > _LONGEST:
        fail(
            f"{name!r} cannot be part of a distribution's name: it must not end with '_', and has at most {_LONGEST} letters"
        )
    return name


def _checked_title(title: str) -> str:
    if not title.strip() or not title.isprintable() or set(title) & set('"\\`[]|<>') or len(title) > _LONGEST:
        fail(f'{title!r} cannot be a title: it is printable, has at most {_LONGEST} letters, and none of "\\`[]|<>')
    return title.strip()


def _title(name: str) -> str:
    return " ".join(word.capitalize() for word in name.split("_") if word)


def _tree(paths: Iterable[str], indent: str = "  ") -> list[str]:
    """One line a file, and one for each folder above it."""
    lines: list[str] = []
    shown: set[str] = set()
    for path in paths:
        *folders, file = path.split("/")
        for depth in range(len(folders)):
            folder = "/".join(folders[: depth + 1])
            if folder not in shown:
                shown.add(folder)
                lines.append(f"{indent * (depth + 1)}{folders[depth]}/")
        lines.append(f"{indent * (len(folders) + 1)}{file}")
    return lines


def _next_steps(package: Package, folder: Path) -> str:
    what = "an upstream" if package.kind == "provider" else "an agent"
    return f"""
It works as it is, for {what} that does not exist. Next:

  cd {shlex.quote(str(folder))}
  python -m pip install --editable .
  freeride certify {package.name}

Then make it true, place by place: grep -rn EDIT src"""
