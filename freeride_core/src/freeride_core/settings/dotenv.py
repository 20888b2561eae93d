"""Changes variables in `.env`, and nothing else in it: comments, order, line ends and what cannot be read stay."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

from freeride_core.settings.home import SettingsError
from freeride_core.system.files import write_atomically

_PRIVATE = 0o600
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")
"""What needs no quotes."""
_ASSIGNMENT = re.compile(
    r"""(?P<lead>\s*+(?:export[^\S\r\n]++)?['"]?[^=\s'"]++['"]?[^\S\r\n]*+=[^\S\r\n]*+)
        (?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|(?:\S++|[^\S\r\n]++(?![\#\r\n]|\Z))*+)
        (?P<comment>[^\S\r\n]++\#[^\r\n]*)?[^\S\r\n]*+
        (?P<end>\r\n|\n|\r)?""",
    re.VERBOSE,
)


def set_variables(path: Path, values: Mapping[str, str]) -> None:
    """Write the values into the file, and make it readable by its owner only. A new name is added at the end.

    If a name is there several times, the last one counts and is replaced. Raise `SettingsError` if the file cannot be
    changed."""
    try:
        target = path.resolve()
        try:
            before = target.read_bytes().decode("utf-8")
            target.chmod(_PRIVATE)  # first: what is about to take its place has the same mode from its creation
        except FileNotFoundError:
            before = ""
        after = with_variables(before, values)
        if after != before:
            write_atomically(target, after.encode(), _PRIVATE)
    except (OSError, ValueError) as error:
        is_encoding = isinstance(error, UnicodeDecodeError)
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8" if is_encoding else str(error)
        # Without the cause, which would show bytes of it.
        raise SettingsError(str(path), "a file that can be changed", str(reason)) from None


def with_variables(text: str, values: Mapping[str, str]) -> str:
    """The text of a `.env` in which each of these variables has its value. ValueError: something in it, such as a quote without
    its other half, would swallow what is written."""
    from dotenv.parser import parse_stream  # costs some 20 ms

    mark = "\ufeff" if text.startswith("\ufeff") else ""
    bindings = list(parse_stream(io.StringIO(text.removeprefix(mark), newline="")))
    pieces = [binding.original.string for binding in bindings]
    places = {binding.key: index for index, binding in enumerate(bindings) if binding.key and not binding.error}
    line_end = "\r\n" if "\r\n" in text else "\n"
    for name, value in values.items():
        if name in places:
            pieces[places[name]] = _replaced(pieces[places[name]], name, value)
        else:
            if pieces and not pieces[-1].endswith(("\n", "\r")):
                pieces[-1] += line_end
            pieces.append(f"{name}={_quoted(value)}{line_end}")
    changed = "".join(pieces)
    found = {binding.key: binding.value for binding in parse_stream(io.StringIO(changed, newline=""))}
    if any(found.get(name) != value for name, value in values.items()):
        broken = next((binding.original.line for binding in bindings if binding.error), 1)
        raise ValueError(f"mend line {broken} first, which is no NAME=value")
    return mark + changed


def _replaced(assignment: str, name: str, value: str) -> str:
    found = _ASSIGNMENT.fullmatch(assignment)
    if found is None:  # a name without `=`
        bare = assignment.strip()
        return assignment.replace(bare, f"{name}={_quoted(value)}", 1)
    return f"{found['lead']}{_quoted(value)}{found['comment'] or ''}{found['end'] or ''}"


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
