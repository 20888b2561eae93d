"""What commands look like on a narrow and on a usual terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from freeride_core.settings.keys import fingerprint
from programs import clean_environ
from served_gateway import FREERIDE
from terminal import Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals are played the POSIX way")

GROQ, ODD, OTHERS = "gsk_" + "a" * 40, "not-like-the-others", "gsk_" + "b" * 40


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    keys = {"GROQ_API_KEY": GROQ, "OPENROUTER_API_KEY": ODD, "NVIDIA_API_KEY": OTHERS}
    return clean_environ(tmp_path / "user", {**keys, "FREERIDE_PROVIDERS": "groq,openrouter,nvidia", "TERM": "dumb"})


def shown(environ: dict[str, str], columns: int, *words: str) -> str:
    with Terminal((*FREERIDE, *words), environ, columns) as terminal:
        terminal.wait()
        return terminal.screen


NARROW = """\
freeride: NVIDIA_API_KEY[0] is not used: it looks like a key
of Groq (gsk_…); set GROQ_API_KEY to it
PROVIDER    KEY  VARIABLE            STATE   LEFT
groq        k0   GROQ_API_KEY        usable  1k of 1k ? rpd
openrouter  k0   OPENROUTER_API_KEY  usable  50 of 50 ? rpd
freeride: OPENROUTER_API_KEY doesn't look like a key of
OpenRouter (expected sk-or-v1-…): copy it again from
https://openrouter.ai/settings/keys
"""
USUAL = """\
freeride: NVIDIA_API_KEY[0] is not used: it looks like a key of Groq (gsk_…); set GROQ_API_KEY to it
PROVIDER    KEY  VARIABLE            FINGERPRINT   STATE   LEFT
groq        k0   GROQ_API_KEY        {groq}  usable  1k of 1k ? rpd
openrouter  k0   OPENROUTER_API_KEY  {odd}  usable  50 of 50 ? rpd
freeride: OPENROUTER_API_KEY doesn't look like a key of OpenRouter (expected sk-or-v1-…): copy it
again from https://openrouter.ai/settings/keys
"""


@pytest.mark.parametrize(("columns", "transcript"), [(60, NARROW), (100, USUAL)])
def test_keys(environ: dict[str, str], columns: int, transcript: str) -> None:
    fingerprints = {"groq": fingerprint(GROQ), "odd": fingerprint(ODD)}
    assert shown(environ, columns, "keys") == transcript.format(**fingerprints)


@pytest.mark.parametrize(
    ("columns", "titles"), [(60, ["ID", "PROVIDERS"]), (100, ["ID", "FOR", "CONTEXT", "TIER", "TOOLS", "PROVIDERS"])]
)
def test_the_table_of_models_leaves_out_columns(environ: dict[str, str], columns: int, titles: list[str]) -> None:
    _, _, table = shown(environ, columns, "models").partition("\nID ")
    assert ["ID", *table.splitlines()[0].split()] == titles


@pytest.mark.parametrize(
    ("columns", "titles", "aider", "llm"),
    [
        (
            60,
            "NAME SCOPE STATE PATH",
            "aider home not found ~/.aider.conf.yml",
            "llm home not found ~/.config/io.datasette.llm/",
        ),
        (
            100,
            "NAME SCOPE STATE MODEL ASKED PATH",
            "aider home not found - - ~/.aider.conf.yml",
            "llm home not found - - ~/.config/io.datasette.llm/extra-openai-models.yaml",
        ),
    ],
)
def test_the_table_of_agents_keeps_the_path(
    environ: dict[str, str], columns: int, titles: str, aider: str, llm: str
) -> None:
    lines = [" ".join(line.split()) for line in shown(environ, columns, "bind").splitlines()]
    assert lines[0] == titles
    assert aider in lines
    after_llm = lines[lines.index(llm) + 1]
    assert (after_llm == "extra-openai-models.yaml") is (columns == 60)


def test_the_menu_of_init_fits_a_narrow_terminal(environ: dict[str, str]) -> None:
    for name in ("GROQ_API_KEY", "OPENROUTER_API_KEY", "NVIDIA_API_KEY"):
        del environ[name]
    with Terminal((*FREERIDE, "init"), environ, 60) as terminal:
        terminal.expect("Enter for Groq: ")
        terminal.type("groq\n")
        terminal.expect("Paste your Groq key")
        terminal.type("\x03")
        terminal.wait()
    assert re.search(r"^ +PROVIDER +KEYS +FREE PER DAY$", terminal.screen, re.MULTILINE)
    assert too_wide(terminal.screen, 60) == []


def too_wide(screen: str, columns: int) -> list[str]:
    """The lines that do not fit, if a blank is in them where they could have been broken."""
    return [line for line in screen.splitlines() if len(line) > columns and " " in line.strip()]


@pytest.mark.parametrize("columns", [60, 100])
@pytest.mark.parametrize(
    "words",
    ["-h", "init -h", "keys -h", "keys", "models", "plugins", "bind", "doctor", "openclaw -h", "serv", "init grok"],
)
def test_no_line_is_wider_than_the_terminal(environ: dict[str, str], words: str, columns: int) -> None:
    screen = shown(environ, columns, *words.split())
    assert screen.strip()
    assert too_wide(screen, columns) == []
