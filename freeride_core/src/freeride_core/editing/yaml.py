"""Editor for YAML.

Reading a file and dumping it again would keep comments, yet change spacing, indents and folded lines. So the parser only
reports positions, and new text is inserted there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

from freeride_core.binder import Unreadable
from freeride_core.editing.document import Document, Path, Value, dotted
from freeride_core.editing.yaml_syntax import (
    BREAK,
    NO_LIST,
    NO_MAPPING,
    YamlNode,
    means,
    parse,
    place,
    value_of,
    write,
    write_key,
)

_COMMENT_LINE = re.compile(r"([ \t]*)(#[^\r\n]*)?(\r\n|\n|\r|\Z)")
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*")
_BLOCK_COMMENT = re.compile(r"[|>][-+0-9]*( +#[^\r\n]*)")


class YamlDocument(Document):
    """One document whose root is a mapping or a list."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._root = parse(text)

    @property
    def text(self) -> str:
        return self._text

    def get(self, path: Path) -> object:
        return value_of(self._reach(path))

    def set(self, path: Path, value: Value) -> None:
        node = self._reach(path)
        if not path and not (node is None or node.is_mapping):
            self._refuse(node.start, NO_MAPPING)
        if isinstance(value, Mapping) and (not path or (node is not None and node.is_mapping and node.pairs)):
            for name, part in value.items():
                self.set((*path, name), part)
        elif node is None:
            self._insert(path, value)
        elif isinstance(value, Mapping):
            self._fill(path, node, value)
        elif isinstance(value, str) or not isinstance(value, Sequence):
            self._set_plain(path, node, value)
        else:
            self._set_list(path, node, value)

    def append(self, path: Path, item: Value) -> None:
        node = self._reach(path)
        lines = _lines(item)
        if not path:
            if node is not None and not node.is_list:
                self._refuse(node.start, NO_LIST)
            self._append_to(node, lines, write(item))
            return
        parent = self._reach(path[:-1])
        if node is None:
            self._add_list(path, parent, lines, item)
            return
        if node.is_marked or not (node.is_null or node.is_list):
            self._refuse(node.start, f"`{dotted(path)}` is not a list of its own")
        is_blank = node.is_null or (node.is_flow and not self._text[node.start + 1 : node.end - 1].strip(" \t"))
        if is_blank and parent is not None and not parent.is_flow:
            self._put_below(path, parent, node, _item_lines(self._list_indent(parent), 2, lines))
        elif node.is_null:
            self._splice(node.start, node.end, f" [{write(item)}]")
        else:
            self._append_to(node, lines, write(item))

    def remove(self, path: Path) -> None:
        node, parent = self._reach(path), self._reach(path[:-1])
        if not path or node is None or parent is None:
            return
        pairs = parent.pairs or [(item, item) for item in parent.items]
        index = next(at for at, (_, value) in enumerate(pairs) if value is node)
        spans = [(first.start, last.end) for first, last in pairs]
        if parent.is_flow:
            start, end = spans[index]
            start = spans[index - 1][1] if index else start
            end = spans[1][0] if not index and spans[1:] else end
            self._splice(start, end, "")
        elif parent.is_list:
            self._remove_block(path, parent, index, [(self._dash(start), end) for start, end in spans])
        else:
            self._remove_block(path, parent, index, spans)

    def _remove_block(self, path: Path, parent: YamlNode, index: int, spans: Sequence[tuple[int, int]]) -> None:
        start, _ = spans[index]
        last = parent.pairs[index][1] if parent.pairs else parent.items[index]
        if len(spans) == 1 and len(path) > 1:
            self._empty(path[:-1], start, last, "{}" if parent.is_mapping else "[]")
            return
        line_start = max(self._text.rfind("\n", 0, start), self._text.rfind("\r", 0, start)) + 1
        if not self._text[line_start:start].strip(" \t\ufeff"):
            kept = len(self._text[line_start:start]) - len(self._text[line_start:start].lstrip("\ufeff"))
            end = self._end_of_lines(last)
            if index and _last_leaf((parent.items or [value for _, value in parent.pairs])[index - 1]).is_block_scalar:
                end = self._end_of_comments(end, start - line_start)
            self._splice(line_start + kept, end, "")
        elif index + 1 < len(spans):  # the first of an item, behind its dash
            self._splice(start, spans[index + 1][0], "")
        else:
            self._refuse(start, f"`{dotted(path)}` cannot be removed from its line")

    def _empty(self, path: Path, start: int, last: YamlNode, empty: str) -> None:
        """Takes away the only part of a block, and leaves an empty collection; comments above the part stay."""
        pair = self._named(path) if isinstance(path[-1], str) else None
        if pair is None:
            self._splice(start, last.end, empty)
            return
        colon = pair[0].end + len(self._text[pair[0].end : start].partition(":")[0]) + 1
        between = self._text[colon:start]
        kept = between[: max(between.rfind("\n"), between.rfind("\r")) + 1]
        self._splice(colon, self._end_of_lines(last), f" {empty}{kept}")

    def _dash(self, start: int) -> int:
        """Where the dash of the item is that begins at `start`."""
        dash = self._text.rfind("-", 0, start)
        if dash < 0 or self._text[dash + 1 : start].strip():
            self._refuse(start, "this item of a list cannot be told from its neighbours")
        return dash

    def _set_plain(self, path: Path, node: YamlNode, value: str | float | None) -> None:
        if means(node, value):
            return
        if node.is_marked:
            self._refuse(node.start, f"`{dotted(path)}` carries an anchor or a tag, which would be lost")
        if not node.is_plain:
            self._refuse(node.start, f"`{dotted(path)}` holds more than one plain value")
        old = self._text[node.start : node.end]
        lead = "" if old else " "
        comment = _BLOCK_COMMENT.match(old) if node.is_block_scalar else None
        # The line ends of a block scalar belong to it.
        tail = (comment[1] if comment else "") + old[len(old.rstrip()) :]
        self._splice(node.start, node.end, lead + write(value, node.style if isinstance(value, str) else "") + tail)

    def _set_list(self, path: Path, node: YamlNode, value: Value) -> None:
        if value_of(node) == value:
            return
        if node.is_marked or not (node.is_list or node.is_null):
            self._refuse(node.start, f"`{dotted(path)}` is not a list of its own")
        start = node.start
        if not node.is_flow and path and isinstance(path[-1], str) and (pair := self._named(path)):
            start = pair[0].end + 1
        self._splice(start, node.end, ("" if node.is_flow else " ") + write(value))

    def _insert(self, path: Path, value: Value) -> None:
        """Puts a new member into the mapping at `path[:-1]`, which is made where it is missing."""
        name = path[-1]
        if isinstance(name, int):
            raise KeyError(path)
        parent = self._reach(path[:-1])
        if len(path) > 1 and (parent is None or parent.is_null or (parent.is_mapping and not parent.pairs)):
            self.set(path[:-1], {name: value})
            return
        if parent is not None and not parent.is_mapping:
            self._refuse(parent.start, f"`{dotted(path[:-1])}` holds no keys of its own")
        if parent is None:
            self._insert_lines(len(self._text), _member_lines(name, value, 0))
        elif parent.is_flow:
            self._insert_flow(parent, f"{write_key(name)}: {write(value)}")
        else:
            self._insert_lines(self._line_after(parent, parent.column), _member_lines(name, value, parent.column))
        if self._reach(path) is None:
            self._refuse(parent.start if parent else 0, f"no way was found to add `{dotted(path)}` here")

    def _fill(self, path: Path, node: YamlNode, values: Mapping[str, Value]) -> None:
        """Puts a mapping where there is null or an empty mapping."""
        parent = self._reach(path[:-1])
        if node.is_marked or not (node.is_null or node.is_mapping):
            self._refuse(node.start, f"`{dotted(path)}` is not a mapping of its own")
        if not values:
            return
        if parent is None or parent.is_flow or not parent.is_mapping:
            self._splice(node.start, node.end, ("" if node.end > node.start else " ") + write(values))
            return
        indent = parent.column + 2
        lines = [line for name, part in values.items() for line in _member_lines(name, part, indent)]
        self._put_below(path, parent, node, lines)

    def _put_below(self, path: Path, parent: YamlNode, node: YamlNode, lines: Sequence[str]) -> None:
        """Puts lines below the key at the end of `path`, in the place of the blank `node` behind it."""
        pair = self._named(path)
        if pair is None:
            self._refuse(node.start, f"`{dotted(path)}` cannot be filled here")
        keep_from = pair[0].end + len(self._text[pair[0].end : node.start].rstrip(" \t"))
        self._insert_lines(self._line_after(node, parent.column), lines, instead_of=(keep_from, node.end))

    def _append_to(self, node: YamlNode | None, lines: Sequence[str], inline: str) -> None:
        """Puts an item at the end of a list; without one, of the document that has nothing yet."""
        if node is None:
            self._insert_lines(len(self._text), _item_lines(0, 2, lines))
        elif node.is_flow:
            self._insert_flow(node, inline)
        else:
            first = node.items[0]
            offset = first.column - node.column if first.is_mapping and not first.is_flow else 2
            self._insert_lines(self._line_after(node, node.column), _item_lines(node.column, offset, lines))

    def _add_list(self, path: Path, parent: YamlNode | None, lines: Sequence[str], item: Value) -> None:
        is_block = parent is not None and parent.is_mapping and parent.pairs and not parent.is_flow
        if isinstance(path[-1], int) or not (is_block or (parent is None and len(path) == 1)):
            self._insert(path, [item])
            return
        column = parent.column if parent else 0
        block = [" " * column + f"{write_key(path[-1])}:", *_item_lines(self._list_indent(parent), 2, lines)]
        self._insert_lines(self._line_after(parent, column) if parent else len(self._text), block)

    def _list_indent(self, parent: YamlNode | None) -> int:
        """The column in which lists in this mapping begin: where its others do."""
        for _, value in parent.pairs if parent else ():
            if value.is_list and not value.is_flow and not value.is_marked:
                return value.column
        return 2 + (parent.column if parent else 0)

    def _named(self, path: Path) -> tuple[YamlNode, YamlNode] | None:
        return self._pair(self._reach(path[:-1]), str(path[-1]))

    def _reach(self, path: Path) -> YamlNode | None:
        """What is there, of whatever kind; None where a key or an item is missing."""
        node = self._root
        for step in path:
            if isinstance(step, int):
                items = node.items if node else ()
                node = items[step] if 0 <= step < len(items) else None
            else:
                pair = self._pair(node, step)
                node = pair[1] if pair else None
        return node

    def _pair(self, mapping: YamlNode | None, key: str) -> tuple[YamlNode, YamlNode] | None:
        pairs = [pair for pair in mapping.pairs if pair[0].value == key] if mapping else []
        if len(pairs) > 1:
            self._refuse(pairs[1][0].start, f"`{key}` is here for the second time")
        for name, value in pairs:
            if value.start == value.end and self._text[value.start - 1] != ":":
                self._refuse(name.start, f"`{key}` is here without a colon")
        return pairs[0] if pairs else None

    def _insert_flow(self, node: YamlNode, piece: str) -> None:
        children = node.items or [value for _, value in node.pairs]
        if children:
            last = children[-1]
            self._splice(last.end, last.end, (", " if last.end > last.start else " , ") + piece)
        elif node.is_marked:
            self._refuse(node.start, "an empty collection with an anchor or a tag cannot be filled")
        else:
            self._splice(node.start + 1, node.start + 1, piece)

    def _end_of_lines(self, node: YamlNode) -> int:
        """Where the line begins that follows the last one of `node`."""
        last = _last_leaf(node)
        if last.is_block_scalar and last.end == node.end:
            return node.end
        line_end = BREAK.search(self._text, node.end)
        return line_end.end() if line_end else len(self._text)

    def _end_of_comments(self, at: int, column: int) -> int:
        """Where the comments end that are indented deeper than `column`: they would become text of a block scalar above them."""
        seen = at
        while seen < len(self._text) and (line := _COMMENT_LINE.match(self._text, seen)):
            seen = line.end()
            if line[2]:
                if len(line[1]) <= column:
                    break
                at = seen
        return at

    def _line_after(self, node: YamlNode, column: int) -> int:
        """Where the next line of a block that `node` ends may begin: below the comments that belong to `node`."""
        after = seen = self._end_of_lines(node)
        while seen < len(self._text) and (line := _COMMENT_LINE.match(self._text, seen)):
            seen = line.end()
            if line[2]:
                if len(line[1]) < max(column, 1):
                    break
                after = seen
        return after

    def _insert_lines(self, at: int, lines: Sequence[str], *, instead_of: tuple[int, int] | None = None) -> None:
        """Put whole lines before what is at `at`, and remove the text of `instead_of`, which is before it."""
        breaks = BREAK.findall(self._text[:at]) or BREAK.findall(self._text)[:1] or ["\n"]
        eol = breaks[-1]
        is_line_start = self._text[:at].strip("\ufeff") == "" or self._text[at - 1] in "\r\n"
        if not is_line_start:
            at += self._keep_last_end()
        block = eol.join(lines)
        block = block + eol if is_line_start else eol + block
        if instead_of is None:
            self._splice(at, at, block)
        else:
            start, end = instead_of
            self._splice(start, at, self._text[end:at] + block)

    def _keep_last_end(self) -> int:
        """A block scalar that the text ends in, without a line end, keeps its value when a line follows. Gives by how much the text
        is longer then."""
        last = self._root
        while last is not None and (last.pairs or last.items):
            last = last.items[-1] if last.items else last.pairs[-1][1]
        if last is None or not last.is_block_scalar or last.end < len(self._text) or last.value.endswith("\n"):
            return 0
        header = _BLOCK_HEADER.match(self._text, last.start)
        if header is None or "-" in header[0] or not last.value:
            return 0
        before = len(self._text)
        self._splice(*header.span(), header[0].replace("+", "") + "-")
        return len(self._text) - before

    def _splice(self, start: int, end: int, piece: str) -> None:
        text = self._text[:start] + piece + self._text[end:]
        try:
            self._root = parse(text)
        except Unreadable as error:
            raise Unreadable(f"{place(self._text, start)}: cannot be edited safely ({error})") from error
        self._text = text

    def _refuse(self, index: int, reason: str) -> NoReturn:
        raise Unreadable(f"{place(self._text, index)}: {reason}")


def _last_leaf(node: YamlNode) -> YamlNode:
    while node.pairs or node.items:
        node = node.items[-1] if node.items else node.pairs[-1][1]
    return node


def _lines(item: Value) -> list[str]:
    """Return what is written behind an item's dash: a line for each member."""
    if isinstance(item, Mapping) and item:
        return [f"{write_key(name)}: {write(part)}" for name, part in item.items()]
    return [write(item)]


def _item_lines(indent: int, offset: int, lines: Sequence[str]) -> list[str]:
    first, *others = lines
    return [" " * indent + "-".ljust(offset) + first, *(" " * (indent + offset) + line for line in others)]


def _member_lines(name: str, value: Value, indent: int) -> list[str]:
    """A member of a block: a mapping gets a line for each of its own."""
    head = " " * indent + f"{write_key(name)}:"
    if not isinstance(value, Mapping) or not value:
        return [f"{head} {write(value)}"]
    return [head, *(line for each, part in value.items() for line in _member_lines(each, part, indent + 2))]
