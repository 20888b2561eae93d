"""`scripts/prose`: each rule finds its own fault, with file, line and better word, and the clean pages stay clean."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prose_check import faults_of, files_of
from prose_rules import LONGEST, WORDS, faults_in, terms_of
from prose_texts import ProsePassage, passages_of_markdown, passages_of_python, sentences_of, without_code
from repository import ROOT

PROSE = ROOT / "scripts" / "prose"
TERMS = terms_of((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
SAMPLES = (
    "Nobody answers.",
    "Whoever answers first serves.",
    "Somebody else listens.",
    "It serves everybody.",
    "It helps anybody.",
    "Start it anew.",
    "It answered lately.",
    "A key stands in the header.",
    "There is none: the list is none.",
    "A client, be it slow or fast.",
    "It breaks amid a stream.",
    "It asks thrice.",
    "The address whence it came.",
    "Files likewise.",
    "The upstream falls silent.",
    "It speaks OpenAI's protocol.",
    "A client drips its body.",
    "It has no words for tools.",
    "A provider who answers.",
    "The command leads through it.",
    "It is, in other words, free.",
)


def found_in(text: str) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.rule, fault.found.lower()) for fault in faults_in(passages_of_markdown(text), TERMS)]


@pytest.mark.parametrize("pattern", WORDS)
def test_each_word_to_avoid_is_found_in_a_sample(pattern: str) -> None:
    named = [sample for sample in SAMPLES if re.search(rf"(?i)\b(?:{pattern})", sample)]
    assert named, "it has no sample"
    assert all(rule == "banned word" for _, rule, _ in found_in(named[0]))
    assert found_in(named[0])


@pytest.mark.parametrize("pattern", TERMS)
def test_each_word_that_a_term_replaces_is_found(pattern: str) -> None:
    word = pattern.replace("\\", "")
    assert found_in(f"Look.\n\nThe {word} is here.") == [(3, "term", word)]


def test_some_terms_rule_out_other_words() -> None:
    assert len(TERMS) > 5


@pytest.mark.parametrize(
    "text",
    [
        "`ACME` stands for Acme.",
        "It is None if the provider has no keys.",
        "Code: `nobody`, and\n\n```\nnobody\n```\n\n    whoever_is_here",
        "A user who waits.",
        "## Nobody in a heading",
        "<!-- nobody -->",
    ],
)
def test_what_is_fine_is_left_alone(text: str) -> None:
    assert found_in(text.replace("    whoever_is_here", "`whoever`")) == []


def test_a_sentence_has_at_most_thirty_words() -> None:
    fine = " ".join(["Word", *["word"] * (LONGEST - 1)])
    assert found_in(f"{fine}. {fine}!\n{fine}?") == []
    assert found_in(f"Fine. {fine}\nmore `code of many words` more.") == [
        (1, "long sentence", "word word word word word word …")
    ]


def test_a_sentence_ends_at_its_mark_and_not_at_an_abbreviation() -> None:
    text = "It works, e.g. So. The next? `code` begins one. (And this.) a.b.c is one word"
    flat = without_code(text)
    starts = [flat[at : at + 3] for at, _ in sentences_of(flat)]
    assert starts == ["It ", "The", "§§§", "(An"]


def test_every_cell_and_item_is_a_passage_of_its_own_line() -> None:
    text = "Intro\ngoes on.\n\n| a | nobody |\n|---|---|\n- one\n- two\n  more\n"
    assert list(passages_of_markdown(text)) == [
        ProsePassage(1, "Intro\ngoes on."),
        ProsePassage(4, "a"),
        ProsePassage(4, "nobody"),
        ProsePassage(6, "- one"),
        ProsePassage(7, "- two\n  more"),
    ]


def test_docstrings_comments_and_messages_are_read_with_their_lines() -> None:
    function = 'def f():\n    """One.\n\n        code, nobody\n\n    Two."""\n    return "one_word"\n'
    rest = (
        "# A comment\n# of two lines.\nX = 2  # beside code\n# noqa: a directive\n"
        """Y = f"the key {X} of " "a provider is here"\nZ = (r"a raw pattern here", "two words", {f"{X} and {X}": 'in a key'})\n"""
    )
    text = f'"""Module."""\n\nX = 1\n"""An attribute."""\n\n\n{function}\n\n{rest}'
    assert sorted((each.line, each.text.strip()) for each in passages_of_python(text)) == [
        (1, "Module."),
        (4, "An attribute."),
        (8, "One."),
        (12, "Two."),
        (16, "A comment\nof two lines."),
        (18, "beside code"),
        (20, "the key § of a provider is here"),
        (21, "in a key"),
    ]


def test_every_package_and_page_is_read() -> None:
    read = set(files_of())
    packages = {
        path
        for folder in ("freeride_core", "freeride_providers", "freeride_binders")
        for path in (ROOT / folder).rglob("src/**/*.py")
    }
    assert packages <= read
    assert set((ROOT / "docs").rglob("*.md")) <= read


def run(*names: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROSE, *names], capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def test_the_pages_are_clean_and_quickly_read() -> None:
    start = time.process_time()
    faults = list(faults_of(files_of()))
    assert time.process_time() - start < 5
    assert faults == []
    assert run().returncode == 0


def test_a_fault_is_one_line_with_place_rule_and_better_words(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nFine, and\nwhoever reads.\n", "utf-8")
    result = run(page)
    assert result.returncode == 1
    assert result.stdout == f"{page}:4: banned word: 'whoever'; write: the provider that, any client that\n"
