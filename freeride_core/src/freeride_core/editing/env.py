"""Editor for files of variables: `NAME=value`, a line each, with comments."""

from __future__ import annotations

import re

from freeride_core.binder import Unreadable
from freeride_core.editing.document import Document, Path, Value, dotted

_LINE = re.compile(
    r"(?:[ \t]*+(?:export[ \t]++)?(?P<name>[A-Za-z_]\w*+)[ \t]*+=[ \t]*+"
    r"(?P<value>(?:[^ \t#\r\n]++|\r(?!\n)|[ \t]++(?!#|\r?\n|\Z))*+))?[ \t]*+(?:#.*)?(?:\r?\n)?"
)
"""A variable, a comment, or nothing."""


class EnvDocument(Document):
    """One file of variables. A path is one name; if a name is there twice, the last one counts."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)
        self._places = _places(self._lines)

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def get(self, path: Path) -> object:
        values = {name: self._value(name) for name in self._places}
        return values if not path else values.get(_name(path))

    def set(self, path: Path, value: Value) -> None:
        name, text = _name(path), str(value)
        if name in self._places:
            at = self._places[name]
            start, stop = _parsed(self._lines, at).span("value")
            self._lines[at] = self._lines[at][:start] + text + self._lines[at][stop:]
            return
        end = "\r\n" if self._lines and self._lines[0].endswith("\r\n") else "\n"
        if self._lines and not self._lines[-1].endswith("\n"):
            self._lines[-1] += end
        self._places[name] = len(self._lines)
        self._lines.append(f"{name}={text}{end}")

    def append(self, path: Path, item: Value) -> None:  # noqa: ARG002 - there are no lists
        raise Unreadable(f"`{dotted(path)}` is a variable, not a list")

    def remove(self, path: Path) -> None:
        gone = {at for at in range(len(self._lines)) if _parsed(self._lines, at)["name"] == _name(path)}
        self._lines = [line for at, line in enumerate(self._lines) if at not in gone]
        self._places = _places(self._lines)

    def _value(self, name: str) -> str:
        return _parsed(self._lines, self._places[name])["value"].strip("\"'")


def _places(lines: list[str]) -> dict[str, int]:
    return {found["name"]: at for at in range(len(lines)) if (found := _parsed(lines, at))["name"]}


def _parsed(lines: list[str], at: int) -> re.Match[str]:
    """A line, with the name and the value of its variable if it has one."""
    found = _LINE.fullmatch(lines[at])
    if found is None:
        raise Unreadable(f"line {at + 1}: neither NAME=VALUE nor a comment")
    return found


def _name(path: Path) -> str:
    if len(path) != 1:
        raise Unreadable(f"`{dotted(path)}` is not the name of one variable")
    return str(path[0])
