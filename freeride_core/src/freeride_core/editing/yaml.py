"""YAML that is edited in place: every byte that is not replaced stays as its owner wrote it.

For binders of agents with YAML files. Reading a file and dumping it again would keep comments, yet change spacing, indents
and folded lines; so the parser only says where things stand, and new text is put there. The parser is ruamel.yaml, which a
binder that imports this module declares as its own dependency: nothing else in core needs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from freeride_core.binder import Unreadable

Value = str | bool | int | Sequence[str] | Mapping[str, str]

Within = str | tuple[str | int, ...] | None
"""None: the root; a key of the root: the mapping there; keys, and indexes of lists' items: the mapping to which they lead."""

_NodeStart = AliasEvent | ScalarEvent | SequenceStartEvent | MappingStartEvent

_BREAK = re.compile(r"\r\n|\n|\r")
_COLON = re.compile(r"[ \t]*:")
_COMMENT_LINE = re.compile(r"([ \t]*)(#[^\r\n]*)?(\r\n|\n|\r|\Z)")
_BLOCK_COMMENT = re.compile(r"[|>][-+0-9]*( +#[^\r\n]*)")
_DEEPEST = 100
_NULLS = frozenset({"", "~", "null"})
# Readers of YAML 1.1 and 1.2 alike must take an unquoted value for a string.
_PLAIN = re.compile(r"(?:[A-Za-z][\w./+-]*(?::[\w./+-]+)*|\d+\.\d+\.\d+)", re.ASCII)
_NOT_STRINGS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of the document. `end` leaves out what follows it on its last line, and the comments below."""

    kind: type[NodeEvent]
    start: int
    end: int
    column: int
    value: str = ""
    style: str = ""
    """Of scalars: a quote, `|`, `>`, or empty."""
    is_flow: bool = False
    is_marked: bool = False
    """Carries an anchor or a tag, which a replacement would lose."""
    pairs: tuple[tuple[_Node, _Node], ...] = ()
    items: tuple[_Node, ...] = ()


class YamlDocument:
    """One YAML document whose root is a mapping, or a list where `is_list` says so, or nothing yet. `text` is the document as
    edited so far.

    Every method raises `Unreadable`, with line and column, where it cannot do what it is asked for.
    """

    def __init__(self, text: str, *, is_list: bool = False) -> None:
        self.text = text
        self._is_list = is_list
        self._root = _read(text, is_list=is_list)

    def set(self, key: str, value: str | bool | int, *, within: Within = None) -> None:
        """Gives `key` of the root, of the mapping `within` a key of the root, or of an item `within` a list, this value. A
        quoted one stays quoted."""
        pair = self._pair(self._mapping(within), key)
        if pair is None:
            self.add(key, value, within=within)
            return
        node = pair[1]
        if _means(node, value):
            return
        if node.is_marked:
            self._refuse(node.start, f"`{key}` carries an anchor or a tag, which would be lost")
        if node.kind not in (ScalarEvent, AliasEvent):
            self._refuse(node.start, f"`{key}` holds more than one plain value")
        old = self.text[node.start : node.end]
        lead = "" if old else " "
        comment = _BLOCK_COMMENT.match(old) if node.style in ("|", ">") else None
        tail = (comment[1] if comment else "") + old[
            len(old.rstrip()) :
        ]  # and the line ends that belong to a block scalar
        quote = node.style if isinstance(value, str) else ""
        self._splice(node.start, node.end, lead + _write(value, quote) + tail)

    def add(self, key: str, value: Value, *, within: Within = None) -> None:
        """Like `set`, but leaves a `key` that is there as it is."""
        mapping = self._mapping(within)
        if self._pair(mapping, key) is not None:
            return
        line = f"{key}: {_write(value)}"
        if mapping is None:
            self._insert_lines(len(self.text), [line])
        elif mapping.is_flow:
            self._insert_flow(mapping, line)
        else:
            self._insert_lines(self._line_after(mapping, mapping.column), [" " * mapping.column + line])
        if self._pair(self._mapping(within), key) is None:
            self._refuse(mapping.start if mapping else 0, f"no way was found to add `{key}` here")

    def get(self, key: str, *, within: Within = None) -> str | None:
        """The text of `key`'s plain value, without quotes; None where it is not there, or is
        something else."""
        pair = self._pair(self._reach(within), key)
        return pair[1].value if pair and pair[1].kind is ScalarEvent else None

    def find(self, key: str | None, field: str, value: str) -> tuple[str | int, ...] | None:
        """Where the first item of the root's list `key`, or of the root that is a list, with this `field` stands, as `within`
        of `set` and `add`."""
        way = () if key is None else (key,)
        node = self._reach(way)
        for index, item in enumerate(node.items if node else ()):
            found = self._pair(item, field) if item.kind is MappingStartEvent else None
            if found and _means(found[1], value):
                return *way, index
        return None

    def append(self, key: str | None, item: Mapping[str, Value]) -> None:
        """Puts `item` at the end of the root's list `key`, which is made where it is missing or empty, or of the root that is
        a list."""
        lines = [f"{name}: {_write(value)}" for name, value in item.items()]
        inline = "{" + ", ".join(lines) + "}"
        if key is None:
            self._append_to(self._root, lines, inline)
            return
        pair = self._pair(self._root, key)
        if pair is None:
            self._add_list(key, lines, inline)
            return
        node = pair[1]
        is_null = node.kind is ScalarEvent and not node.style and node.value.lower() in _NULLS
        if node.is_marked or not (is_null or node.kind is SequenceStartEvent):
            self._refuse(node.start, f"`{key}` is not a list of its own")
        is_blank = is_null or (node.is_flow and not self.text[node.start + 1 : node.end - 1].strip(" \t"))
        if is_blank and self._root is not None and not self._root.is_flow:
            column = self._root.column
            indent = self._list_indent(self._root)
            after = self._line_after(node, column)
            keep_from = pair[0].end + len(self.text[pair[0].end : node.start].rstrip(" \t"))
            self._insert_lines(after, _item_lines(indent, 2, lines), instead_of=(keep_from, node.end))
        elif is_null:
            self._splice(node.start, node.end, f" [{inline}]")
        else:
            self._append_to(node, lines, inline)

    def merge(self, key: str, values: Mapping[str, str | bool | int]) -> None:
        """Sets `values` in the mapping at the root's `key`, which is made where it is missing, empty, or a plain value."""
        pair = self._pair(self._root, key)
        lines = [f"{name}: {_write(value)}" for name, value in values.items()]
        root, node = self._root, pair[1] if pair else None
        if node is not None and node.kind is MappingStartEvent and node.pairs:
            for name, value in values.items():
                self.set(name, value, within=key)
        elif root is None or node is None:
            if root is not None and root.is_flow:
                self._insert_flow(root, f"{key}: {{{', '.join(lines)}}}")
                return
            column = root.column if root else 0
            block = [" " * column + f"{key}:", *(" " * (column + 2) + line for line in lines)]
            self._insert_lines(self._line_after(root, column) if root else len(self.text), block)
        elif node.is_marked or node.kind not in (ScalarEvent, MappingStartEvent):
            self._refuse(node.start, f"`{key}` is not a mapping of its own")
        elif node.style in ("|", ">"):  # a plain value, which ends on its line, gives way more easily
            self.set(key, "")
            self.merge(key, values)
        elif root.is_flow:
            self._splice(node.start, node.end, f"{'' if node.end > node.start else ' '}{{{', '.join(lines)}}}")
        else:
            keep_from = pair[0].end + len(self.text[pair[0].end : node.start].rstrip(" \t")) if pair else node.start
            block = [" " * (root.column + 2) + line for line in lines]
            self._insert_lines(self._line_after(node, root.column), block, instead_of=(keep_from, node.end))

    def _append_to(self, node: _Node | None, lines: Sequence[str], inline: str) -> None:
        """Puts an item at the end of a list; without one, of the document that has nothing yet."""
        if node is None:
            self._insert_lines(len(self.text), _item_lines(0, 2, lines))
        elif node.is_flow:
            self._insert_flow(node, inline)
        else:
            first = node.items[0]
            offset = first.column - node.column if first.kind is MappingStartEvent and not first.is_flow else 2
            self._insert_lines(self._line_after(node, node.column), _item_lines(node.column, offset, lines))

    def _add_list(self, key: str, lines: Sequence[str], inline: str) -> None:
        root = self._root
        if root is not None and root.is_flow:
            self._insert_flow(root, f"{key}: [{inline}]")
            return
        column = root.column if root else 0
        block = [" " * column + f"{key}:", *_item_lines(self._list_indent(root), 2, lines)]
        self._insert_lines(self._line_after(root, column) if root else len(self.text), block)

    def _list_indent(self, root: _Node | None) -> int:
        """The column in which this document's lists begin."""
        for _, value in root.pairs if root else ():
            if value.kind is SequenceStartEvent and not value.is_flow and not value.is_marked:
                return value.column
        return 2 + (root.column if root else 0)

    def _mapping(self, within: Within) -> _Node | None:
        node = self._reach(within)
        if within is None:
            return node
        if node is None:
            raise KeyError(within)
        if node.kind is not MappingStartEvent:
            self._refuse(node.start, f"`{within if isinstance(within, str) else within[-1]}` holds no keys of its own")
        return node

    def _reach(self, within: Within) -> _Node | None:
        """What is there, of whatever kind; None where a key is missing."""
        node = self._root
        for step in (within,) if isinstance(within, str) else within or ():
            if isinstance(step, int):
                node = node.items[step] if node else None
            else:
                pair = self._pair(node, step)
                node = pair[1] if pair else None
        return node

    def _pair(self, mapping: _Node | None, key: str) -> tuple[_Node, _Node] | None:
        pairs = [pair for pair in mapping.pairs if pair[0].value == key] if mapping else []
        if len(pairs) > 1:
            self._refuse(pairs[1][0].start, f"`{key}` stands here for the second time")
        for name, value in pairs:
            if value.start == value.end and self.text[value.start - 1] != ":":
                self._refuse(name.start, f"`{key}` stands here without a colon")
        return pairs[0] if pairs else None

    def _insert_flow(self, node: _Node, piece: str) -> None:
        children = node.items or [value for _, value in node.pairs]
        if children:
            last = children[-1]
            self._splice(last.end, last.end, (", " if last.end > last.start else " , ") + piece)
        elif node.is_marked:
            self._refuse(node.start, "an empty collection with an anchor or a tag cannot be filled")
        else:
            self._splice(node.start + 1, node.start + 1, piece)

    def _line_after(self, node: _Node, column: int) -> int:
        """Where the next line of a block that `node` ends may begin: below the comments that belong to `node`."""
        last = node
        while last.pairs or last.items:
            last = last.items[-1] if last.items else last.pairs[-1][1]
        after = node.end
        if last.style not in ("|", ">") or last.end != node.end:
            line_end = _BREAK.search(self.text, node.end)
            after = line_end.end() if line_end else len(self.text)
        seen = after
        while seen < len(self.text) and (line := _COMMENT_LINE.match(self.text, seen)):
            seen = line.end()
            if line[2]:
                if len(line[1]) < max(column, 1):
                    break
                after = seen
        return after

    def _insert_lines(self, at: int, lines: Sequence[str], *, instead_of: tuple[int, int] | None = None) -> None:
        """Puts whole lines before what is at `at`, and takes away the text of `instead_of`, which stands before it."""
        breaks = _BREAK.findall(self.text[:at]) or _BREAK.findall(self.text)[:1] or ["\n"]
        eol = breaks[-1]
        is_line_start = self.text[:at].strip("\ufeff") == "" or self.text[at - 1] in "\r\n"
        block = eol.join(lines)
        block = block + eol if is_line_start else eol + block
        if instead_of is None:
            self._splice(at, at, block)
        else:
            start, end = instead_of
            self._splice(start, at, self.text[end:at] + block)

    def _splice(self, start: int, end: int, piece: str) -> None:
        text = self.text[:start] + piece + self.text[end:]
        try:
            self._root = _read(text, is_list=self._is_list)
        except Unreadable as error:
            raise Unreadable(f"{_place(self.text, start)}: cannot be edited safely ({error})") from error
        self.text = text

    def _refuse(self, index: int, reason: str) -> NoReturn:
        raise Unreadable(f"{_place(self.text, index)}: {reason}")


def _item_lines(indent: int, offset: int, lines: Sequence[str]) -> list[str]:
    first, *others = lines
    return [" " * indent + "-".ljust(offset) + first, *(" " * (indent + offset) + line for line in others)]


def _write(value: Value, quote: str = "") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_write(part)}" for name, part in value.items()) + "}"
    if not isinstance(value, str):
        return "[" + ", ".join(_write(item) for item in value) + "]"
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return value if quote != '"' and _is_plain(value) else json.dumps(value, ensure_ascii=False)


def _is_plain(value: str) -> bool:
    return _PLAIN.fullmatch(value) is not None and value.lower() not in _NOT_STRINGS


def _means(node: _Node, value: str | bool | int) -> bool:
    if node.kind is not ScalarEvent or node.is_marked:
        return False
    if not isinstance(value, str):
        return not node.style and node.value.lower() == _write(value)
    return node.value == value and (bool(node.style) or _is_plain(value))


def _place(text: str, index: int) -> str:
    before = text[:index]
    breaks = list(_BREAK.finditer(before))
    line_start = breaks[-1].end() if breaks else len(before) - len(before.lstrip("\ufeff"))
    return f"line {len(breaks) + 1}, column {index - line_start + 1}"


def _read(text: str, *, is_list: bool) -> _Node | None:
    """The root mapping or list; None where the document is empty."""
    try:
        events = iter(list(_events(text)))
        root: _Node | None = None
        for event in events:
            if isinstance(event, _NodeStart):
                root = _build(event, events, text)
            elif isinstance(event, DocumentStartEvent) and root is not None:
                raise Unreadable(f"{_place(text, event.start_mark.index)}: a second document begins here")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Unreadable(f"{where}{error.problem or error.context}") from None
    except (YAMLError, AssertionError) as error:  # a character that YAML forbids; a version that there is not
        raise Unreadable(f"{_place(text, getattr(error, 'position', 0))}: {getattr(error, 'reason', error)}") from None
    except (ValueError, RecursionError) as error:  # an escape beyond Unicode; thousands of open brackets
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"line 1, column 1: {error}") from None
    if root is None or (root.kind is ScalarEvent and not root.style and not root.value and not root.is_marked):
        return None
    if root.kind is not (SequenceStartEvent if is_list else MappingStartEvent):
        expected = "items are expected here, as in `- key: value`"
        if not is_list:
            expected = "keys and values are expected here, as in `key: value`"
        raise Unreadable(f"{_place(text, root.start)}: {expected}")
    return root


def _events(text: str) -> Iterator[Any]:
    """What the parser reports. With each level of depth it looks at more for every token, so there is a bound."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, SequenceStartEvent | MappingStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise Unreadable(f"{_place(text, event.start_mark.index)}: it is nested too deep")
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            depth -= 1
        yield event


def _build(event: _NodeStart, events: Iterator[Any], text: str) -> _Node:
    start, end = event.start_mark.index, event.end_mark.index
    column = event.start_mark.column
    if isinstance(event, AliasEvent):
        return _Node(AliasEvent, start, end, column)
    is_marked = event.anchor is not None or event.tag is not None
    if isinstance(event, ScalarEvent):
        return _Node(ScalarEvent, start, end, column, event.value, (event.style or "")[:1], False, is_marked)
    is_flow = bool(event.flow_style)
    children: list[_Node] = []
    for child in events:
        if isinstance(child, (MappingEndEvent, SequenceEndEvent)):
            end = child.end_mark.index if is_flow else max((node.end for node in children), default=end)
            break
        built = _build(child, events, text)
        is_value = isinstance(event, MappingStartEvent) and len(children) % 2 == 1
        children.append(_moved_to_colon(built, children[-1], text) if is_value else built)
    if isinstance(event, SequenceStartEvent):
        return _Node(
            SequenceStartEvent, start, end, column, is_flow=is_flow, is_marked=is_marked, items=tuple(children)
        )
    if is_marked and children and not is_flow:
        column = children[0].column  # the mark before it stands elsewhere
    pairs = tuple(zip(children[::2], children[1::2], strict=True))
    return _Node(MappingStartEvent, start, end, column, is_flow=is_flow, is_marked=is_marked, pairs=pairs)


def _moved_to_colon(node: _Node, key: _Node, text: str) -> _Node:
    """A value that is not written stands right behind its key's colon; the parser reports it further down."""
    is_unwritten = node.kind is ScalarEvent and not node.style and node.start == node.end and not node.is_marked
    colon = _COLON.match(text, key.end) if is_unwritten else None
    if colon is None:
        return node
    return _Node(ScalarEvent, colon.end(), colon.end(), node.column)
