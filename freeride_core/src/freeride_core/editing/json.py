"""Editor for JSON, JSON with comments and JSON5.

Comments, order, quotes and trailing commas survive: the text is parsed for positions only, and new values, which are plain
JSON, are inserted there. It reads JSON5, which includes the other two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from freeride_core.binder import Unreadable
from freeride_core.editing.document import Document, Path, Value, dotted, is_collection
from freeride_core.editing.json_syntax import BREAK, NO_OBJECT, JsonNode, parse, place, skip_blank

_INDENT = re.compile(r"[ \t]*")
_REST_OF_LINE = re.compile(r"[ \t]*(?://[^\r\n]*)?(?:\r\n|\n|\r)")


class JsonDocument(Document):
    """One document whose root is an object or a list."""

    def __init__(self, text: str, *, is_plain: bool = False) -> None:
        """`is_plain`: the agent reads JSON alone, so a text with comments or trailing commas is `Unreadable`."""
        self._text = text
        self._root = parse(text)
        if is_plain and text.strip():
            try:
                json.loads(text)
            except ValueError as error:
                raise Unreadable(f"it is not plain JSON, which alone is read: {error}") from None

    @property
    def text(self) -> str:
        return self._text

    def set(self, path: Path, value: Value) -> None:
        self._reach(path)
        found = self._find(path)
        if found is None:
            self._insert(path, value)
        elif isinstance(value, Mapping) and found.kind == "object":
            for name, part in value.items():
                self.set([*path, name], part)
        elif found.value != value or type(found.value) is not type(value):
            is_plain = not is_collection(value)
            if found.kind != "null" and (found.kind in ("object", "array")) == is_plain:
                self._refuse(found, f"`{dotted(path)}` is not {'a plain value' if is_plain else 'a collection'}")
            quote = self._text[found.start] if found.kind == "string" else '"'
            self._splice(found.start, found.end, self._write(value, self._indent_at(found.start), quote))

    def append(self, path: Path, item: Value) -> None:
        if not path and self._root is None:
            self._begin("[]")
        found = self._find(path)
        if found is None or found.kind == "null":
            self.set(path, [item])
            return
        if found.kind != "array":
            self._refuse(found, f"`{dotted(path)}` is not a list" if path else "a list is expected here, as in [ ... ]")
        self._insert_into(found, None, item)

    def wrap(self, path: Path, name: str) -> None:
        """Replace the plain value at `path` by an object that holds that value, spelled as before, as its member `name`."""
        found = self._find(path)
        if found is None:
            raise KeyError(path)
        if found.kind in ("object", "array"):
            self._refuse(found, f"`{dotted(path)}` is not a plain value")
        indent = self._indent_at(found.start) if self._is_open(found) else None
        member = f"{json.dumps(name)}: {self._text[found.start : found.end]}"
        self._splice(found.start, found.end, self._bracketed("{", "}", [member], indent))

    def remove(self, path: Path) -> None:
        found, parent = self._find(path), self._find(path[:-1])
        if found is None or parent is None:
            return
        spans = [(part.start, part.end) for part in parent.members or parent.items]
        index = next(at for at, (_, end) in enumerate(spans) if end == found.end)
        start, end = spans[index]
        comma = skip_blank(self._text, end)
        has_comma = comma < parent.end - 1
        end = comma + 1 if has_comma else end
        rest = _REST_OF_LINE.match(self._text, end)
        if rest is not None and self._begins_line(start):
            start, end = self._line_start(start), rest.end()
        elif has_comma:
            end += len(self._indent_from(end))
        else:
            start = len(self._text[:start].rstrip(" \t"))
        text = self._text[:start] + self._text[end:]
        if index and not has_comma:  # the one before is the last one now
            before = skip_blank(text, spans[index - 1][1])
            text = text[:before] + text[before + 1 :]
        self._replace(text, start)

    def get(self, path: Path) -> object:
        found = self._find(path)
        return None if found is None else found.value

    def _find(self, path: Path) -> JsonNode | None:
        node = self._root
        for step in path:
            if node is None:
                return None
            if isinstance(step, int):
                node = node.items[step] if 0 <= step < len(node.items) else None
                continue
            members = [member for member in node.members if member.name == step]
            if len(members) > 1:
                raise Unreadable(f"{place(self._text, members[1].start)}: `{step}` is here for the second time")
            node = members[0].node if members else None
        return node

    def _reach(self, path: Path) -> None:
        """Makes sure that there are objects above what is at `path`."""
        if self._root is None:
            self._begin("{}")
        is_list = self._root is not None and self._root.kind == "array"
        if self._root is not None and is_list != bool(path and isinstance(path[0], int)):
            self._refuse(self._root, NO_OBJECT)
        for depth in range(1, len(path)):
            step, found = path[:depth], self._find(path[:depth])
            if found is None:
                self._insert(step, {})
            elif found.kind == "null":
                self._splice(found.start, found.end, "{}")
            elif found.kind != ("array" if isinstance(path[depth], int) else "object"):
                self._refuse(found, f"`{dotted(step)}` is not an object")

    def _begin(self, empty: str) -> None:
        """Puts a root into a document that has none."""
        gap = "" if not self._text.strip("\ufeff") or self._text[-1] in "\r\n" else self._eol(len(self._text))
        self._splice(len(self._text), len(self._text), f"{gap}{empty}{self._eol(len(self._text))}")

    def _insert(self, path: Path, value: Value) -> None:
        parent = self._find(path[:-1])
        if parent is None or isinstance(path[-1], int):
            raise KeyError(path)
        self._insert_into(parent, path[-1], value)

    def _insert_into(self, node: JsonNode, name: str | None, value: Value) -> None:
        """Puts a member, or without a name an item, at the end of an object or a list."""
        lead = "" if name is None else f"{json.dumps(name, ensure_ascii=False)}: "
        parts = [member.node for member in node.members] or list(node.items)
        starts = [member.start for member in node.members] or [item.start for item in node.items]
        last = parts[-1].end if parts else node.start + 1
        closing = node.end - 1
        comma = skip_blank(self._text, last)
        has_comma = bool(parts) and comma < closing
        after = comma + 1 if has_comma else last
        line_starts = [start for start in starts if self._begins_line(start)]
        if not (line_starts if parts else self._is_open(node)):
            piece = lead + self._write(value, None)
            if parts:
                piece = f" {piece}," if has_comma else f", {piece}"
            self._splice(after, after, piece)
            return
        outer = self._indent_at(node.start)
        indent = self._indent_at(line_starts[-1]) if parts else outer + self._unit()
        # Below the comments at the end: most often they are entries that are switched off.
        at = len(self._text[:closing].rstrip())
        eol = self._eol(closing)
        piece = eol + indent + lead + self._write(value, indent) + ("," if has_comma else "")
        if not parts and not BREAK.search(self._text, at, closing):
            piece += eol + outer
        text = self._text[:at] + piece + self._text[at:]
        if parts and not has_comma:
            text = text[:last] + "," + text[last:]
        self._replace(text, last)

    def _is_open(self, node: JsonNode) -> bool:
        """Whether what is put into a collection at this place gets lines of its own: where its neighbours have."""
        root = self._root or node
        return root is node or BREAK.search(self._text, root.start, node.end) is not None

    def _begins_line(self, index: int) -> bool:
        # Backwards over blanks alone: there may be thousands of members, and all of them on one line.
        while index > 0 and self._text[index - 1].isspace() and self._text[index - 1] not in "\r\n":
            index -= 1
        return index > 0 and self._text[index - 1] in "\r\n"

    def _line_start(self, index: int) -> int:
        return max(self._text.rfind("\n", 0, index), self._text.rfind("\r", 0, index)) + 1

    def _indent_at(self, index: int) -> str:
        return self._indent_from(self._line_start(index))

    def _indent_from(self, index: int) -> str:
        found = _INDENT.match(self._text, index)
        return found[0] if found else ""

    def _unit(self) -> str:
        """By what this document indents."""
        for member in self._root.members if self._root else ():
            if self._begins_line(member.start):
                return self._indent_at(member.start).removeprefix(
                    self._indent_at(self._root.start if self._root else 0)
                )
        return "  "

    def _eol(self, index: int) -> str:
        breaks = BREAK.findall(self._text, 0, index) or BREAK.findall(self._text)[:1] or ["\n"]
        return str(breaks[-1])

    def _write(self, value: Value, indent: str | None, quote: str = '"') -> str:
        """`value` as JSON; with an indent, objects and lists of objects get a line for each part."""
        if isinstance(value, Mapping):
            parts = [f"{json.dumps(name)}: {self._write(part, self._deeper(indent))}" for name, part in value.items()]
            return self._bracketed("{", "}", parts, indent)
        if isinstance(value, list | tuple):
            is_tall = any(isinstance(item, Mapping) for item in value)
            inner = indent if is_tall else None
            return self._bracketed("[", "]", [self._write(item, self._deeper(inner)) for item in value], inner)
        written = json.dumps(value, ensure_ascii=False)
        return f"'{written[1:-1]}'" if quote == "'" and not set("'\"\\") & set(written[1:-1]) else written

    def _deeper(self, indent: str | None) -> str | None:
        return None if indent is None else indent + self._unit()

    def _bracketed(self, opening: str, closing: str, parts: Sequence[str], indent: str | None) -> str:
        if indent is None or not parts:
            pad = " " if parts and opening == "{" else ""
            return f"{opening}{pad}{', '.join(parts)}{pad}{closing}"
        eol = self._eol(len(self._text))
        lines = f",{eol}".join(f"{self._deeper(indent)}{part}" for part in parts)
        return f"{opening}{eol}{lines}{eol}{indent}{closing}"

    def _splice(self, start: int, end: int, piece: str) -> None:
        self._replace(self._text[:start] + piece + self._text[end:], start)

    def _replace(self, text: str, near: int) -> None:
        try:
            self._root = parse(text)
        except Unreadable as error:
            raise Unreadable(f"{place(self._text, near)}: cannot be edited safely ({error})") from error
        self._text = text

    def _refuse(self, node: JsonNode, reason: str) -> NoReturn:
        raise Unreadable(f"{place(self._text, node.start)}: {reason}")
