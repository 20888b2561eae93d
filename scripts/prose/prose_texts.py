"""Finding the sentences of a file: paragraphs, list items and table cells of Markdown, and docstrings of Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"\s*(?:>\s*)?(```|~~~)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")
_BREAK = re.compile(r"\s*(?:#|\||<!--|!\[|---)|\s*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"`+[^`]*`+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_END = re.compile(r"""(?<=[.!?])["')*_]*\s+(?=["'(*_`]*[A-Z§“])|(?<=[.!?])$""")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|vs|etc|No|Ms|Mr)\.$")


@dataclass(frozen=True)
class ProsePassage:
    """A stretch of prose, and the line on which it begins."""

    line: int
    text: str
    """As it is in the file; line ends count."""

    def line_of(self, offset: int) -> int:
        return self.line + self.text.count("\n", 0, offset)


def passages_of_markdown(text: str) -> Iterator[ProsePassage]:
    """Yield the prose of a page; not code, comments or headings."""
    text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    lines: list[str] = []
    start, fence = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        mark = _FENCE.match(line)
        if mark or fence or _BREAK.match(line) or _ITEM.match(line):
            if lines:
                yield ProsePassage(start, "\n".join(lines))
            lines = []
        if mark and fence in {"", mark[1]}:
            fence = "" if fence else mark[1]
        elif fence:
            continue
        elif line.lstrip().startswith("|"):
            for cell in re.split(r"(?<!\\)\|", _CODE.sub(lambda code: code[0].replace("|", "/"), line)):
                if cell.strip(" -:"):
                    yield ProsePassage(number, cell.strip())
        elif not _BREAK.match(line) and (lines or not line.startswith("    ")):  # indented by four: code
            if not lines:
                start = number
            lines.append(line)
    if lines:
        yield ProsePassage(start, "\n".join(lines))


def passages_of_python(text: str) -> Iterator[ProsePassage]:
    """Yield the docstrings of a module: its own, of classes and functions, and of attributes."""
    for node in ast.walk(ast.parse(text)):
        for child in getattr(node, "body", None) or () if not isinstance(node, ast.Lambda | ast.IfExp) else ():
            if (
                isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Constant)
                and isinstance(child.value.value, str)
            ):
                docstring = re.sub(rf"\n {{{child.col_offset}}}", "\n", child.value.value)
                for paragraph in passages_of_markdown(docstring):
                    yield ProsePassage(child.lineno + paragraph.line - 1, paragraph.text)


def passages_in(path: Path) -> Iterator[ProsePassage]:
    """Yield the prose of a Markdown or Python file."""
    text = path.read_text("utf-8")
    yield from passages_of_python(text) if path.suffix == ".py" else passages_of_markdown(text)


def without_code(text: str) -> str:
    """Return the text with each piece of code as one word of the same length, and links as their words."""
    text = _CODE.sub(lambda code: "§" * len(code[0]), text)
    return _LINK.sub(lambda link: f" {link[1]}".ljust(len(link[0])), text)


def sentences_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield each sentence with its offset."""
    start = 0
    for end in _END.finditer(text):
        if not _ABBREVIATION.search(text[: end.start()]):
            yield start, text[start : end.start()]
            start = end.end()
    if text[start:].strip():
        yield start, text[start:]
