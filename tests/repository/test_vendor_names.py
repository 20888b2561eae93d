"""A string in core that names a vendor, be it a provider or an agent, is in the wrong package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repository import ROOT

CORE = ROOT / "freeride_core"

PROVIDERS = {path.name for path in (ROOT / "freeride_providers").iterdir() if (path / "pyproject.toml").exists()}
AGENTS = {path.name for path in (ROOT / "freeride_binders").iterdir() if (path / "pyproject.toml").exists()}
OTHERS = {
    "cerebras", "claude", "cline", "cohere", "deepseek", "gpt-oss", "hermes", "hugging face", "kilo", "llm7", "mistral", "ollama",
    "openclaw", "opencode", "ovh", "pollinations", "sambanova", "workers ai", "zhipu",
}  # fmt: skip
# An English word and a keyword of Python, and what all of them speak of: only as a name.
WORDS = {
    "llm": r"datasette|[\"'`]llm[\"'`]|_llm\b",
    "continue": r"continue\.dev|\.continue\b|[\"'`]continue[\"'`]|_continue\b|\bContinue(?:'s)?\s+(?:agent|config|extension)",
}
NAMES = re.compile(
    "|".join(WORDS.get(name, rf"(?<![a-z]){re.escape(name)}(?![a-z])") for name in sorted(PROVIDERS | AGENTS | OTHERS)),
    re.IGNORECASE,
)
EXCEPT = {CORE / "src/freeride_core/gateway/protocols/messages/models.py"}
"""Agents of this protocol show only models that are named like those of its vendor."""
FILES = sorted(
    path
    for path in set(CORE.rglob("*")) - EXCEPT
    if path.is_file() and path.suffix in {".py", ".toml", ".md", ".html", ".css", ".js"} and "dist" not in path.parts
)


def test_the_search_finds_what_it_looks_for() -> None:
    assert {"groq", "openrouter"} <= PROVIDERS
    assert "continue" in AGENTS
    for text in (
        "GROQ_API_KEY",
        "api.groq.com",
        "freeride_provider_nvidia",
        "~/.continue/config.yaml",
        "binder_llm",
        "Hugging Face",
    ):
        assert NAMES.search(text), text
    for text in ("if x: continue", "Continue reading.", "free LLM tiers", "aiders", "OpenAI-compatible"):
        assert not NAMES.search(text), text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORE)))
def test_core_names_no_vendor(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {line}" for number, line in enumerate(lines, 1) if NAMES.search(line)] == []
