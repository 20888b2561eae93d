"""What decides which model an agent asks: the same questions for every agent, which its package answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from freeride_conformance.samples import Answers

QUESTIONS: Mapping[str, str] = {
    "files": "Of several files that it reads, which counts?",
    "stronger": "Which files outrank that one?",
    "variables": "Which environment variables outrank it?",
    "agents": "Which agents, modes and side jobs have models of their own?",
    "lists": "Which lists can shut a provider or a model out?",
    "versions": "Which older layouts of the file are there?",
    "namesake": "What in an entry of the same name changes its meaning?",
    "retired": "Which file does a new one put out of use?",
    "requests": "How do its requests name it?",
}
"""Members of `[answers]` in `samples.toml`, each with its question."""

BY_RULE = frozenset({"files", "variables", "retired", "requests"})
"""Proven by what the binder states; the others by samples."""


def answer_table(answers: Answers) -> str:
    """Markdown: one agent's answers, with their source."""
    rows = "".join(f"| {question} | {_cell(getattr(answers, name))} |\n" for name, question in QUESTIONS.items())
    return (
        "What decides which model it asks:\n\n| | |\n|---|---|\n"
        f"{rows}| Source | {_cell(answers.source)}, checked {answers.checked} |\n\n"
    )


def question_page(answers: Mapping[str, tuple[str, Answers]]) -> str:
    """Markdown: all agents' answers, by question. `answers`: titles and answers by the binders' names."""
    return "\n".join(_page(answers)) + "\n"


def _page(answers: Mapping[str, tuple[str, Answers]]) -> Iterator[str]:
    yield "# What decides which model an agent asks"
    yield ""
    yield "After `freeride bind`, the agent goes by its own precedence. `bind` edits the file that counts. It names what outranks"
    yield "that on stderr, and in `--json` as `elsewhere`; later `freeride doctor` does. A dash: the agent has nothing of the kind."
    yield ""
    names = list(QUESTIONS)
    yield f"| agent | {' | '.join(names)} | checked |"
    yield "|---" * (len(names) + 2) + "|"
    for name, (title, own) in answers.items():
        marks = ["–" if getattr(own, each).startswith("None") else "yes" for each in names]
        yield f"| [{title}](agents/{name}.md) | {' | '.join(marks)} | {own.checked} |"
    for each, question in QUESTIONS.items():
        yield f"\n## {question}\n\n`{each}`\n\n| agent | |\n|---|---|"
        for title, own in answers.values():
            if not getattr(own, each).startswith("None"):
                yield f"| {title} | {_cell(getattr(own, each))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
