"""Editor for TOML, on tomlkit. A comment right above a table stays with that table."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, Comment, InlineTable, Null, Table

from freeride_core.binder import Unreadable
from freeride_core.editing.document import Document, Path, Value, dotted, is_collection

_Place = tuple[Container, int]
"""An item of a container's body."""


class TomlDocument(Document):
    """One document. Raises `Unreadable` also where tomlkit would move what its owner wrote."""

    def __init__(self, text: str) -> None:
        self._given = text
        self._is_dos = "\r\n" in text and text.count("\n") == text.count("\r\n")
        plain = text.replace("\r\n", "\n") if self._is_dos else text
        # With an end to its last line, behind which something may be put.
        self._plain = plain if not plain or plain.endswith("\n") else f"{plain}\n"
        try:
            self._document = tomlkit.parse(self._plain)
        except (TOMLKitError, ValueError) as error:
            raise Unreadable(str(error)) from None
        self._has_removed = False
        self._comments = [(table, _detach(places)) for table, places in _headers(self._document)]
        if self._dump() != self._plain:  # tomlkit gathers the tables of a list
            raise Unreadable("lists of tables with other tables between them cannot be edited without moving lines")

    @property
    def text(self) -> str:
        """Raises `Unreadable` where tomlkit has written something else than was meant."""
        edited = self._dump()
        if edited == self._plain:
            return self._given
        try:
            is_meant = _shape(tomllib.loads(edited)) == _shape(self._document.unwrap())
        except ValueError:
            is_meant = False
        if not is_meant:  # it puts a table's header above the root's own keys where those have dots
            raise Unreadable("cannot be edited safely: what is new would change the meaning of what is there")
        if self._has_removed and not self._plain.endswith("\n\n\n"):  # the blank line above a table that was the last
            edited = edited.rstrip("\n") + "\n" if edited.strip() else ""
        return edited.replace("\n", "\r\n") if self._is_dos else edited

    def get(self, path: Path) -> object:
        found = self._reach(path)
        return found.unwrap() if hasattr(found, "unwrap") else found

    def set(self, path: Path, value: Value) -> None:
        """Write a new mapping at `path` with a header, and each mapping in it on one line."""
        if not isinstance(value, Mapping):
            _set_member(self._make_table(path[:-1]), path, value)
            return
        is_new = self._reach(path) is None
        above = self._reach(path[:-1])
        # A table before others keeps its distance from them.
        is_before_others = is_new and isinstance(above, Table) and above.as_string().endswith("\n\n")
        table = self._make_table(path)
        _set_members(table, path, value)
        if is_before_others and isinstance(table, Table):
            table.add(tomlkit.nl())

    def append(self, path: Path, item: Value) -> None:
        parent, name = self._make_table(path[:-1]), str(path[-1])
        entries = parent.get(name)
        is_inline = isinstance(parent, InlineTable) or not isinstance(item, Mapping)
        text = tomlkit.dumps(self._document) if entries is None else ""
        needs_line = bool(text) and parent is self._document and not text.endswith("\n\n")
        if entries is None:
            parent[name] = tomlkit.array() if is_inline else tomlkit.aot()
            entries = parent[name]
        if isinstance(entries, Array) and not isinstance(item, Mapping):
            entries.append(_inline(item))
        elif isinstance(entries, AoT) and isinstance(item, Mapping):
            new = tomlkit.table()
            _set_members(new, path, item)
            if entries and entries[-1].as_string().endswith("\n\n"):
                new.add(tomlkit.nl())  # something follows
            elif entries or needs_line:
                new.trivia.indent = "\n"
            entries.append(new)
        else:
            kind = (
                f"list of tables, each below a `[[{dotted(path)}]]`"
                if isinstance(item, Mapping)
                else "list in one line"
            )
            raise Unreadable(f"`{dotted(path)}` is not a {kind}")

    def remove(self, path: Path) -> None:
        parent = self._reach(path[:-1])
        if self._reach(path) is None or not path:
            return
        self._has_removed = True
        del parent[path[-1]]  # type: ignore[attr-defined]  # what has something at a path is a table or a list
        is_bare = isinstance(parent, Table) and parent.is_super_table() and not parent
        if len(path) > 1 and (is_bare or (isinstance(parent, AoT) and not parent)):
            self.remove(path[:-1])  # without members it is not written

    def _reach(self, path: Path) -> object:
        """Return tomlkit's item there, or None if it is missing."""
        found: Any = self._document
        for step in path:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError, TOMLKitError):
                return None
        return found

    def _make_table(self, path: Path) -> MutableMapping[str, Any]:
        """The table there, made where it is missing: the last one with a header, those above it without."""
        table: Any = self._document
        for depth, step in enumerate(path, start=1):
            found = self._reach(path[:depth])
            if found is None and isinstance(step, str):
                is_inline = isinstance(table, InlineTable)
                table[step] = tomlkit.inline_table() if is_inline else tomlkit.table(is_super_table=depth < len(path))
                found = table[step]
            if not isinstance(found, MutableMapping | AoT | Array):
                raise Unreadable(f"`{dotted(path[:depth])}` is not a table")
            table = found
        if not isinstance(table, MutableMapping):
            raise Unreadable(f"`{dotted(path)}` is not a table")
        return table

    def _dump(self) -> str:
        """With each comment above its table, where nothing new can come between them."""
        indents = [table.trivia.indent for table, _ in self._comments]
        for table, comments in self._comments:
            own = table.trivia.indent.lstrip("\n")  # before that: blank lines, which tomlkit puts between tables
            table.trivia.indent = table.trivia.indent.removesuffix(own) + comments + own
        try:
            return tomlkit.dumps(self._document)
        finally:
            for (table, _), indent in zip(self._comments, indents, strict=True):
                table.trivia.indent = indent


def _set_members(table: MutableMapping[str, Any], path: Path, values: Mapping[str, Value]) -> None:
    for name, value in values.items():
        member = (*path, name)
        if not isinstance(value, Mapping):
            _set_member(table, member, value)
            continue
        inner = table.get(name)
        if inner is None:
            table[name] = inner = tomlkit.inline_table()
        if not isinstance(inner, MutableMapping):
            raise Unreadable(f"`{dotted(member)}` is not a table")
        _set_members(inner, member, value)


def _set_member(table: MutableMapping[str, Any], path: Path, value: Value) -> None:
    name = str(path[-1])
    found = table.get(name)
    if found == value and isinstance(found, bool) == isinstance(value, bool):
        return
    if found is not None and (isinstance(found, Mapping | list) != is_collection(value) or isinstance(found, Mapping)):
        raise Unreadable(f"`{dotted(path)}` is not {'a list' if is_collection(value) else 'a plain value'}")
    table[name] = _inline(value)


def _inline(value: Value) -> Any:
    """As tomlkit has it, on one line."""
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update({name: _inline(part) for name, part in value.items()})
        return table
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(_inline(item) for item in value)
        return array
    return tomlkit.item(value)


def _headers(container: Container, above: list[_Place] | None = None) -> Iterator[tuple[Table, list[_Place]]]:
    """Yield every table that has a header, and the comments right above it, which tomlkit takes for the end of the part before."""
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
    """Return the same for what means the same, also for `nan`, which equals nothing."""
    return json.dumps(value, sort_keys=True, default=str)


def _detach(places: list[_Place]) -> str:
    comments = "".join(container.body[at][1].as_string() for container, at in places)
    for container, at in places:
        container.body[at] = (None, Null())
    return comments
