"""The difference between two texts of a configuration, for people: what looks like a secret is masked.

By where it stands: all that belongs to a name such as `apiKey`, be it on several lines. And by its looks, wherever it
stands. Rather too much than too little, but names of variables and of models are shown.
"""

from __future__ import annotations

import difflib
import io
import re

from freeride_core.binder import Endpoint

_MASK = "***"
_HARMLESS_KEY = Endpoint("").key
_SHORTEST_SECRET = 8

_STRING = r""""(?:[^"\\]|\\.)*(?:"|\\?$)|'(?:[^'\\]|\\.|'')*(?:'|\\?$)"""
_NAME = re.compile(
    rf"(?P<name>{_STRING}|(?<![\w.-])[\w.-]++)(?P<separator>[ \t]*[:=])[ \t]*(?:bearer[ \t]+)?", re.IGNORECASE
)
_VALUE = re.compile(rf"{_STRING}|[^\s,}}\]]+")
_PART = re.compile(
    rf"""(?P<bracket>[\[{{\]}}])
        |(?P<name>(?:{_STRING})[ \t]*[:=]|[\w.-]++(?:[ \t]*:(?=[\s"'\[{{]|$)|[ \t]+=))
        |(?P<value>{_STRING}|[^\s,\[\]{{}}"']+)""",
    re.VERBOSE,
)
_INDENT = re.compile(r"[ \t]*(?:-[ \t]+)*")
_ITEM = re.compile(rf"[ \t]*(?:-[ \t]+)*(?:(?:{_STRING}|[\w.-]++)[ \t]*:(?:[ \t]+|$))?")
_BELOW = re.compile(r"(?:[&!]\S*[ \t]*)*(?P<scalar>[|>][-+0-9]*)?[ \t]*(?:#.*)?$")
"""After a name: what belongs to it is on the next lines."""
_BEARER = re.compile(r"\Abearer[ \t]+", re.IGNORECASE)
_COMMENT = re.compile(r"[ \t]+#.*$")
_TRIPLE = ('"""', "'''")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = re.compile(
    r".*(?:key|token|secret|password|passwd|passphrase|credential)s?|auth|authorization|pat|pwd", re.IGNORECASE
)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|\$\w+|\$?\{(?:\w+:)?\w+\}")

_LONG_WORD = re.compile(r"(?<![\w-])[\w-]{16,}")
_KEY_PREFIX = re.compile(r"(?:sk[-_]|(?=.*[0-9])[a-z]{2}[-_]).{16}", re.IGNORECASE)
"""Of what calls itself a secret key, or is too short for a model's."""
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[a-z]).{16,}|(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z]).{10,}")
_RANDOM_IN_CAPITALS = re.compile(r"(?=.*[0-9])(?=.*[A-Z]).{16,}")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s/@:]*:)[^\s/@]+(?=@)")


def show_difference(before: bytes | None, after: bytes | None, path: str) -> str:
    """The unified diff; None: there is no file. It does not apply as a patch where something is masked."""
    lines = difflib.unified_diff(
        _masked_and_bare(before),
        _masked_and_bare(after),
        "/dev/null" if before is None else path,
        "/dev/null" if after is None else path,
    )
    shown = (line.partition("\0")[0] for line in lines)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in shown)


def _masked_and_bare(content: bytes | None) -> list[str]:
    """Each line masked, and after a NUL as it is: a change of what is masked is one too."""
    lines = io.StringIO((content or b"").decode(errors="replace"), newline="\n")
    mask = _Mask()
    return [mask(line).replace("\0", "\N{REPLACEMENT CHARACTER}") + "\0" + line for line in lines]


class _Mask:
    """Masks one line after the other, and knows from those before what a line belongs to."""

    def __init__(self) -> None:
        self._depth = 0
        """Brackets that are open in what belongs to a secret's name."""
        self._quotes = ""
        """They end a secret of several lines."""
        self._column: int | None = None
        """Where a secret's name stands: what is further right below it belongs to it."""
        self._is_scalar = False
        """And is one text."""

    def __call__(self, line: str) -> str:
        body = line.rstrip("\r\n")
        masked = self._mask_below(body)
        return _mask_looks(self._mask_pairs(body) if masked is None else masked) + line[len(body) :]

    def _mask_below(self, body: str) -> str | None:
        """The line, where it belongs to a name further up."""
        if self._quotes:
            _, end, rest = body.partition(self._quotes)
            self._quotes = "" if end else self._quotes
            return _MASK + end + rest
        if self._depth:
            return self._mask_brackets(body)
        if self._column is None:
            return None
        text = body.lstrip(" \t")
        column = len(body) - len(text)
        is_item = column == self._column and not self._is_scalar and re.match(r"-(?:\s|$)", text)
        if text and column <= self._column and not is_item:
            if not text.startswith("#"):  # which may stand anywhere in between
                self._column = None
            return None
        if self._is_scalar:
            return body[:column] + _MASK if text else body
        item = _ITEM.match(body)
        start = item.end() if item else column
        return body[:start] + _mask_value(body[start:])

    def _mask_pairs(self, body: str) -> str:
        """Masks what belongs to each secret's name in the line."""
        indent = _INDENT.match(body)
        first = indent.end() if indent else 0
        kept, at = "", 0
        while found := _NAME.search(body, at):
            kept, at = kept + body[at : found.end()], found.end()
            # NAME=value in a list of secrets; a variable's name says itself whether it is one
            is_glued = found[0].endswith("=") and found["name"][-1] not in "\"'" and not found["name"].isupper()
            is_glued = is_glued and body[at : at + 1] not in ("[", "{")
            if is_glued or _is_secret(found["name"]):
                is_yaml = found.start() == first and found["separator"].endswith(":")
                masked, length = self._mask_after(body[at:], found.start() if is_yaml else None)
                kept, at = kept + masked, at + length
        return kept + body[at:]

    def _mask_after(self, rest: str, column: int | None) -> tuple[str, int]:
        """What follows a secret's name, masked, and the length of it. `column`: where that name is the first of a line."""
        if rest.startswith(("[", "{")):
            return self._mask_brackets(rest), len(rest)
        if rest.startswith(_TRIPLE):
            self._quotes = "" if rest[:3] in rest[3:] else rest[:3]
            return _MASK, len(rest)
        below = _BELOW.match(rest)
        if column is not None:
            self._column, self._is_scalar = column, below is None or below["scalar"] is not None
        if below:
            return rest, len(rest)
        if column is not None and rest[0] not in "\"'":  # blanks may belong to it
            bare = _COMMENT.sub("", rest)
            return _mask_value(bare), len(bare)
        value = _VALUE.match(rest)
        return (_mask_value(value[0]), value.end()) if value else ("", 0)

    def _mask_brackets(self, text: str) -> str:
        """Masks all texts up to the bracket that ends them, but for names."""
        kept, at = "", 0
        for part in _PART.finditer(text):
            if part["bracket"]:
                self._depth += 1 if part[0] in "[{" else -1
            kept += text[at : part.start()] + (_mask_value(part[0]) if part["value"] else part[0])
            at = part.end()
            if not self._depth:
                return kept + self._mask_pairs(text[at:])
        return kept + text[at:]


def _is_secret(name: str) -> bool:
    return any(_SECRET.fullmatch(word) for word in _WORD.findall(name))


def _mask_value(text: str) -> str:
    comma = "," if text.rstrip().endswith(",") else ""
    bare = _BEARER.sub("", text.rstrip(" \t,").strip("\"'"))
    is_harmless = len(bare) < _SHORTEST_SECRET or bare == _HARMLESS_KEY or _VARIABLE.fullmatch(bare)
    return text if is_harmless else _MASK + comma


def _mask_looks(text: str) -> str:
    text = _PASSWORD_IN_URL.sub(rf"\1{_MASK}", text)
    return _LONG_WORD.sub(lambda found: _MASK if _looks_secret(found[0]) else found[0], text)


def _looks_secret(word: str) -> bool:
    """Models are called so too, but of short parts: no part of theirs has as many letters and digits mixed."""
    if _VARIABLE.fullmatch(word):
        return False
    parts = re.split("[-_]", word)
    return bool(_KEY_PREFIX.match(word)) or any(
        _RANDOM.fullmatch(part) or _RANDOM_IN_CAPITALS.fullmatch(part) for part in parts
    )
