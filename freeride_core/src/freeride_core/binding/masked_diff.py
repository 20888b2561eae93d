"""The difference between two texts of a configuration, for people: what looks like a secret is masked.

By its place: all that belongs to a name such as `apiKey`, even on several lines. And by its looks, in any place. Rather too
much than too little, but names of variables and of models are shown.
"""

from __future__ import annotations

import difflib
import io
import re
from collections import Counter
from collections.abc import Iterator

from freeride_core.binder import Endpoint

_MASK = "***"
_HARMLESS_KEY = Endpoint("").key
_SHORTEST_SECRET = 8

_STRING = r""""(?:[^"\\]|\\.)*+(?:"|\\?$)|'(?:[^'\\]|\\.|'')*+(?:'|\\?$)"""
_NAME = re.compile(r"""["']|(?<![\w.-])[\w.-]++""")
"""Where a name begins: the quote of one, or the whole of one without quotes."""
_SEPARATOR = re.compile(r"(?P<separator>[ \t]*+[:=])[ \t]*+(?:bearer[ \t]++)?", re.IGNORECASE)
_BARE_VALUE = re.compile(r"[^\s,}\]]++")
_PART = re.compile(
    r"""(?P<bracket>[\[{\]}])
        |(?P<quote>["'])
        |(?P<name>[\w.-]++(?:[ \t]*+:(?=[\s"'\[{]|$)|[ \t]++=))
        |(?P<value>[^\s,\[\]{}"']++)""",
    re.VERBOSE,
)
_COLON = re.compile(r"[ \t]*+[:=]")
_INDENT = re.compile(r"[ \t]*+(?:-[ \t]++)*+")
_ITEM = re.compile(rf"[ \t]*+(?:-[ \t]++)*+(?:(?:{_STRING}|[\w.-]++)[ \t]*+:(?:[ \t]++|$))?")
_BELOW = re.compile(r"(?:[&!]\S{0,200}+(?:[ \t]++|$)){0,2}+(?P<scalar>[|>][-+0-9]*+)?[ \t]*+(?:#.*)?$")
"""After a name: what belongs to it is on the next lines. An anchor and a tag may come before that."""
_BEARER = re.compile(r"\Abearer[ \t]++", re.IGNORECASE)
_COMMENT = re.compile(r"(?<![ \t])[ \t]++#")
_SPECIAL = {quote: re.compile(rf"[{quote}\\]") for quote in "\"'"}
_TRIPLE = ('"""', "'''")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET = re.compile(
    r".*(?:key|token|secret|password|passwd|passphrase|credential)s?|auth|authorization|pass|pat|pwd", re.IGNORECASE
)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|\$\w+|\$?\{(?:\w+:)?\w+\}")

_LONG_WORD = re.compile(r"(?<![\w-])[\w-]{16,}")
_KEY_PREFIX = re.compile(r"(?:sk[-_]|(?=.*[0-9])[a-z]{2}[-_]).{16}", re.IGNORECASE)
"""Of what calls itself a secret key, or is too short for a model's."""
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[a-z]).{16,}|(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z]).{10,}")
_RANDOM_IN_CAPITALS = re.compile(r"(?=.*[0-9])(?=.*[A-Z]).{16,}")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s/@:]*+:)[^\s/@]++(?=@)")
_TOKEN_IN_URL = re.compile(rf"(?<=://)[^\s/@:]{{{_SHORTEST_SECRET},}}+(?=@)")
"""Where a name of a user would be: no name of a user is as long."""
_OPTION = re.compile(r"""(?<![\w-])--?(?P<name>[A-Za-z][\w-]*+)["']?(?P<gap>,?[ \t]++["']?|,["']?)?""")
"""Of a command, as an item of a list or on a line of a shell; its value is the next item or word."""
_OPTION_VALUE = re.compile(r"""[^\s"',\]-][^\s"',\]]*+""")
_NEXT_ITEM = re.compile(r"""[ \t]*+(?:-[ \t]++)?["']?""")

_MOST_PAIRS = 1_000_000
"""Equal lines, each of one text with each of the other, that are compared. A file of more is shown as changed from its first
change to its last."""


def show_difference(before: bytes | None, after: bytes | None, path: str) -> str:
    """Return the unified diff; None stands for no file. It does not apply as a patch where something is masked."""
    old, new = _aligned(_masked_and_bare(before), _masked_and_bare(after))
    lines = difflib.unified_diff(
        old, new, "/dev/null" if before is None else path, "/dev/null" if after is None else path
    )
    shown = (line.partition("\0")[0] for line in lines)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in shown)


def _masked_and_bare(content: bytes | None) -> list[str]:
    """Each line masked, and after a NUL as it is: a change of what is masked is one too."""
    lines = io.StringIO((content or b"").decode(errors="replace"), newline="\n")
    mask = _Mask()
    return [mask(line).replace("\0", "\N{REPLACEMENT CHARACTER}") + "\0" + line for line in lines]


def _aligned(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """The lines with marks behind a NUL that spare `difflib` comparisons: its work grows with the square of equal lines."""
    shortest = min(len(old), len(new))
    head = next((at for at in range(shortest) if old[at] != new[at]), shortest)
    tail = next((at for at in range(shortest - head) if old[-1 - at] != new[-1 - at]), shortest - head)
    is_heavy = _pairs(old[head : len(old) - tail], new[head : len(new) - tail]) > _MOST_PAIRS

    def marked(lines: list[str], side: str) -> list[str]:
        end = len(lines) - tail
        middle = lines[head:end]
        return [
            *(f"{line}\0{at}" for at, line in enumerate(lines[:head])),
            *((f"{line}\0{side}{at}" for at, line in enumerate(middle)) if is_heavy else middle),
            *(f"{line}\0-{at}" for at, line in enumerate(lines[end:])),
        ]

    return marked(old, "old"), marked(new, "new")


def _pairs(old: list[str], new: list[str]) -> int:
    """How many pairs of equal lines `difflib` would compare; it leaves out lines that are more than a hundredth of many."""
    counts = Counter(new)
    popular = len(new) // 100 + 1 if len(new) >= 200 else len(new)
    return sum(count for line in old if (count := counts[line]) <= popular)


class _Mask:
    """Masks one line after the other, and knows from those before what a line belongs to."""

    def __init__(self) -> None:
        self._depth = 0
        """Brackets that are open in what belongs to a secret's name."""
        self._quotes = ""
        """They end a secret of several lines."""
        self._column: int | None = None
        """The column of a secret's name: what is further right below it belongs to it."""
        self._is_scalar = False
        """And is one text."""
        self._has_option = False
        """The line before ends with the option of a secret."""

    def __call__(self, line: str) -> str:
        body = line.rstrip("\r\n")
        masked = self._mask_below(body)
        masked = self._mask_line(body) if masked is None else masked
        return _mask_looks(self._mask_options(masked)) + line[len(body) :]

    def _mask_options(self, body: str) -> str:
        """Masks the values of options such as `--api-key`, which may be on the next line."""
        kept: list[str] = []
        at = 0
        if self._has_option and (lead := _NEXT_ITEM.match(body)):
            at = self._mask_option_value(body, lead.end(), kept)
            self._has_option = not body.strip()
        while found := _OPTION.search(body, at):
            kept.append(body[at : found.end()])
            at = found.end()
            if not _is_secret(found["name"]):
                continue
            if found["gap"] and body[at:].strip(" \t,\"'"):
                at = self._mask_option_value(body, at, kept, start=at)
            else:
                self._has_option = not body[at:].strip(" \t,\"'")
        return "".join(kept) + body[at:]

    @staticmethod
    def _mask_option_value(body: str, at: int, kept: list[str], *, start: int = 0) -> int:
        value = _OPTION_VALUE.match(body, at)
        end = value.end() if value else at
        kept.append(body[start:at] + (_mask_value(body[at:end]) if value else ""))
        return end

    def _mask_below(self, body: str) -> str | None:
        """The line, where it belongs to a name further up."""
        if self._quotes:
            _, end, rest = body.partition(self._quotes)
            self._quotes = "" if end else self._quotes
            return _MASK + end + rest
        if self._depth or self._column is None:
            return None
        text = body.lstrip(" \t")
        column = len(body) - len(text)
        is_item = column == self._column and not self._is_scalar and re.match(r"-(?:\s|$)", text)
        if text and column <= self._column and not is_item:
            if not text.startswith("#"):  # a comment may be anywhere in between
                self._column = None
            return None
        if self._is_scalar:
            return body[:column] + _MASK if text else body
        item = _ITEM.match(body)
        start = item.end() if item else column
        return body[:start] + _mask_value(body[start:])

    def _mask_line(self, body: str) -> str:
        """Masks what belongs to names of secrets in the line, and to one above whose brackets are open."""
        strings = _Strings(body)
        indent = _INDENT.match(body)
        first = indent.end() if indent else 0
        kept: list[str] = []
        at = 0
        while at < len(body):
            at = self._mask_brackets(strings, at, kept) if self._depth else self._mask_pair(strings, at, first, kept)
        return "".join(kept)

    def _mask_pair(self, strings: _Strings, at: int, first: int, kept: list[str]) -> int:
        """Keeps the line up to the next name of a secret, and what belongs to that masked. Gives where to go on."""
        body = strings.text
        # The quote that ended a value may be the first of a name: what looked like NAME=value was the end of a text.
        for start, end, separator in strings.names(at - 1 if body[at - 1 : at] in ("'", '"') else at):
            name, value = body[start:end], separator.end()
            # NAME=value in a list of secrets; a variable's name says itself whether it is one
            is_glued = body[value - 1] == "=" and name[-1] not in "\"'" and not name.isupper()
            is_glued = is_glued and body[value : value + 1] not in ("[", "{")
            if is_glued or _is_secret(name):
                kept.append(body[at:value])
                is_yaml = start == first and separator["separator"].endswith(":")
                return self._mask_value_at(strings, value, start if is_yaml else None, kept)
        kept.append(body[at:])
        return len(body)

    def _mask_value_at(self, strings: _Strings, at: int, column: int | None, kept: list[str]) -> int:
        """Keeps what follows a secret's name, masked. `column`: where that name is the first of a line."""
        body = strings.text
        if body.startswith(("[", "{"), at):
            return self._mask_brackets(strings, at, kept)
        if body.startswith(_TRIPLE, at):
            self._quotes = "" if body.find(body[at : at + 3], at + 3) > 0 else body[at : at + 3]
            kept.append(_MASK)
            return len(body)
        below = _BELOW.match(body, at)
        if column is not None:
            self._column, self._is_scalar = column, below is None or below["scalar"] is not None
        if below:
            kept.append(body[at:])
            return len(body)
        if body[at] in "\"'":
            end = strings.end_of(at)
        elif column is not None:  # blanks may belong to it
            comment = _COMMENT.search(body, at)
            end = comment.start() if comment else len(body)
        else:
            value = _BARE_VALUE.match(body, at)
            end = value.end() if value else at
        kept.append(_mask_value(body[at:end]) if end > at else "")
        return end

    def _mask_brackets(self, strings: _Strings, at: int, kept: list[str]) -> int:
        """Keeps all up to the bracket that ends them, with its texts masked, but for names. Gives where to go on."""
        body = strings.text
        while part := _PART.search(body, at):
            start, end, is_value = part.start(), part.end(), part["value"] is not None
            if part["quote"]:
                end = strings.end_of(start)
                colon = _COLON.match(body, end)
                end, is_value = (colon.end(), False) if colon else (end, True)
            kept += (body[at:start], _mask_value(body[start:end]) if is_value else body[start:end])
            at = end
            if part["bracket"]:
                self._depth += 1 if part[0] in "[{" else -1
                if not self._depth:
                    return at
        kept.append(body[at:])
        return len(body)


class _Strings:
    """A line, and where the quoted texts in it end: whichever quote is taken for the first of one, in one look at the line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._ends: dict[str, dict[int, int]] = {}
        self._separators: dict[int, re.Match[str] | None] = {}

    def end_of(self, start: int) -> int:
        """Where the text ends whose first quote is at `start`; the line's end where it has no other."""
        quote = self.text[start]
        if quote not in self._ends:
            self._ends[quote] = self._find_ends(quote)
        return self._ends[quote][start]

    def names(self, at: int) -> Iterator[tuple[int, int, re.Match[str]]]:
        """Names from `at` on: start, end, and what separates one from its value."""
        while found := _NAME.search(self.text, at):
            is_quoted = found[0] in ("'", '"')
            end = self.end_of(found.start()) if is_quoted else found.end()
            if end not in self._separators:
                self._separators[end] = _SEPARATOR.match(self.text, end)
            separator = self._separators[end]
            if separator:
                yield found.start(), end, separator
            at = separator.end() if separator else found.end()

    def _find_ends(self, quote: str) -> dict[int, int]:
        places = [found.start() for found in _SPECIAL[quote].finditer(self.text)]
        ends: dict[int, int] = {}
        # From behind: what a text's end is that has come to each of these places.
        found = [len(self.text)] * (len(places) + 2)
        for at in range(len(places) - 1, -1, -1):
            place = places[at]
            is_next_special = at + 1 < len(places) and places[at + 1] == place + 1
            is_doubled = quote == "'" and is_next_special and self.text[place + 1] == quote
            if self.text[place] == "\\" or is_doubled:
                found[at] = found[at + 2 if is_next_special else at + 1]
            else:
                found[at] = place + 1
            if self.text[place] == quote:
                ends[place] = found[at + 1]
        return ends


def _is_secret(name: str) -> bool:
    return any(_SECRET.fullmatch(word) for word in _WORD.findall(name))


def _mask_value(text: str) -> str:
    comma = "," if text.rstrip().endswith(",") else ""
    bare = _BEARER.sub("", text.rstrip(" \t,").strip("\"'"))
    is_harmless = len(bare) < _SHORTEST_SECRET or bare == _HARMLESS_KEY or _VARIABLE.fullmatch(bare)
    return text if is_harmless else _MASK + comma


def _mask_looks(text: str) -> str:
    text = _TOKEN_IN_URL.sub(_MASK, _PASSWORD_IN_URL.sub(rf"\1{_MASK}", text))
    return _LONG_WORD.sub(lambda found: _MASK if _looks_secret(found[0]) else found[0], text)


def _looks_secret(word: str) -> bool:
    """Models are called so too, but of short parts: no part of theirs has as many letters and digits mixed."""
    if _VARIABLE.fullmatch(word):
        return False
    parts = re.split("[-_]", word)
    return bool(_KEY_PREFIX.match(word)) or any(
        _RANDOM.fullmatch(part) or _RANDOM_IN_CAPITALS.fullmatch(part) for part in parts
    )
