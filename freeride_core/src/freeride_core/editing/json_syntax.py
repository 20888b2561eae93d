"""The positions of the parts of a JSON5 document, which the JSON editor works by."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeVar

from freeride_core.binder import Unreadable

Kind = Literal["object", "array", "string", "number", "bool", "null"]

NO_OBJECT = "an object is expected here, as in { ... }"
BREAK = re.compile(r"\r\n|\n|\r")
_BLANK = re.compile(r"(?:[\s\ufeff]|//[^\n\r\u2028\u2029]*+|/\*.*?\*/)*+", re.DOTALL)
_STRING = re.compile(
    r'"(?:[^"\\\n\r]|\\(?:\r\n|.))*+"' + r"|'(?:[^'\\\n\r]|\\(?:\r\n|.))*+'",
    re.DOTALL,
)
_NAME = re.compile(r"(?:[^\W\d]|[$_]|\\u[0-9a-fA-F]{4})(?:[\w$\u200c\u200d]|\\u[0-9a-fA-F]{4})*")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|Infinity|NaN)"
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r\n|.)", re.DOTALL)
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_WORDS: dict[str, tuple[Kind, bool | None]] = {"true": ("bool", True), "false": ("bool", False), "null": ("null", None)}


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A value from its first character to behind its last."""

    kind: Kind
    start: int
    end: int
    value: object
    members: tuple[JsonMember, ...] = ()
    items: tuple[JsonNode, ...] = ()


@dataclass(frozen=True, slots=True)
class JsonMember:
    """A name, where it begins, and its value."""

    name: str
    start: int
    node: JsonNode

    @property
    def end(self) -> int:
        return self.node.end


def parse(text: str) -> JsonNode | None:
    """Return the root object or list, or None if there are only blanks and comments. Raise `Unreadable` with line and column."""
    start = skip_blank(text, 0)
    if start == len(text):
        return None
    if text[start] not in "{[":
        _refuse(text, start, NO_OBJECT)
    try:
        root = _value(text, start)
    except RecursionError:
        _refuse(text, start, "it is nested too deep")
    end = skip_blank(text, root.end)
    if end < len(text):
        _refuse(text, end, "there is text behind the end")
    return root


def skip_blank(text: str, index: int) -> int:
    """Where the next character is that is neither blank nor in a comment."""
    found = _BLANK.match(text, index)
    end = found.end() if found else index
    if text.startswith("/*", end):
        _refuse(text, end, "this comment has no end")
    return end


def place(text: str, index: int) -> str:
    """`line 3, column 7`."""
    breaks = list(BREAK.finditer(text, 0, index))
    line_start = breaks[-1].end() if breaks else len(text) - len(text.removeprefix("\ufeff"))
    return f"line {len(breaks) + 1}, column {index - line_start + 1}"


_Part = TypeVar("_Part", JsonNode, JsonMember)


def _value(text: str, index: int) -> JsonNode:
    if text.startswith("{", index):
        members, end = _parts(text, index, "}", _member)
        return JsonNode("object", index, end, {each.name: each.node.value for each in members}, members=tuple(members))
    if text.startswith("[", index):
        items, end = _parts(text, index, "]", _value)
        return JsonNode("array", index, end, [each.value for each in items], items=tuple(items))
    if found := _STRING.match(text, index):
        return JsonNode("string", index, found.end(), _decoded(text, index, found[0][1:-1]))
    if found := _NUMBER.match(text, index):
        return JsonNode("number", index, found.end(), _number(found[0]))
    found = _NAME.match(text, index)
    if found is None or found[0] not in _WORDS:
        _refuse(text, index, "a value is expected here")
    kind, value = _WORDS[found[0]]
    return JsonNode(kind, index, found.end(), value)


def _parts(text: str, start: int, closing: str, read: Callable[[str, int], _Part]) -> tuple[list[_Part], int]:
    """Return what is between the brackets, and where the text goes on behind them."""
    found: list[_Part] = []
    index = skip_blank(text, start + 1)
    while not text.startswith(closing, index):
        part = read(text, index)
        found.append(part)
        index = skip_blank(text, part.end)
        if text.startswith(",", index):
            index = skip_blank(text, index + 1)
        elif not text.startswith(closing, index):
            _refuse(text, index, f"a comma or {closing} is expected here")
    return found, index + 1


def _member(text: str, index: int) -> JsonMember:
    quoted = _STRING.match(text, index)
    found = quoted or _NAME.match(text, index)
    if found is None:
        _refuse(text, index, "a name is expected here")
    name = _decoded(text, index, found[0][1:-1] if quoted else found[0])
    colon = skip_blank(text, found.end())
    if not text.startswith(":", colon):
        _refuse(text, colon, "a colon is expected here")
    return JsonMember(name, index, _value(text, skip_blank(text, colon + 1)))


def _number(text: str) -> int | float:
    bare = text.lstrip("+-")
    value = int(bare, 16) if bare[:2] in ("0x", "0X") else float(bare) if set(".eENI") & set(bare) else int(bare)
    return -value if text[0] == "-" else value


def _decoded(text: str, index: int, raw: str) -> str:
    def replace(match: re.Match[str]) -> str:
        escape = match[1]
        if escape[0] in "ux":
            if len(escape) == 1:
                _refuse(text, index, f"\\{escape} is no escape")
            return chr(int(escape[1:], 16))
        return "" if escape[0] in "\r\n\u2028\u2029" else _CONTROLS.get(escape, escape)

    decoded = _ESCAPE.sub(replace, raw)
    # Two escaped halves of one character are that character.
    return decoded.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") if "\\u" in raw else decoded


def _refuse(text: str, index: int, reason: str) -> NoReturn:
    raise Unreadable(f"{place(text, index)}: {reason}")
