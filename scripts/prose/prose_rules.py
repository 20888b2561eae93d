"""The rules of English that a program can check: words to avoid, terms with one name, and the length of sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prose_texts import ProsePassage, sentences_of, without_code

LONGEST = 30
"""Words of a sentence."""
WORDS: Mapping[str, str] = {
    r"nobody|no one": "no client, no user, or the passive without a subject",
    r"whoever|whomever|whosoever": "the provider that, any client that",
    r"somebody|someone": "another user, another program",
    r"everybody|everyone": "every client, every user",
    r"anybody": "any user, anyone",
    r"anew": "again",
    r"lately": "recently",
    r"stands?(?! for\b| in for\b)": "is",
    r"(?:is|are|was|were) (?-i:none)": "does not exist, or name what is missing",
    r"be it|be they": "whether",
    r"amid|amidst": "in the middle of",
    r"thrice": "three times",
    r"wherefrom|whereto|whither|whence": "from which, to which",
    r"likewise": "also, in the same way",
    r"(?:falls?|fell|is|stays?|remains?) silent": "sends nothing, times out",
    r"speaks? (?:openai|anthropic|http)\w*(?:'s)? (?:protocol|dialect)": "supports, uses",
    r"drips?": "sends slowly",
    r"has no words? for|have no words? for": "cannot express",
    r"(?:provider|upstream|key|model|gateway|server|agent|client|request|package|plugin|binder|command)s? who": "that",
    r"leads? through it": "walks you through it",
    r"in other words": "that is",
}
"""Patterns of words to avoid, and what to write instead. A picture or an archaism is rarely the field's word."""


@dataclass(frozen=True)
class ProseFault:
    """One place to rewrite."""

    line: int
    rule: str
    found: str
    better: str

    def __str__(self) -> str:
        return f"{self.line}: {self.rule}: {self.found!r}; write: {self.better}"


def terms_of(contributing: str) -> dict[str, str]:
    """Return the words that the list of terms rules out, each with the term to use."""
    table = contributing.partition("## Terms")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE)[1:]
    return {re.escape(word): term for term, words in rows for word in re.findall(r"`([^`]+)`", words)}


def faults_in(passages: Iterable[ProsePassage], terms: Mapping[str, str]) -> Iterator[ProseFault]:
    """Yield what to rewrite, passage by passage."""
    rules = [("banned word", WORDS), ("term", terms)]
    patterns = [(name, _whole(pattern), better) for name, table in rules for pattern, better in table.items()]
    any_of_them = _whole("|".join(f"(?:{pattern})" for _, table in rules for pattern in table))
    for passage in passages:
        text = without_code(passage.text)
        flat = text.replace("\n", " ")
        for name, pattern, better in patterns if any_of_them.search(flat) else ():
            for found in pattern.finditer(flat):
                yield ProseFault(passage.line_of(found.start()), name, found[0], better)
        for offset, sentence in sentences_of(flat):
            words = len(re.findall(r"[\w§][\w§'’./,:+-]*", sentence))
            if words > LONGEST:
                start = " ".join(passage.text[offset:].split()[:6])
                yield ProseFault(
                    passage.line_of(offset), "long sentence", f"{start} …", f"at most {LONGEST} words, not {words}"
                )


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w§-])(?:{pattern})(?![\w-])", re.IGNORECASE)
