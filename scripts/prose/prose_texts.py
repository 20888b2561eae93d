"""Finding the sentences of a file.

In Markdown they are in paragraphs, list items and table cells; in Python, in docstrings, comments and messages.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"\s*(?:>\s*)?(```|~~~)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")
_BREAK = re.compile(r"\s*(?:#|\||<!--|!\[|---)|\s*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE = re.compile(r"`+[^`]*`+")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_END = re.compile(r"""(?<=[.!?])["')*_]*\s+(?=["'(*_`]*[A-Z§“])|(?<=[.!?])$""")
_WITH_BODY = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_DIRECTIVE = re.compile(r"#!|#\s*(?:type|noqa|fmt|pragma|mypy|ruff)\b")
_PHRASE = re.compile(r"[A-Za-z,]+ \S+ [A-Za-z]")
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
            for cell in re.split(r"(?<!\\)\||<br>", _CODE.sub(lambda code: code[0].replace("|", "/"), line)):
                if cell.strip(" -:"):
                    yield ProsePassage(number, cell.strip())
        elif not _BREAK.match(line) and (lines or not line.startswith("    ")):  # indented by four: code
            if not lines:
                start = number
            lines.append(line)
    if lines:
        yield ProsePassage(start, "\n".join(lines))


def passages_of_python(text: str) -> Iterator[ProsePassage]:
    """Yield what people read in a module: docstrings, comments, and strings that hold a phrase."""
    nodes = list(ast.walk(ast.parse(text)))
    docstrings = set[int]()
    bodies = (node.body for node in nodes if isinstance(node, _WITH_BODY))
    for child in (child for body in bodies for child in body):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(child.value.value, str):
            docstrings.add(id(child.value))
            docstring = re.sub(rf"\n {{{child.col_offset}}}", "\n", child.value.value)
            for paragraph in passages_of_markdown(docstring):
                yield ProsePassage(child.lineno + paragraph.line - 1, paragraph.text)
    yield from _comments_in(text)
    yield from _messages_in(nodes, text.split("\n"), docstrings)


def _comments_in(text: str) -> Iterator[ProsePassage]:
    """Yield each comment, and those of consecutive lines as one."""
    lines: list[str] = []
    start = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or _DIRECTIVE.match(token.string):
            continue
        line, column = token.start
        if lines and (line != last + 1 or token.line[:column].strip()):
            yield ProsePassage(start, "\n".join(lines))
            lines = []
        start = start if lines else line
        lines.append(token.string[1:].strip())
        last = line
    if lines:
        yield ProsePassage(start, "\n".join(lines))


def _messages_in(nodes: Sequence[ast.AST], lines: Sequence[str], docstrings: Set[int]) -> Iterator[ProsePassage]:
    """Yield each string of three words or more; an expression in it counts as a word. A raw string is a pattern."""
    inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            words = "".join(str(part.value) if isinstance(part, ast.Constant) else "§" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (docstrings | inside):
            words = node.value
        else:
            continue
        if _PHRASE.search(words) and lines[node.lineno - 1][node.col_offset] not in "rR":
            for paragraph in re.split(r"\n+", words):
                yield ProsePassage(node.lineno, paragraph)


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
