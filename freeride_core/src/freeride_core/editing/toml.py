"""TOML that is edited in place: what is not replaced stays as its owner wrote it, and a comment above a table stays with that.

For binders of agents with TOML files. The editor is tomlkit, which a binder that imports this module declares as its own
dependency: nothing else in core needs it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Comment, Null, Table

from freeride_core.binder import Unreadable

Value: TypeAlias = "str | int | Mapping[str, Value]"

_Place = tuple[Container, int]
"""An item of a container's body."""


class TomlDocument:
    """One TOML document, or nothing yet. `document` is tomlkit's, to be edited; `text` is what that makes.

    Raises `Unreadable` where it is no TOML, or cannot be edited without moving what its owner wrote.
    """

    def __init__(self, text: str) -> None:
        self._given = text
        self._is_dos = "\r\n" in text and text.count("\n") == text.count("\r\n")
        plain = text.replace("\r\n", "\n") if self._is_dos else text
        # With an end to its last line, behind which something may be put.
        self._plain = plain if not plain or plain.endswith("\n") else f"{plain}\n"
        try:
            self.document = tomlkit.parse(self._plain)
        except (TOMLKitError, ValueError) as error:
            raise Unreadable(str(error)) from None
        self._comments = [(table, _detach(places)) for table, places in _headers(self.document)]
        if self._dump() != self._plain:  # tomlkit gathers the tables of a list
            raise Unreadable("lists of tables with other tables between them cannot be edited without moving lines")

    @property
    def text(self) -> str:
        """The document as edited so far. Raises `Unreadable` where tomlkit has written something else than was meant."""
        edited = self._dump()
        if edited == self._plain:
            return self._given
        try:
            is_meant = _shape(tomllib.loads(edited)) == _shape(self.document.unwrap())
        except ValueError:
            is_meant = False
        if not is_meant:  # it puts a table's header above the root's own keys where those have dots
            raise Unreadable("cannot be edited safely: what is new would change the meaning of what is there")
        return edited.replace("\n", "\r\n") if self._is_dos else edited

    def set(self, table: MutableMapping[str, Any], values: Mapping[str, Value]) -> None:
        """Gives the members of `table`, which is the document or a part of it, these values. What has its value already stays as
        it is written; a mapping is set member by member."""
        for name, value in values.items():
            if isinstance(value, Mapping):
                inner = table.get(name)
                if inner is None:
                    table[name] = inner = tomlkit.inline_table()
                if not isinstance(inner, MutableMapping):
                    raise Unreadable(f"`{name}` is not a table")
                self.set(inner, value)
            elif table.get(name) != value:
                table[name] = value

    def _dump(self) -> str:
        """With each comment above its table, where nothing new can come between them."""
        indents = [table.trivia.indent for table, _ in self._comments]
        for table, comments in self._comments:
            own = table.trivia.indent.lstrip("\n")  # before that: blank lines, which tomlkit puts between tables
            table.trivia.indent = table.trivia.indent.removesuffix(own) + comments + own
        try:
            return tomlkit.dumps(self.document)
        finally:
            for (table, _), indent in zip(self._comments, indents, strict=True):
                table.trivia.indent = indent


def _headers(container: Container, above: list[_Place] | None = None) -> Iterator[tuple[Table, list[_Place]]]:
    """Every table that has a header, and the comments right above that: for tomlkit they are the end of what stands before."""
    above = [] if above is None else above
    for at, (key, item) in enumerate(container.body):
        if isinstance(item, Comment):
            above.append((container, at))
        elif isinstance(item, AoT | Table) and not (key is not None and key.is_dotted()):
            for table in item.body if isinstance(item, AoT) else [item]:
                if not table.is_super_table():
                    yield table, list(above)
                    above.clear()
                yield from _headers(table.value, above)
        else:
            above.clear()


def _shape(value: Mapping[str, Any]) -> str:
    """The same for what means the same, be it `nan`, which equals nothing."""
    return json.dumps(value, sort_keys=True, default=str)


def _detach(places: list[_Place]) -> str:
    comments = "".join(container.body[at][1].as_string() for container, at in places)
    for container, at in places:
        container.body[at] = (None, Null())
    return comments
