"""Positions of the parts of a YAML document, as ruamel.yaml's parser reports them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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
from freeride_core.editing.document import Value

NO_MAPPING = "keys and values are expected here, as in `key: value`"
NO_LIST = "items are expected here, as in `- key: value`"
BREAK = re.compile(r"\r\n|\n|\r")
_NodeStart = AliasEvent | ScalarEvent | SequenceStartEvent | MappingStartEvent
_COLON = re.compile(r"[ \t]*:")
_DEEPEST = 100
_NULLS = frozenset({"", "~", "null"})
_BOOLEANS = {"true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
# Readers of YAML 1.1 and 1.2 alike must take an unquoted value for a string.
_PLAIN = re.compile(r"(?:[A-Za-z][\w./+-]*(?::[\w./+-]+)*|\d+\.\d+\.\d+)", re.ASCII)
_NOT_STRINGS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})


@dataclass(frozen=True, slots=True)
class YamlNode:
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
    pairs: tuple[tuple[YamlNode, YamlNode], ...] = ()
    items: tuple[YamlNode, ...] = ()

    @property
    def is_mapping(self) -> bool:
        return self.kind is MappingStartEvent

    @property
    def is_list(self) -> bool:
        return self.kind is SequenceStartEvent

    @property
    def is_plain(self) -> bool:
        """Whether it is a scalar or an alias, which are replaced as a whole."""
        return self.kind is ScalarEvent or self.kind is AliasEvent

    @property
    def is_null(self) -> bool:
        is_bare = self.kind is ScalarEvent and not self.style and not self.is_marked
        return is_bare and self.value.lower() in _NULLS

    @property
    def is_block_scalar(self) -> bool:
        return self.style in ("|", ">")


def value_of(node: YamlNode | None) -> object:
    """Return the value as Python has it, by the rules of YAML 1.2; None for null and for an alias."""
    if node is None or node.is_null or node.kind is AliasEvent:
        return None
    if node.is_mapping:
        return {name.value: value_of(value) for name, value in node.pairs}
    if node.is_list:
        return [value_of(item) for item in node.items]
    if node.style or node.is_marked:
        return node.value
    if node.value.lower() in _BOOLEANS:
        return _BOOLEANS[node.value.lower()]
    if _INTEGER.fullmatch(node.value):
        return int(node.value)
    return float(node.value) if _FLOAT.fullmatch(node.value) else node.value


def write(value: Value, quote: str = "") -> str:
    """Return `value` on one line, quoted where a reader could take it for something else, or with this `quote`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{write_key(name)}: {write(part)}" for name, part in value.items()) + "}"
    if not isinstance(value, str):
        return "[" + ", ".join(write(item) for item in value) + "]"
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return value if quote != '"' and _is_plain_string(value) else json.dumps(value, ensure_ascii=False)


def write_key(name: str) -> str:
    """Return `name` as a key, quoted where that is necessary."""
    return (
        name
        if re.fullmatch(r"[A-Za-z_$][\w./-]*", name, re.ASCII) and name.lower() not in _NOT_STRINGS
        else write(name)
    )


def means(node: YamlNode, value: str | float | None) -> bool:
    """Return whether `node` already says `value` to every reader."""
    if node.kind is not ScalarEvent or node.is_marked:
        return False
    if not isinstance(value, str):
        return not node.style and node.value.lower() == write(value)
    return node.value == value and (bool(node.style) or _is_plain_string(value))


def _is_plain_string(value: str) -> bool:
    return _PLAIN.fullmatch(value) is not None and value.lower() not in _NOT_STRINGS


def place(text: str, index: int) -> str:
    """Return `line 3, column 7`."""
    before = text[:index]
    breaks = list(BREAK.finditer(before))
    line_start = breaks[-1].end() if breaks else len(before) - len(before.lstrip("\ufeff"))
    return f"line {len(breaks) + 1}, column {index - line_start + 1}"


def parse(text: str) -> YamlNode | None:
    """Return the root mapping or list, or None if the document is empty. Raise `Unreadable` with line and column."""
    try:
        events = iter(list(_events(text)))
        root: YamlNode | None = None
        for event in events:
            if isinstance(event, _NodeStart):
                root = _build(event, events, text)
            elif isinstance(event, DocumentStartEvent) and root is not None:
                raise Unreadable(f"{place(text, event.start_mark.index)}: a second document begins here")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Unreadable(f"{where}{error.problem or error.context}") from None
    except (YAMLError, AssertionError) as error:  # a character that YAML forbids; a version that there is not
        raise Unreadable(f"{place(text, getattr(error, 'position', 0))}: {getattr(error, 'reason', error)}") from None
    except (ValueError, RecursionError) as error:  # an escape beyond Unicode; thousands of open brackets
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"line 1, column 1: {error}") from None
    if root is None or (root.kind is ScalarEvent and not root.style and not root.value and not root.is_marked):
        return None
    if not (root.is_mapping or root.is_list):
        raise Unreadable(f"{place(text, root.start)}: {NO_MAPPING}")
    return root


def _events(text: str) -> Iterator[Any]:
    """What the parser reports. With each level of depth it looks at more for every token, so there is a bound."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, SequenceStartEvent | MappingStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise Unreadable(f"{place(text, event.start_mark.index)}: it is nested too deep")
        elif isinstance(event, SequenceEndEvent | MappingEndEvent):
            depth -= 1
        yield event


def _build(event: _NodeStart, events: Iterator[Any], text: str) -> YamlNode:
    start, end = event.start_mark.index, event.end_mark.index
    column = event.start_mark.column
    if isinstance(event, AliasEvent):
        return YamlNode(AliasEvent, start, end, column)
    is_marked = event.anchor is not None or event.tag is not None
    if isinstance(event, ScalarEvent):
        return YamlNode(ScalarEvent, start, end, column, event.value, (event.style or "")[:1], False, is_marked)
    is_flow = bool(event.flow_style)
    children: list[YamlNode] = []
    for child in events:
        if isinstance(child, (MappingEndEvent, SequenceEndEvent)):
            end = child.end_mark.index if is_flow else max((node.end for node in children), default=end)
            break
        built = _build(child, events, text)
        is_value = isinstance(event, MappingStartEvent) and len(children) % 2 == 1
        children.append(_moved_to_colon(built, children[-1], text) if is_value else built)
    if isinstance(event, SequenceStartEvent):
        return YamlNode(
            SequenceStartEvent, start, end, column, is_flow=is_flow, is_marked=is_marked, items=tuple(children)
        )
    if is_marked and children and not is_flow:
        column = children[0].column  # the mark before it is in another column
    pairs = tuple(zip(children[::2], children[1::2], strict=True))
    return YamlNode(MappingStartEvent, start, end, column, is_flow=is_flow, is_marked=is_marked, pairs=pairs)


def _moved_to_colon(node: YamlNode, key: YamlNode, text: str) -> YamlNode:
    """Place a value that is not written right behind its key's colon; the parser reports it further down."""
    is_unwritten = node.kind is ScalarEvent and not node.style and node.start == node.end and not node.is_marked
    colon = _COLON.match(text, key.end) if is_unwritten else None
    if colon is None:
        return node
    return YamlNode(ScalarEvent, colon.end(), colon.end(), node.column)
